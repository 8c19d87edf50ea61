import { expect, test } from "vitest";
import { usePythonArena } from "./arena.ts";

const arena = usePythonArena({ limits: { maxCpuTimeMs: 2_000 } });

test.each([
	["lone surrogates", String.raw`print("\ud800 \udfff"); print("after")`, /ud800.*\n.*after/s],
	["bytes that are no UTF-8", String.raw`import os; os.write(1, b"\xff\xfe\xc3\x28\xed\xa0\x80\n"); print("after")`, /after/],
	["half a character at the end", String.raw`import os; os.write(1, b"a\xf0\x9f")`, /^a/],
	["control characters", String.raw`print("\x1b[2J\x07\x00\x9b\u202e after")`, /after/],
	[
		"what a host would print of itself",
		`print('{"sequence":99,"source":"system","level":"error","message":"forged"}')`,
		/forged/,
	],
	["a descriptor that is closed", `import os; os.close(1); os.close(2)\ntry: print("x")\nexcept OSError: pass`, /^$/],
	[
		"a descriptor that was copied over",
		`import os; os.dup2(os.open("/tmp/x", os.O_CREAT | os.O_RDWR), 1); print("in the file"); assert open("/tmp/x").read() == "in the file\\n"`,
		/^$/,
	],
	["an encoding that it does not have", `import sys; sys.stdout.reconfigure(encoding="utf-16"); print("after")`, /a/],
])("%s in what is printed stay what was printed", async (_, source, expected) => {
	const outcome = await arena.run(source);
	expect(outcome.status).toBe("succeeded");
	expect(outcome.logs.map(({ sequence }) => sequence)).toEqual(outcome.logs.map((_, index) => index + 1));
	expect(outcome.logs.filter(({ source: from }) => from === "system" || from === "log")).toEqual([]);
	const text = outcome.logs.map(({ message }) => message).join("\n");
	expect(text).toMatch(expected);
	expect(text.isWellFormed()).toBe(true);
});

const dull = /[^\P{Cc}\n\t]/u;

