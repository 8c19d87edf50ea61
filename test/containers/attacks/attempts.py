"""Tries what a container must not let it, and reports what happened: a value, or the name of the error."""
import ctypes, ctypes.util, errno, json, mmap, os, platform, signal, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
IS_ARM = platform.machine() == "aarch64"
report = {}


def attempt(name, action):
    try:
        value = action()
    except OSError as error:
        value = errno.errorcode.get(error.errno, type(error).__name__) if error.errno else type(error).__name__
    except Exception as error:
        value = type(error).__name__
    report[name] = value if isinstance(value, (str, int, list, dict, bool, type(None))) else "done"


def in_child(action):
    """In a process of its own, because success would change it."""
    def run():
        receive, send = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                value = action()
                text = str(value) if isinstance(value, (str, int)) else "done"
            except OSError as error:
                text = errno.errorcode.get(error.errno, str(error.errno))
            except BaseException as error:
                text = type(error).__name__
            os.write(send, text.encode())
            os._exit(0)
        os.close(send)
        text = os.read(receive, 4096).decode()
        os.close(receive)
        _, status = os.waitpid(pid, 0)
        return text or f"signal {os.WTERMSIG(status)}"
    return run


def call(function, *arguments):
    def run():
        ctypes.set_errno(0)
        result = function(*arguments)
        if result == -1:
            raise OSError(ctypes.get_errno(), "")
        return "done"
    return run


def system(x86, arm, *arguments):
    return call(libc.syscall, ctypes.c_long(arm if IS_ARM else x86), *arguments)


def write(path, text="1"):
    def run():
        with open(path, "w") as file:
            file.write(text)
        return "done"
    return run


def read(path):
    def run():
        with open(path, "rb") as file:
            file.read(16)
        return "done"
    return run


def finish():
    print(json.dumps(report), flush=True)
