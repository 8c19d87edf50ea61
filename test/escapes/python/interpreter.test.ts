import { describe, expect, test } from "vitest";
import { usePythonArena } from "./arena.ts";

const arena = usePythonArena({ limits: { maxCpuTimeMs: 3_000 } });

/** Whatever becomes of a run that breaks its interpreter, the worker that ran it stays whole. */
const contained = [
	"script-error",
	"internal",
	"denied",
	"memory-exceeded",
	"stack-exceeded",
	"cpu-time-exceeded",
	"wall-time-exceeded",
	"syntax-error",
	"never-settled",
	undefined,
];

describe("bytecode that no compiler has made", () => {
	test.each(Array.from({ length: 3 }, (_, seed) => seed))("random code, %i", async (seed) => {
		const { error } = await arena.run(
			`
import random, types
random.seed(${seed})
def given(a, b=1, *c, **d):
    try: return [a, b, lambda: a]
    finally: pass
for _ in range(60):
    code = given.__code__.replace(co_code=bytes(random.randrange(256) for _ in range(2 * random.randrange(1, 60))), co_stacksize=random.choice([1, 3, 100]))
    print(end=str(_)); print()
    try: types.FunctionType(code, {"x": 1}, "f", None, given.__closure__)(1)
    except Exception: pass`,
			{ limits: { maxCpuTimeMs: 300, maxWallTimeMs: 3_000 } },
		);
		expect(contained).toContain(error?.code);
		expect(error?.message ?? "").not.toMatch(/worker/);
	});

	test.each([
		["a local variable that does not exist", "LOAD_FAST", 255, 1],
		["a cell that does not exist", "LOAD_DEREF", 200, 1],
		["a stack that is not there", "POP_TOP", 0, 60],
		["a stack without a bottom", "COPY", 255, 1],
		["a stack without an end", "LOAD_SMALL_INT", 1, 20_000],
		["a jump out of the code", "JUMP_FORWARD", 255, 1],
		["an intrinsic that does not exist", "CALL_INTRINSIC_1", 255, 1],
	])("%s", async (_, name, argument, times) => {
		const { error } = await arena.run(
			`
import dis, types
op = dis.opmap
body = bytes([op["RESUME"], 0, op["LOAD_SMALL_INT"], 1]) + bytes([op["${name}"], ${argument}]) * ${times} + bytes([op["RETURN_VALUE"], 0])
code = (lambda: None).__code__.replace(co_code=body, co_linetable=b"", co_exceptiontable=b"")
print(type(types.FunctionType(code, {})()))`,
			{ limits: { maxCpuTimeMs: 300, maxWallTimeMs: 3_000 } },
		);
		expect(contained).toContain(error?.code);
		expect(error?.message ?? "").not.toMatch(/worker/);
	});

	test("a code object with numbers out of any range is refused or breaks its own run", async () => {
		const { error } = await arena.run(`
def f(): pass
for change in ({"co_argcount": 2**31 - 1}, {"co_nlocals": 10**6}, {"co_stacksize": 2**31 - 1}, {"co_flags": 2**31 - 1}, {"co_firstlineno": -2**31}, {"co_exceptiontable": b"\\xff" * 100}, {"co_linetable": b"\\xff" * 100}, {"co_varnames": (1,)}, {"co_code": b"x"}):
    try: g = type(f)(f.__code__.replace(**change), {}); g(); list(g.__code__.co_positions()); repr(g.__code__)
    except Exception: pass`);
		expect(contained).toContain(error?.code);
		expect(error?.message ?? "").not.toMatch(/worker/);
	});
});

test.each(Array.from({ length: 2 }, (_, seed) => seed))("marshal reads noise, %i", async (seed) => {
	const { error } = await arena.run(
		`
import marshal, random
random.seed(${seed})
whole = marshal.dumps(compile("def f(a, b=1):\\n return [x for x in (a, b)]\\nf(1)", "x", "exec"))
for _ in range(1_500):
    data = bytearray(whole)
    for _ in range(random.randrange(1, 6)): data[random.randrange(len(data))] = random.randrange(256)
    try: exec(marshal.loads(bytes(data)), {})
    except Exception: pass`,
		{ limits: { maxCpuTimeMs: 500, maxWallTimeMs: 5_000 } },
	);
	expect(contained).toContain(error?.code);
	expect(error?.message ?? "").not.toMatch(/worker/);
});

