import { expect, test } from "vitest";
import { forgery, usePythonArena } from "./arena.ts";

const arena = usePythonArena();

/** Runs the action, and says what it has raised, or what came of it. */
const attempt = `
import json, sys
def attempt(action):
    try: return repr(action())[:200]
    except BaseException as error: return type(error).__name__
`;

const bridges = [
	"js",
	"pyodide_js",
	"_pyodide_core",
	"pyodide",
	"pyodide.ffi",
	"pyodide.http",
	"pyodide.webloop",
	"pyodide._state",
];
const ways = ["_ctypes", "ctypes.util", "_posixsubprocess", "_remote_debugging", "_testcapi", "_testinternalcapi", "termios"];
const refusals = ["ModuleNotFoundError", "ImportError", "ZipImportError", "KeyError", "AttributeError", "None"];

test.each([
	["as it is", ""],
	["without the finder that refuses them", "sys.meta_path[:] = sys.meta_path[1:]"],
	[
		"from the zip of the standard library only",
		"sys.meta_path[:] = [type('Zip', (), {'find_spec': lambda name, *_: zipimport.zipimporter('/lib/python314.zip').find_spec(name)})]",
	],
])("no spelling of an import reaches JavaScript or native code, %s", async (_, preparation) => {
	const said = await arena.look(`${attempt}
import importlib, importlib.util, importlib.machinery, runpy, zipimport, _imp
${preparation}
names = ${JSON.stringify([...bridges, ...ways])}
spellings = {
    "statement": lambda name: exec(f"import {name}"),
    "from": lambda name: exec(f"from {name} import *"),
    "function": lambda name: __import__(name, {}, {}, ["x"], 0),
    "importlib": lambda name: importlib.import_module(name),
    "bootstrap": lambda name: importlib._bootstrap._gcd_import(name),
    "built-in": lambda name: _imp.create_builtin(importlib.machinery.ModuleSpec(name, importlib.machinery.BuiltinImporter)),
    "frozen": lambda name: _imp.get_frozen_object(name),
    "modules": lambda name: sys.modules[name],
    "zip": lambda name: zipimport.zipimporter("/lib/python314.zip").exec_module(importlib.util.module_from_spec(zipimport.zipimporter("/lib/python314.zip").find_spec(name))),
    "run": lambda name: runpy.run_module(name),
    "extension": lambda name: importlib.machinery.ExtensionFileLoader(name, f"/script/{name}.so").create_module(importlib.machinery.ModuleSpec(name, None)),
    "dynamic": lambda name: _imp.create_dynamic(importlib.machinery.ModuleSpec(name, None, origin="/script/attack.py")),
}
print(json.dumps({f"{spelling} {name}": said for spelling, action in spellings.items() for name in names if (said := attempt(lambda: action(name))) not in ${JSON.stringify(refusals)} and not said.startswith("<module 'pyodide") and not (spelling == "run" and said.startswith("{"))}))`);
	expect(said).toEqual({});
});

test("pyodide's own package is a file of the standard library, and has nothing behind it", async () => {
	const said = await arena.look(`${attempt}
sys.meta_path[:] = sys.meta_path[1:]
import pyodide, pyodide.ffi, pyodide.code, pyodide.http, pyodide.webloop
print(json.dumps([attempt(action) for action in (lambda: pyodide.code.run_js("1"), lambda: pyodide.http.open_url("x"), lambda: pyodide.ffi.JsProxy(), lambda: pyodide.ffi.JsProxy.new(), lambda: pyodide.webloop.WebLoop().call_soon(print),
    lambda: pyodide.ffi.run_sync(None), lambda: pyodide.ffi.create_once_callable(print)(), lambda: __import__("pyodide_js"))] + [sorted(name for name in sys.modules if name in ("js", "_pyodide_core", "pyodide_js"))]))`);
	const refused = expect.stringMatching(/Error$|^None$/);
	expect(said).toEqual([...Array(8).fill(refused), []]);
});

