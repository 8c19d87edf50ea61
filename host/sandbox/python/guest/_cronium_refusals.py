"""What cannot work in the sandbox says so, with the class of error that a script may be prepared for, and says where it does work."""

import concurrent.futures
import errno
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType
from typing import NoReturn

_ELSEWHERE = "container mode (--in container) has them"
NO_THREADS = f"The sandbox has no threads; {_ELSEWHERE}. asyncio does several things at one time without them."
NO_PROCESSES = f"The sandbox has no processes; {_ELSEWHERE}."
NO_SOCKETS = (
    f"The sandbox has no sockets; {_ELSEWHERE}. HTTP needs none: urllib.request and http.client reach the hosts of --allow-host."
)
NO_SIGNALS = (
    f"The sandbox has no signals from outside and no timers of signals; {_ELSEWHERE}. asyncio.timeout() ends what waits for too long."
)
_NO_NATIVE_CODE = "The sandbox loads no native code ({}); container mode (--in container) does."

_CONTAINER = "container mode (--in container) has it"
_NO_TLS = f"The module ssl is not in the sandbox: the host speaks TLS for urllib.request and http.client. {_CONTAINER[0].upper()}{_CONTAINER[1:]}."
_NOT_HERE = f"The module {{}} is not in the sandbox; {_CONTAINER}."

# Parts of CPython that this build or this sandbox is without, by what a script would know them as.
_MISSING = {
    "_ctypes": "ctypes",
    "_curses": "curses",
    "_dbm": "dbm.ndbm",
    "_gdbm": "dbm.gnu",
    "_interpchannels": "concurrent.interpreters",
    "_interpqueues": "concurrent.interpreters",
    "_interpreters": "concurrent.interpreters",
    "_multiprocessing": "multiprocessing",
    "_tkinter": "tkinter",
    "ctypes": "ctypes",
    "curses": "curses",
    "dbm": "dbm",
    "ensurepip": "ensurepip",
    "grp": "grp",
    "idlelib": "idlelib",
    "pip": "pip",
    "pty": "pty",
    "pwd": "pwd",
    "readline": "readline",
    "resource": "resource",
    "syslog": "syslog",
    "termios": "termios",
    "tkinter": "tkinter",
    "turtle": "turtle",
    "venv": "venv",
    "webbrowser": "webbrowser",
}
_MISSING_TEXTS = {name: _NOT_HERE.format(known) for name, known in _MISSING.items()} | {"ssl": _NO_TLS, "_ssl": _NO_TLS}
# pyodide's own, which are there as files and have nothing to talk to.
_FOREIGN = frozenset(("_pyodide", "pyodide", "pyodide_js", "js"))
# They open sockets of their own.
_HTTP_CLIENTS = frozenset(("aiohttp", "httpx", "requests", "urllib3"))


def describe_missing_module(name: str) -> str:
    """What to do about a module that is not there, for the failure of a run."""
    known = name.partition(".")[0]
    if known in _MISSING_TEXTS:
        return _MISSING_TEXTS[known]
    if known in _FOREIGN:
        return (
            f"The module {known} is Pyodide's way to JavaScript, which the sandbox does not have. Packages that make requests through it, as urllib3 and"
            " requests do, run in container mode (--in container); urllib.request and http.client reach the hosts of --allow-host here."
        )
    if known in _HTTP_CLIENTS:
        return (
            f"The module {known} is not in the sandbox, where it would find no sockets: urllib.request and http.client reach the hosts of"
            " --allow-host. Container mode (--in container) runs it."
        )
    return (
        f"No module named {name!r}. It is none of the files of the run and none of Python's standard library."
        " --with gives it a wheel in pure Python, a module or the directory of a package; what has native parts needs container mode (--in container)."
    )


class _MissingFinder:
    """Asked before the standard library's own finder: pieces that have been left out are still there as files that would fail halfway."""

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname in sys.builtin_module_names or (fullname not in _MISSING_TEXTS and fullname not in _FOREIGN):
            return None
        own = PathFinder.find_spec(fullname, [entry for entry in sys.path if entry.startswith("/script")])
        if own is not None:
            return own
        raise ModuleNotFoundError(_MISSING_TEXTS.get(fullname, f"No module named {fullname!r}"), name=fullname)


