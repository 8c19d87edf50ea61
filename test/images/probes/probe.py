import importlib.util
import json
import os
import shutil
import ssl  # noqa: F401  It has libraries of its own.
import sqlite3  # noqa: F401
import stat
import sys
import zoneinfo

import cronium

cronium.set_output([cronium.get_input(), str(zoneinfo.ZoneInfo("Europe/Berlin"))])
mounted = {"/proc", "/sys", "/dev", "/tmp", "/work", "/var/tmp"}
rights = []
files = 0
for directory, directories, names in os.walk("/"):
    for path in [os.path.join(directory, name) for name in directories + names]:
        mode = os.lstat(path).st_mode
        files += 1
        if not stat.S_ISLNK(mode) and mode & 0o6002 and path not in mounted:
            rights.append(path)
    directories[:] = [name for name in directories if os.path.join(directory, name) not in mounted]
commands = [name for name in sys.argv[1:] if shutil.which(name)]
modules = [name for name in ("pip", "ensurepip", "setuptools") if importlib.util.find_spec(name)]
# What is loaded of it is compiled: nothing in the container could keep what it compiles itself.
uncompiled = [name for name in ("json", "cronium", "ssl") if not os.path.exists(importlib.util.find_spec(name).cached)]
user = f"{os.getuid()}:{os.getgid()}"
print(json.dumps({"user": user, "isThorough": files > 1000, "rights": rights, "commands": commands + modules + uncompiled}))