test("no object of the interpreter, and no frame, belongs to a bridge or to the host", async () => {
	const [visited, strangers, frames] = (await arena.look(`
import gc, json, sys
for name in list(sys.modules): sys.modules[name]
seen, queue, strangers = set(), [*gc.get_objects(), *object.__subclasses__(), sys._getframe(), *gc.get_referrers(object)], set()
while queue:
    value = queue.pop()
    if id(value) in seen: continue
    seen.add(id(value))
    kind = type(value)
    if kind.__name__.startswith("Js") or "Proxy" in kind.__name__ and kind.__module__ not in ("weakref", "builtins") or "pyodide" in str(kind.__module__): strangers.add(f"{kind.__module__}.{kind.__name__}")
    if len(seen) < 400_000: queue.extend(gc.get_referents(value))
frame, frames = sys._getframe(), []
while frame: frames.append(frame.f_code.co_filename); frame = frame.f_back
print(json.dumps([len(seen), sorted(strangers), sorted(set(frames))]))`)) as [number, string[], string[]];
	expect(visited).toBeGreaterThan(50_000);
	expect(strangers.filter((name) => !/^types\.MappingProxyType/.test(name))).toEqual([]);
	expect(frames).toEqual(["/lib/cronium-guest/_cronium_main.py", "/script/attack.py"]);
});

test("ctypes has nothing to stand on, whatever of it is written down again", async () => {
	const said = await arena.look(
		`${attempt}
import importlib, _imp
sys.meta_path[:] = sys.meta_path[1:]
said = {}
for way in ("import ctypes; ctypes.CDLL(None)", "import ctypes; ctypes.pythonapi.PyRun_SimpleString(b'')", "import ctypes; ctypes.memmove(0, 0, 1)", "import ctypes; ctypes.CFUNCTYPE(None)(print)",
            "from ctypes import *", "import ctypes.wintypes", "import _ctypes_test", "from _ctypes import dlopen, call_function", "import numpy.ctypeslib", "import cffi", "import _cffi_backend",
            "import sys; sys.setdlopenflags(1); import _imp; _imp.create_dynamic(type(sys.__spec__)('x', None, origin='/script/x.so'))"):
    said[way] = attempt(lambda: exec(way))
print(json.dumps(sorted(set(said.values()))))`,
		{ files: { "x.so": Buffer.from("\0asm\x01\0\0\0"), ...forgery } },
	);
	expect(said).toEqual(["ImportError", "ModuleNotFoundError"]);
});

