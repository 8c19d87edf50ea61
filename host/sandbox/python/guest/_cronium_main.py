"""Runs one script. Imported when the image is made; everything that a run may find warm is imported by it."""

import gc
import time

# What is imported stays, and there is much of it to look through again and again.
gc.disable()

import _cronium_calls

time.sleep = _cronium_calls.sleep

import _cronium_refusals

_cronium_refusals.install()

import _cronium_http

_cronium_http.install()

import _cronium_warm  # noqa: F401
import atexit
import builtins
import os
import random
import sys
import threading
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from json import JSONDecoder, JSONEncoder
from types import ModuleType

import _cronium_failures
import _cronium_locks
import _cronium_log
import _cronium_loop
import _cronium_stdio
from _cronium import seed as _draw_seed
from _sitebuiltins import Quitter, _Helper

_decode = JSONDecoder().decode
_encode = JSONEncoder().encode
_run_exit_functions = atexit._run_exitfuncs
_shut_down_threads = threading._shutdown
_default_hook = sys.excepthook
_set_trace, _set_profile, _set_recursion_limit = sys.settrace, sys.setprofile, sys.setrecursionlimit
_RECURSION_LIMIT = sys.getrecursionlimit()
_ROOT = "/script"
_LIBRARY = [entry for entry in sys.path if entry.startswith("/lib/python")]
_SDK = "/lib/cronium-sdk"

_NO_MEMORY = _encode({"exitCode": 1, "failure": {"kind": "memory", "message": "Python has no memory left."}})
_CANNOT_TELL = _encode({"exitCode": 1, "failure": {"kind": "error", "message": "The script has changed what would tell how it has ended."}})

type _End = tuple[int, _cronium_failures.Failure | None]


def run(order: str) -> str:
    """Runs the script that `order` names, and tells how it has ended. Never raises: a script may have replaced what this is made of."""
    try:
        return _run(**_decode(order))
    except MemoryError:
        return _NO_MEMORY
    except BaseException:
        return _CANNOT_TELL


def _run(name: str, arguments: list[str], wheels: list[str], **_: object) -> str:
    path = f"{_ROOT}/{name}"
    random.seed(_draw_seed())
    sys.argv[:] = [name, *arguments]
    directory = os.path.dirname(path)
    sys.path[:] = [directory, *_LIBRARY, *(f"{_ROOT}/{wheel}" for wheel in wheels), _SDK]
    os.chdir(directory)
    _uncover(directory, path)
    main = ModuleType("__main__")
    exit_code, failure = _attempt(lambda: _execute(path, main), main)
    ended_with, late = _attempt(_end, main)
    if failure is None and late is not None:
        exit_code, failure = ended_with, late
    _clear(main)
    _flush()
    return _encode({"exitCode": exit_code, "failure": failure})


def _uncover(directory: str, path: str) -> None:
    """A module beside the script comes before one of the standard library with its name, which is warm already. The script itself does not."""
    beside = {entry.removesuffix(".py") for entry in os.listdir(directory) if f"{directory}/{entry}" != path}
    hidden = beside & _WARM
    if hidden:
        for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
            del sys.modules[name]


def _execute(path: str, main: ModuleType) -> None:
    main.__file__ = path
    main.__builtins__ = builtins
    main.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    with open(path, "rb") as file:
        source = file.read()
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        # Of bytes that are no text it does not say where they are.
        error.filename = error.filename or path
        raise
    exec(code, main.__dict__)


def _end() -> None:
    """What Python does when it ends."""
    _shut_down_threads()
    _run_exit_functions()


def _attempt(action: Callable[[], None], main: ModuleType) -> _End:
    try:
        try:
            action()
        finally:
            # What the script has set would go on in what follows.
            _set_trace(None)
            _set_profile(None)
            _set_recursion_limit(_RECURSION_LIMIT)
    except SystemExit as error:
        return _read_exit(error.code)
    except BaseException as error:
        if isinstance(error, MemoryError):
            # To have some for the rest.
            _clear(main)
        elif sys.excepthook is not _default_hook:
            _call_hook(error)
        return 130 if isinstance(error, KeyboardInterrupt) else 1, _cronium_failures.describe(error)
    return 0, None


def _read_exit(code: object) -> _End:
    if code is None:
        number = 0
    elif isinstance(code, int):
        # As python3 has it of a number that the system does not have.
        number = code & 0xFF if -(2**31) <= code < 2**31 else 0xFF
    else:
        try:
            print(code, file=sys.stderr)
        except Exception:
            pass
        number = 1
    return number, {"kind": "exit", "message": f"The script ended with exit code {number}."} if number else None


def _call_hook(error: BaseException) -> None:
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:
        pass


def _clear(main: ModuleType) -> None:
    """As Python does: what the script's names have held ends now, and can still print."""
    names = main.__dict__
    for private in (True, False):
        for name in list(names):
            if isinstance(name, str) and name != "__builtins__" and (name[:1] == "_" and name[:2] != "__") is private:
                names[name] = None


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except BaseException:
            pass


def _install() -> None:
    _cronium_loop.install()
    _cronium_locks.install()
    _cronium_log.install()
    _cronium_stdio.install()
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    builtins.help = _Helper()


_STARTED = frozenset(("abc", "builtins", "codecs", "encodings", "io", "marshal", "os", "posixpath", "stat", "sys", "time", "zipimport"))
_install()
_WARM = frozenset(name for name in sys.modules if "." not in name) - _STARTED - frozenset(sys.builtin_module_names)
# Behind it: a copy of the SDK beside the script, for its editor or for `cronium dev`, would know nothing of the sandbox.
import _cronium_sdk  # noqa: E402, F401

gc.enable()
gc.collect()
gc.freeze()