/** What later versions of CPython than this one have mended: its own tests of it leave an interpreter behind that fails anywhere. */
describe("an object that the interpreter uses after it has freed it", () => {
	test.each([
		[
			"a task (gh-142556)",
			`
import _asyncio, asyncio
class Loop:
    def get_debug(self): return False
    def call_exception_handler(self, context): _asyncio._register_task(context["task"])
async def main(): pass
coroutine = main()
try: _asyncio.Task(coroutine, loop=Loop())
except AttributeError: coroutine.close()
kept = []
for _ in range(100):
    asyncio.run(main())
    kept.append([bytes([size] * size) for size in range(200)])`,
		],
		[
			"a key of groupby (gh-143543)",
			`
import itertools
class Key:
    def __init__(self, advances): self.advances = advances
    def __eq__(self, other):
        if not self.advances: return False
        self.advances = False
        next(groups)
        kept.extend(bytes([255] * size) for size in range(200))
        return NotImplemented
kept = []
keys = iter([True, False, False])
groups = itertools.groupby([None] * 3, lambda _: Key(next(keys)))
next(groups)
next(groups)`,
		],
		[
			"an item of a dict that is written as JSON (gh-142831)",
			`
import json.encoder
given, kept = [], []
class Given(dict):
    def items(self):
        given.append((f"key {len(self)}", object()))
        return given
def write_key(_):
    given.clear()
    kept.extend(bytes([255] * size) for size in range(200))
    return '"x"'
json.encoder.c_make_encoder(None, repr, write_key, None, ": ", ", ", False, False, True)(Given(a=1), 0)`,
		],
	])("%s", async (_, source) => {
		const { error } = await arena.run(source);
		expect(contained).toContain(error?.code);
		expect(error?.message ?? "").not.toMatch(/worker/);
	});
});

test.each([
	["calls what it likes", `pickle.loads(b"cposix\\nsystem\\n(S'id > /tmp/x'\\ntR.")`],
	["exits", `pickle.loads(b"cos\\n_exit\\n(I7\\ntR.")`],
	["is deep", `pickle.loads(b"(" * 10_000_000 + b".")`],
	["is larger than it says", `pickle.loads(b"\\x80\\x04\\x8e" + (2**62).to_bytes(8, "little") + b"x.")`],
	["refers to itself", `x = []\nfor _ in range(200_000): x = [x]\npickle.dumps(x)`],
	["is noise", `import random\nfor _ in range(3000):\n  try: pickle.loads(random.randbytes(30))\n  except Exception: pass`],
])("a pickle that %s", async (_, deed) => {
	const { status, error } = await arena.run(`import pickle\n${deed}`);
	expect(contained.concat("import-error")).toContain(error?.code);
	expect(error?.message ?? "").not.toMatch(/worker/);
	expect(["failed", "succeeded", "timed-out"]).toContain(status);
});

test.each([
	["of Python", "def f(): return f() + 1\nf()", "stack-exceeded"],
	[
		"of Python, with no limit",
		"import sys\nsys.setrecursionlimit(2**31 - 1)\ndef f(): return f() + 1\nf()",
		["stack-exceeded", "memory-exceeded"],
	],
	["of repr", "x = []\nfor _ in range(100_000): x = [x]\nrepr(x)", "stack-exceeded"],
	["of deallocation", "x = []\nfor _ in range(1_000_000): x = [x]\ndel x", "stack-exceeded"],
	["of json", "import json\nx = []\nfor _ in range(100_000): x = [x]\njson.dumps(x)", "stack-exceeded"],
	["of deepcopy", "import copy\nx = []\nfor _ in range(100_000): x = [x]\ncopy.deepcopy(x)", "stack-exceeded"],
	["of re", "import re\nre.compile('(' * 50_000 + ')' * 50_000)", ["stack-exceeded", "script-error"]],
	["of the parser", "eval('(' * 100_000 + ')' * 100_000)", ["script-error", "memory-exceeded", "stack-exceeded"]],
	["of additions", "eval('+'.join(['1'] * 100_000))", ["stack-exceeded", "memory-exceeded", "script-error"]],
	[
		"of ast",
		"import ast\nx = ast.Constant(1)\nfor _ in range(100_000): x = ast.UnaryOp(ast.USub(), x)\ncompile(ast.fix_missing_locations(ast.Expression(x)), 'x', 'eval')",
		"stack-exceeded",
	],
	[
		"of a decoder of XML",
		"import xml.etree.ElementTree as e\nx = e.fromstring('<a>' * 100_000 + '</a>' * 100_000)\ne.tostring(x)",
		["stack-exceeded", "memory-exceeded", "script-error"],
	],
	[
		"of a signal's handler",
		"import signal\nsignal.signal(signal.SIGUSR1, lambda *a: signal.raise_signal(signal.SIGUSR1))\nsignal.raise_signal(signal.SIGUSR1)",
		"stack-exceeded",
	],
	[
		"of finalizers while the stack is full",
		"class A:\n  def __del__(self):\n    def f(): return f()\n    f()\nfor _ in range(100): A()",
		undefined,
	],
])("recursion without an end, %s", async (_, deed, code) => {
	const { error } = await arena.run(deed);
	expect(error?.message ?? "").not.toMatch(/worker/);
	if (Array.isArray(code)) expect(code).toContain(error?.code);
	else expect(error?.code).toBe(code);
});