def _refuse(text: str, kind: type[Exception], number: int | None = None) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise kind(text) if number is None else kind(number, text)

    return refuse


def _replace(module: ModuleType, names: str, refusal: Callable[..., NoReturn]) -> None:
    for name in names.split():
        if hasattr(module, name):
            setattr(module, name, refusal)


def _refuse_processes() -> None:
    import os
    import posix
    import subprocess

    names = (
        "execl execle execlp execlpe execv execve execvp execvpe fork fork1 forkpty kill killpg pipe pipe2 popen posix_spawn posix_spawnp"
        " spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe system wait wait3 wait4 waitid waitpid"
    )
    refusal = _refuse(NO_PROCESSES, OSError, errno.ENOTSUP)
    for module in (os, posix):
        _replace(module, names, refusal)
    subprocess.Popen.__init__ = refusal


class ProcessPoolExecutor(Executor):
    """Executes calls asynchronously using processes, where there are any."""

    __init__ = _refuse(NO_PROCESSES, OSError, errno.ENOTSUP)


def _refuse_process_pools() -> None:
    """The module itself says only that this build lacks something."""
    process = ModuleType("concurrent.futures.process")
    process.ProcessPoolExecutor = ProcessPoolExecutor
    ProcessPoolExecutor.__module__ = process.__name__
    process.BrokenProcessPool = type("BrokenProcessPool", (BrokenExecutor,), {"__module__": process.__name__})
    sys.modules[process.__name__] = concurrent.futures.process = process
    concurrent.futures.ProcessPoolExecutor = ProcessPoolExecutor


def _refuse_threads() -> None:
    import _thread
    import threading

    refusal = _refuse(NO_THREADS, RuntimeError)
    _replace(_thread, "start_joinable_thread start_new start_new_thread", refusal)
    threading._start_joinable_thread = refusal


def _refuse_signals() -> None:
    import _signal
    import signal

    refusal = _refuse(NO_SIGNALS, OSError, errno.ENOTSUP)
    for module in (_signal, signal):
        _replace(module, "pause sigtimedwait sigwait sigwaitinfo", refusal)
        # This build has not even their names.
        module.alarm = module.setitimer = refusal


def _refuse_sockets() -> None:
    import _socket
    import select

    # Before socket has selectors imported, which keeps what it finds here.
    _replace(select, "poll select", _refuse(NO_SOCKETS, OSError, errno.ENOTSUP))
    import socket

    refusal = _refuse(NO_SOCKETS, OSError, errno.ENOTSUP)
    names = "create_connection create_server fromfd getaddrinfo gethostbyaddr gethostbyname gethostbyname_ex getnameinfo socketpair"
    for module in (_socket, socket):
        _replace(module, names, refusal)
    socket.socket.__init__ = refusal
    socket.gethostname = _socket.gethostname = lambda: "localhost"
    socket.getfqdn = lambda name="": name or "localhost"


def _name_missing_zones() -> None:
    """Pyodide's advice for zones that are not there is of no use here."""
    from zoneinfo import ZoneInfoNotFoundError, _common

    load = _common.load_tzdata

    def load_tzdata(key: str) -> object:
        try:
            return load(key)
        except ZoneInfoNotFoundError:
            raise ZoneInfoNotFoundError(f"No time zone found with key {key}") from None

    _common.load_tzdata = load_tzdata


def _load_extension(loader: ExtensionFileLoader, spec: ModuleSpec) -> NoReturn:
    raise ImportError(_NO_NATIVE_CODE.format(spec.name), name=spec.name, path=loader.path)


def install() -> None:
    sys.meta_path.insert(0, _MissingFinder)
    ExtensionFileLoader.create_module = _load_extension
    _refuse_sockets()
    _refuse_processes()
    _refuse_process_pools()
    _refuse_threads()
    _refuse_signals()
    _name_missing_zones()
