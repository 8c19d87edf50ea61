"""Runs one script. Imported when the image is made; everything that a run may find warm is imported by it."""

import time

import _cronium_calls

time.sleep = _cronium_calls.sleep

import _cronium_refusals

_cronium_refusals.install()

import _cronium_http

_cronium_http.install()

import _cronium_warm  # noqa: F401
import atexit
import builtins
import gc
import os
import random
import sys
import threading
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
_ROOT = "/script"
_LIBRARY = [entry for entry in sys.path if entry.startswith("/lib/python")]
_SDK = "/lib/cronium-sdk"


def run(order: str) -> str:
    """Runs the script that `order` names, and tells how it has ended. Never raises."""
    told = _decode(order)
    path = f"{_ROOT}/{told['name']}"
    _begin(path, told)
    main = ModuleType("__main__")
    exit_code, failure = _attempt(lambda: _execute(path, main), main)
    ended, late = _attempt(_end, main)
    # What is said at the end by sys.exit counts only for a script that has not failed before.
    if failure is None and late is not None:
        exit_code, failure = ended, late
    _clear(main)
    _flush()
    return _encode({"exitCode": exit_code, "failure": failure})


def _begin(path: str, told: dict) -> None:
    random.seed(_draw_seed())
    sys.argv[:] = [told["name"], *told["arguments"]]
    directory = os.path.dirname(path)
    sys.path[:] = [directory, *_LIBRARY, *(f"{_ROOT}/{wheel}" for wheel in told["wheels"]), _SDK]
    os.chdir(_ROOT)
    _uncover(directory)


def _uncover(directory: str) -> None:
    """A module beside the script comes before one of the standard library with its name, which may be warm already."""
    own = {entry.removesuffix(".py") for entry in os.listdir(directory)}
    hidden = own & _WARM
    if hidden:
        for name in list(sys.modules):
            if name.partition(".")[0] in hidden:
                del sys.modules[name]


def _execute(path: str, main: ModuleType) -> None:
    main.__file__ = path
    main.__builtins__ = builtins
    main.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = main
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)


def _end() -> None:
    """What Python does when it ends."""
    _shut_down_threads()
    _run_exit_functions()


def _attempt(action, main: ModuleType) -> tuple[int, dict | None]:
    try:
        action()
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


def _read_exit(code: object) -> tuple[int, dict | None]:
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
    os.environ.clear()
    os.environ.update(HOME="/tmp", LANG="C.UTF-8", TMPDIR="/tmp", TZ="UTC")
    sys.dont_write_bytecode = True


_STARTED = frozenset(("abc", "builtins", "codecs", "encodings", "io", "marshal", "os", "posixpath", "stat", "sys", "time", "zipimport"))
_install()
_WARM = frozenset(name for name in sys.modules if "." not in name) - _STARTED - frozenset(sys.builtin_module_names)
gc.collect()
gc.freeze()