test.each([
	[
		"a trace function that swallows",
		"import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\nwhile True:\n  try:\n    for _ in range(1000): pass\n  except BaseException: pass",
	],
	[
		"monitoring of every instruction",
		"import sys\nm = sys.monitoring\nm.use_tool_id(1, 'x')\nm.register_callback(1, m.events.INSTRUCTION, lambda *a: None)\nm.set_events(1, m.events.INSTRUCTION | m.events.PY_THROW | m.events.RAISE)\nwhile True:\n  try: 1 / 0\n  except: pass",
	],
	[
		"a handler of every signal",
		"import signal\nfor n in signal.valid_signals():\n  try: signal.signal(n, lambda *a: None)\n  except (OSError, ValueError): pass\nwhile True:\n  try: signal.raise_signal(signal.SIGTERM)\n  except BaseException: pass",
	],
	["except BaseException", "while True:\n  try:\n    while True: pass\n  except BaseException: pass\n  finally: continue"],
	["an exit function", "import atexit\n@atexit.register\ndef f():\n  while True: pass"],
	["a finalizer at the end", "class A:\n  def __del__(self):\n    while True: pass\na = A()"],
	["an exception hook", "import sys\ndef h(*a):\n  while True: pass\nsys.excepthook = h\n1 / 0"],
	[
		"coroutines",
		"import asyncio\nasync def f():\n  while True:\n    try: await asyncio.sleep(0)\n    except BaseException: pass\nasyncio.run(f())",
	],
	[
		"a name of an error that never ends",
		"class M(type):\n  def __getattribute__(c, n):\n    while True: pass\nclass E(Exception, metaclass=M): pass\nraise E",
	],
])("a stop cannot be caught, swallowed or outlived: %s", async (_, deed) => {
	const { status, error } = await arena.run(deed, { limits: { maxCpuTimeMs: 80 } });
	expect({ status, code: error?.code }).toEqual({ status: "timed-out", code: "cpu-time-exceeded" });
});

test.each([
	["faulthandler crashes", "import faulthandler\nfaulthandler._sigsegv()"],
	["faulthandler overflows", "import faulthandler\nfaulthandler._stack_overflow()"],
	[
		"faulthandler dumps later",
		"import faulthandler\nfaulthandler.dump_traceback_later(0.01, exit=True)\nimport time; time.sleep(0.05)",
	],
	["an alarm", "import signal\nsignal.alarm(1)"],
	["an interval timer", "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.01)"],
	["SIGKILL for itself", "import signal\nsignal.raise_signal(signal.SIGKILL)"],
	["an abort", "import os\nos.abort()"],
	["_exit in a finalizer", "import os\nclass A:\n  def __del__(self): os._exit(9)\na = A()"],
	["exit in a sort key", "import sys\n[1, 2].sort(key=sys.exit)"],
	["_exit while asyncio runs", "import asyncio, os\nasync def f(): os._exit(3)\nasyncio.run(f())"],
	[
		"all settings changed",
		"import sys, gc, decimal, locale, warnings, signal, threading, random\nsys.setrecursionlimit(50); sys.set_int_max_str_digits(0); sys.setswitchinterval(1); gc.disable(); gc.set_threshold(1); gc.callbacks.append(print); gc.unfreeze(); decimal.setcontext(decimal.Context(prec=3)); decimal.DefaultContext.prec = 3; warnings.simplefilter('error'); signal.signal(2, signal.SIG_IGN); threading.stack_size; random.seed(1); sys.stdout.reconfigure(encoding='latin-1', line_buffering=False); sys.argv = None; sys.path = 1; locale.setlocale(locale.LC_ALL, 'C'); sys.flags; sys.meta_path = []; sys.stdout.write('left in the buffer')",
	],
	[
		"patched types and functions",
		"import json, re, os, builtins, collections, datetime\njson.dumps = re.compile = os.getcwd = len\nbuiltins.len = builtins.print = builtins.open = None\ncollections.OrderedDict.__init__ = datetime.tzinfo = None",
	],
])("%s: the run ends as it may, and the next one knows nothing of it", async (_, deed) => {
	const { error } = await arena.run(deed);
	expect(contained).toContain(error?.code);
	expect(error?.message ?? "").not.toMatch(/worker/);
});