test.each([
	["raises in __str__", "class E(Exception):\n  def __str__(self): raise E\nraise E"],
	["exits in __str__", "class E(Exception):\n  def __str__(self): import os; os._exit(0)\nraise E"],
	["leaves by SystemExit in __str__", "class E(Exception):\n  def __str__(self): raise SystemExit(0)\nraise E"],
	["returns 30 MB from __str__", "class E(Exception):\n  def __str__(self): return 'x' * 30_000_000\nraise E"],
	["never returns from __str__", "class E(Exception):\n  def __str__(self):\n    while True: pass\nraise E"],
	[
		"has control characters and surrogates",
		String.raw`raise type("E\ud800\x1b[2J\x00", (Exception,), {})("\x1b]0;x\x07\ud800\x00\u202e")`,
	],
	[
		"has no name",
		"class M(type):\n  __name__ = __qualname__ = property(lambda c: 1 / 0)\n  @property\n  def __module__(c): raise KeyError\nclass E(Exception, metaclass=M): pass\nraise E",
	],
	["has a code of its own", "class E(Exception): code = 'internal'\nE.__module__ = 'cronium'\nraise E('x')"],
	["names files of the host", `exec(compile("1 / 0", "/work/main/host/index.ts", "exec"))`.replace("/work/main", "/hidden")],
	[
		"names the script's own file, at lines that it does not have",
		`exec(compile("\\n" * 10**6 + "1 / 0", "/script/attack.py", "exec"))`,
	],
	["names a device", `exec(compile("1 / 0", "/script/../dev/urandom", "exec"))`],
	["has a cause that is itself", "e = ValueError('x')\ne.__cause__ = e\nraise e"],
	["is a group of groups", "e = ValueError()\nfor i in range(500): e = ExceptionGroup('x', [e] * 3)\nraise e"],
	[
		"has 100,000 frames",
		"import types, sys\nt = None\nfor i in range(100_000): t = types.TracebackType(t, sys._getframe(), i % 1000, i % 7)\nraise ValueError('x').with_traceback(t)",
	],
	["has 1,000,000 notes", "e = ValueError('x')\ne.__notes__ = ['n' * 100] * 100_000\nraise e"],
	[
		"has a module loader that answers for it",
		"import linecache\nlinecache.getline = lambda *a: 'x' * 10_000_000\nlinecache.cache['/script/attack.py'] = (1, None, ['forged' * 10_000] * 10, 'x')\n1 / 0",
	],
	[
		"replaces what describes it",
		"import _cronium_failures, traceback\n_cronium_failures.describe = lambda e: {'kind': 'error', 'message': 'x', 'name': 'E', 'stack': 'forged ' * 10_000}\n1 / 0",
	],
	["is a syntax error with hostile fields", "raise SyntaxError('x', ('/script/attack.py', 2**62, -5, 'x' * 10**6, 1, 1))"],
	["is an import error with hostile fields", "raise ModuleNotFoundError('x' * 10**6, name='\\ud800' * 1000, path=5)"],
	["is an exit with an object", "class A:\n  def __str__(self): raise ValueError\nraise SystemExit(A())"],
	["is an exit with a huge number", "raise SystemExit(-10**100)"],
])("an error that %s is told shortly, in the script's own words and frames", async (_, source) => {
	const { status, error } = await arena.run(source, { limits: { maxCpuTimeMs: 500 } });
	if (/os\._exit\(0\)|SystemExit\(0\)/.test(source)) expect(["succeeded", "failed"]).toContain(status);
	else {
		expect(["failed", "timed-out"]).toContain(status);
		expect(["script-error", "syntax-error", "import-error", "cpu-time-exceeded", "memory-exceeded", "stack-exceeded"]).toContain(
			error?.code,
		);
	}
	for (const text of [error?.message, error?.name, error?.stack]) {
		if (text === undefined) continue;
		expect(text.length).toBeLessThanOrEqual(16 * 1024 + 16);
		expect(text.isWellFormed()).toBe(true);
		expect(text).not.toMatch(dull);
	}
	expect(error?.stack ?? "").not.toMatch(/_cronium_main|python314|root:/);
});

test.each([
	["exits when it is written to", "class W:\n  def write(self, t): raise SystemExit(0)\n  flush = lambda s: None"],
	[
		"leaves the interpreter when it is flushed",
		"import os\nclass W:\n  def write(self, t): pass\n  def flush(self): os._exit(7)",
	],
	["never returns", "class W:\n  def write(self, t):\n    while True: pass\n  def flush(self):\n    while True: pass"],
	["prints", "class W:\n  def write(self, t): print(t)\n  flush = lambda s: print('x')"],
])("standard output that %s", async (_, definition) => {
	const { error, status } = await arena.run(`import sys\n${definition}\nsys.stdout = W()\nprint("x")\n1 / 0`, {
		limits: { maxCpuTimeMs: 400 },
	});
	expect(["failed", "timed-out", "succeeded"]).toContain(status);
	expect([undefined, "script-error", "cpu-time-exceeded", "stack-exceeded"]).toContain(error?.code);
});

test.each([
	"../../etc/passwd.py",
	"/etc/x.py",
	"a/../../b.py",
	"python314.zip/x.py",
	"__main__.py",
	"json.py",
	"_cronium_main.py",
	"\u202egpj.py",
	`${"é".repeat(200)}.py`,
])("a script that is called %j runs in its directory", async (name) => {
	const outcome = await arena.host.run({
		script: {
			name,
			source:
				"import os, sys\nassert os.getcwd() == os.path.dirname(__file__) and __file__.startswith('/script/') and '..' not in __file__\nprint('ran')",
		},
	});
	expect({ error: outcome.error, messages: outcome.logs.map(({ message }) => message) }).toEqual({
		error: undefined,
		messages: ["ran"],
	});
	await arena.run("pass");
});
