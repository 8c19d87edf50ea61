"""What import-javascript.ts does, in Python. Without names: those of the modules that the SDK loads, beside itself."""

import importlib
import json
import sys
import time

if len(sys.argv) == 1:
    before = set(sys.modules)
    import cronium

    print(" ".join(name for name in sys.modules if name not in before and name.split(".")[0] != "cronium"))
else:
    began = time.perf_counter()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    started = time.perf_counter()
    import cronium

    ended = time.perf_counter()
    print(json.dumps([(ended - started) * 1000, (ended - began) * 1000]))