/** The functions of C beneath what the guest's Python refuses already. */
test.each([
	["os.system", `posix.system("id > /tmp/x")`, /^(-1|OSError)/],
	["os.popen", `os.popen("id").read()`, /OSError/],
	["subprocess", `__import__("subprocess").run(["id"])`, /OSError/],
	["fork", "posix.fork()", /OSError/],
	["exec", `posix.execv("/bin/sh", ["sh"])`, /OSError/],
	["spawn", `os.spawnv(0, "/bin/sh", ["sh"])`, /OSError/],
	["kill of another process", "posix.kill(1, 9)", /PermissionError|ProcessLookupError|OSError/],
	["a pipe", "posix.pipe()", /OSError/],
	["waiting for a child", "posix.waitpid(-1, 0)", /OSError|ChildProcessError/],
	["a socket", "socket.socket(2, 1)", /OSError/],
	["a pair of sockets", "socket.socketpair()", /OSError|AttributeError/],
	["name resolution", `socket.getaddrinfo("localhost", 80)`, /gaierror|OSError/],
	["reverse name resolution", `socket.gethostbyaddr("127.0.0.1")`, /OSError|herror|gaierror/],
	["a socket over a descriptor", `socket.socket(2, 1, 0, 40).connect(("127.0.0.1", 22))`, /OSError/],
	["select", "__import__('select').select([0], [1], [], 0)", /OSError/],
	["poll", "p = __import__('select').poll(); p.register(0); p.poll(0)", /OSError|SyntaxError|\[/],
	["ssl", `__import__("ssl")`, /ModuleNotFoundError/],
	["a thread", `__import__("_thread").start_new_thread(print, ())`, /RuntimeError/],
	[
		"a memory map of a file",
		`__import__("mmap").mmap(os.open("/lib/python314.zip", 0), 100)`,
		/OSError|ValueError|ModuleNotFoundError|PermissionError/,
	],
	["a subinterpreter", `__import__("_interpreters").create()`, /ModuleNotFoundError/],
])("%s fails, also when the modules of C are made anew", async (_, expression, refusal) => {
	const said = (await arena.look(`${attempt}
import importlib.machinery, _imp, os
own, made = {}, {}
for name in ("posix", "_socket"):
    made[name] = _imp.create_builtin(importlib.machinery.ModuleSpec(name, importlib.machinery.BuiltinImporter))
    _imp.exec_builtin(made[name])
posix, socket = made["posix"], made["_socket"]
print(json.dumps(attempt(lambda: eval(${JSON.stringify(expression)}) if "; " not in ${JSON.stringify(expression)} else exec(${JSON.stringify(expression)}))))`)) as string;
	expect(said).toMatch(refusal);
});

test("no path leads to a file of the host, and nothing that all runs share can be changed", async () => {
	const [found, changed] = (await arena.look(`${attempt}
import os
paths = ["/proc/self/environ", "/proc", "/etc/passwd", "/etc", "/sys", "/root", "/home", "/dev/mem", "/dev/tty", "/dev/fd/3", "/dev/shm", "/lib/../etc/passwd", "//etc//passwd", "/script/../../etc/passwd", "../../../../etc/passwd",
         "/tmp/../../../etc/passwd", "/lib/python314.zip/../../etc/passwd", "/dev/stdout/../../etc/passwd", "/etc\\0", "/" + "a/" * 3000, "/usr/share/zoneinfo/../../../etc/passwd", "C:\\\\", "file:///etc/passwd", "~root"]
found = [path for path in paths for way in (open, os.listdir, os.stat, os.readlink) if "Error" not in attempt(lambda: way(path))]
library = "/lib/python314.zip"
changes = [lambda: open(library, "r+b"), lambda: open(library, "ab"), lambda: os.truncate(library, 0), lambda: os.remove(library), lambda: os.rename(library, "/tmp/x"), lambda: os.rename("/tmp", "/lib/tmp"), lambda: os.chmod("/lib", 0o777),
           lambda: os.utime(library), lambda: os.chown(library, 0, 0), lambda: os.mkdir("/etc"), lambda: open("/lib/cronium-guest/_cronium_main.py", "w"), lambda: open("/dev/new", "w"), lambda: os.symlink("/", "/tmp/root"), lambda: os.link(library, "/tmp/x"),
           lambda: os.mknod("/tmp/device"), lambda: os.mkfifo("/tmp/fifo"), lambda: os.chroot("/tmp"), lambda: os.pwrite(os.open(library, os.O_RDONLY), b"x", 0), lambda: os.rmdir("/tmp"), lambda: os.rename("/script", "/tmp/script"),
           lambda: os.setuid(0), lambda: os.open(library, os.O_RDWR | os.O_TRUNC), lambda: os.removexattr(library, "x")]
print(json.dumps([found, [index for index, change in enumerate(changes) if "Error" not in attempt(change)]]))`)) as [
		string[],
		number[],
	];
	expect(found).toEqual([]);
	expect(changed).toEqual([]);
});

test("the environment and what the system tells of itself are the same everywhere", async () => {
	const said = await arena.look(
		`${attempt}
import os, posix, platform, getpass, socket
print(json.dumps([dict(os.environ), {k.decode(): v.decode() for k, v in posix.environ.items()}, sys.executable, sys.orig_argv, list(os.uname()), os.getpid(), os.getuid(), os.cpu_count(), socket.gethostname(), os.getloadavg()]))`,
		{ arguments: [] },
	);
	const constants = { HOME: "/tmp", LANG: "C.UTF-8", TMPDIR: "/tmp", TZ: "UTC" };
	expect(said).toEqual([
		...[constants, expect.objectContaining(constants), "", []],
		...[["Emscripten", "emscripten", expect.any(String), "#1", "wasm32"], 42, 1000, 1, "localhost", [0.1, 0.1, 0.1]],
	]);
});

test("import hooks, a changed path and files in the place of modules end with the run", async () => {
	await arena.look(`
import builtins, sys, json, types, os, importlib.abc
real = builtins.__import__
class Hook(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None): return None
sys.meta_path.insert(0, Hook()); sys.path_hooks.insert(0, lambda path: None if path else None); sys.path.insert(0, "/tmp"); sys.path_importer_cache.clear()
builtins.__import__ = lambda *given, **named: real(*given, **named)
sys.modules["json.decoder"] = types.ModuleType("json.decoder"); sys.modules["left"] = types.ModuleType("left")
open("/tmp/json.py", "w").write("left = 1"); open("/script/re.py", "w").write("left = 1")
builtins.left = open("/tmp/left", "w"); os.chdir("/tmp"); os.umask(0); os.environ["LEFT"] = "1"; os.putenv("LEFT", "2")
json.JSONDecoder.decode = lambda *_: "left"; json.loads = None; _ = sys.modules.pop("random"); types.ModuleType.__doc__
print("1")`);
});
