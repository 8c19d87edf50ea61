"""Takes of everything as much as there is, gives it back, and goes on."""
import ctypes, errno, json, os, resource, signal, socket, sys, threading, time
import cronium

report = {}
reason = lambda error: errno.errorcode.get(error.errno, type(error).__name__) if isinstance(error, OSError) else type(error).__name__


def writable_places():
    places = []
    for directory, directories, files in os.walk("/"):
        if directory in ("/proc", "/sys"):
            directories.clear()
            continue
        if os.access(directory, os.W_OK):
            places.append(directory)
    return places


def fill_bytes(place):
    path = os.path.join(place, "fill")
    total = 0
    try:
        with open(path, "wb", buffering=0) as file:
            while total < 256 * 1024 * 1024:
                total += file.write(bytes(65536))
        stopped = None
    except OSError as error:
        stopped = reason(error)
    try:
        os.unlink(path)
    except OSError:
        pass
    return {"bytes": total, "stopped": stopped}


def fill_inodes(place):
    made = []
    stopped = None
    try:
        while len(made) < 2000:
            path = os.path.join(place, f"f{len(made)}")
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            made.append(path)
    except OSError as error:
        stopped = reason(error)
    for path in made:
        os.unlink(path)
    return {"files": len(made), "stopped": stopped}


report["places"] = {place: {**fill_bytes(place), **{"inodes": fill_inodes(place)}} for place in writable_places()}


def fork_bomb():
    children = []
    stopped = None
    try:
        while len(children) < 1000:
            pid = os.fork()
            if pid == 0:
                signal.pause()
            children.append(pid)
    except OSError as error:
        stopped = reason(error)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    return {"count": len(children), "stopped": stopped}


def thread_bomb():
    done = threading.Event()
    threads = []
    stopped = None
    threading.stack_size(65536)
    try:
        while len(threads) < 1000:
            thread = threading.Thread(target=done.wait, daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError as error:
        stopped = str(error)
    done.set()
    for thread in threads:
        thread.join()
    return {"count": len(threads), "stopped": stopped}


def descriptor_bomb():
    opened = []
    stopped = None
    try:
        while len(opened) < 100000:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        stopped = reason(error)
    for one in opened:
        os.close(one)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 19, 1 << 19))
        raised = True
    except (ValueError, OSError):
        raised = False
    return {"count": len(opened), "stopped": stopped, "raised": raised}


report["forks"] = fork_bomb()
report["threads"] = thread_bomb()
report["descriptors"] = descriptor_bomb()
# A fork bomb that nobody collects: its processes are there when the script ends.
if os.fork() == 0:
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)
cronium.set_output("still there")
print(json.dumps(report), flush=True)
