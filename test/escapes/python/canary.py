"""Tells everything that a run could have left behind for the next one: for every run of an unharmed engine it is the same."""

import sys

warm = dict(sys.modules)

import atexit
import builtins
import decimal
import gc
import io
import json
import locale
import os
import random
import signal
import stat
import threading
import time
import types
import warnings

import _cronium


def listed(root):
    """Every file, directory and device with its mode, size and number."""
    found = {}
    for place, directories, files in os.walk(root):
        directories.sort()
        for name in [".", *files]:
            path = os.path.normpath(os.path.join(place, name))
            status = os.stat(path)
            found[path] = [oct(status.st_mode), status.st_size if stat.S_ISREG(status.st_mode) else -1, status.st_ino]
    return found


def parts(module):
    """What a change in place, or a replacement, changes: objects of the image are where they were when it was made."""
    values = list(module.__dict__.values())
    functions = [one for one in values if type(one) is types.FunctionType]
    classes = [one for one in values if type(one) is type and one.__module__ == module.__name__]
    return (
        *map(id, values),
        *[id(one.__code__) for one in functions],
        *[id(one.__defaults__) for one in functions],
        *[len(one) for one in values if type(one) in (dict, list, set)],
        *[id(one) for kind in classes for one in kind.__dict__.values()],
    )


def opened():
    found = []
    for number in range(32):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found


modules = {name: hash((*module.__dict__, *parts(module))) for name, module in warm.items() if name not in ("__main__", "random")}
variables = json.loads(_cronium.call(2, '["canary"]', None))
found = {
    "modules": modules,
    "builtins": sorted(vars(builtins)),
    "argv": sys.argv,
    "path": sys.path,
    "finders": [str(type(one)) for one in sys.meta_path] + [repr(one)[:60] for one in sys.path_hooks] + sorted(sys.path_importer_cache),
    "flags": repr(sys.flags),
    "environment": dict(os.environ),
    "directory": os.getcwd(),
    "umask": os.umask(0o22),
    "files": listed("/tmp") | listed("/script") | listed("/dev"),
    "base": [os.listdir("/"), listed("/lib")],
    "descriptors": opened(),
    "free": os.statvfs("/tmp").f_bavail,
    "limits": [sys.getrecursionlimit(), sys.get_int_max_str_digits(), sys.getswitchinterval()],
    "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.callbacks), len(gc.garbage), gc.get_freeze_count()],
    "objects": len(gc.get_objects()),
    "signals": {number.name: str(signal.getsignal(number)) for number in signal.valid_signals() if isinstance(number, signal.Signals)},
    "hooks": [
        sys.gettrace(),
        sys.getprofile(),
        sys.excepthook is sys.__excepthook__,
        sys.displayhook is sys.__displayhook__,
        sys.unraisablehook is sys.__unraisablehook__,
        threading.excepthook is threading.__excepthook__,
        sys.breakpointhook is sys.__breakpointhook__,
        builtins.__import__.__name__,
        builtins.__build_class__.__name__,
    ],
    "monitoring": [sys.monitoring.get_tool(tool) for tool in range(6)],
    "exit functions": atexit._ncallbacks(),
    "warnings": [repr(one) for one in warnings.filters],
    "locale": locale.setlocale(locale.LC_ALL),
    "zone": [time.tzname, time.timezone, os.environ.get("TZ")],
    "decimal": [str(decimal.getcontext()), str(decimal.DefaultContext)],
    "streams": [
        [type(one) is io.TextIOWrapper, one.name, one.encoding, one.errors, one.line_buffering, one.fileno() if one.name != "<stdin>" else 0]
        for one in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__)
    ],
    "threads": threading.active_count(),
    "hash": hash("canary"),
    "functions of the host": sorted(name for name in vars(_cronium) if not name.startswith("__")),
    "variable": variables,
}
print(json.dumps({"found": found, "random": random.random()}))
sys.stdout.write("unfinished")
