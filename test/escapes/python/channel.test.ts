import { describe, expect, test } from "vitest";
import type { Outcome } from "../../../host/index.ts";
import { usePythonArena } from "./arena.ts";

const arena = usePythonArena({ limits: { maxCpuTimeMs: 3_000 } });

/** What the host has written down of a run: operations and the code of their errors. */
async function journalOf({ executionId }: Outcome): Promise<string[]> {
	const entries = await arena.host.executions.journal(executionId);
	return entries.map((entry) => `${entry.operation}${"error" in entry && entry.error ? ` ${entry.error.code}` : ""}`);
}

describe("what a script hands to the host", () => {
	test("of any type is answered or raises, and runs no code of the script's", async () => {
		const said = (await arena.look(`
import _cronium, json, decimal
ran = []
class Number(int): pass
class Index:
    def __index__(self): ran.append("index"); return 2
    def __int__(self): ran.append("int"); return 2
class Text(str):
    def __str__(self): ran.append("str"); return "[]"
    def encode(self, *a): ran.append("encode"); return b""
    def __len__(self): ran.append("len"); return 10**9
    def __getattribute__(self, n): ran.append(n); return None
values = [None, True, 2, -1, 2**31, 2**63, 10**40, 2.0, float("nan"), "2", "", "[]", "\\ud800", "\\0", "{", b"[]", bytearray(8), [], (), {}, object(), Index(), Number(2), Text('["k"]'), Text("x" * 100), len, type, Ellipsis, decimal.Decimal(2), lambda: 2, _cronium, range(3), memoryview(b"x")]
kinds = {}
for position in range(3):
    for value in values:
        given = [2, '["k"]', None]; given[position] = value
        try: answer = _cronium.call(*given); kind = "error" if isinstance(answer, str) and answer[:1] == "!" else type(answer).__name__
        except BaseException as error: kind = type(error).__name__
        kinds[kind] = kinds.get(kind, 0) + 1
for value in values:
    try: _cronium.wait(value); kind = "waited"
    except BaseException as error: kind = type(error).__name__
    kinds[kind] = kinds.get(kind, 0) + 1
for given in ((), (1,), (1, 2), (1, 2, 3, 4), tuple(range(1000))):
    kinds[str(_cronium.call(*given))] = 0
    if len(given) != 1: kinds[str(_cronium.wait(*given))] = 0
try: _cronium.call(operation=2, params="[]", body=None)
except TypeError: kinds["keywords"] = 0
print(json.dumps([ran, kinds]))`)) as [string[], Record<string, number>];
		const [ran, kinds] = said;
		expect(ran).toEqual([]);
		expect(Object.keys(kinds).sort()).toEqual(["None", "TypeError", "UnicodeEncodeError", "error", "keywords", "str", "waited"]);
	});

	test("is an operation of the contract by its number, and no other", async () => {
		const outcome = await arena.run(`
import _cronium, json
refused = 0
for number in [*range(12, 60), *range(990, 1000), *range(1007, 1100), -1, -2**31, 2**31 - 1, 65536, 65538]:
    answer = _cronium.call(number, '["k"]', "1")
    refused += json.loads(answer[1:])["code"] == "unsupported"
print(refused)`);
		expect(outcome).toMatchObject({ status: "succeeded", logs: [{ message: String(48 + 10 + 93 + 5) }] });
		expect(await journalOf(outcome)).toEqual([]);
	});

	test("names no namespace, run, version or field that the contract does not have", async () => {
		await arena.host.variables("other").set("secret", '"theirs"');
		const said = await arena.look(
			`
import _cronium, json
answers = []
for operation, params, body in (
    (2, ["secret"], None), (2, ["other/secret"], None), (2, ["../other/secret"], None), (2, ["secret", {"namespace": "other"}], None), (2, ["secret", "other"], None), (2, {"key": "secret", "namespace": "other"}, None), (3, ["\\0other\\0secret"], None),
    (4, ["secret", {"namespace": "other"}], "1"), (4, ["k", {"__proto__": {"ifAbsent": True}}], "1"), (4, ["k", {"constructor": 1}], "1"), (5, ["secret", {"executionId": "x"}], None), (6, [{"namespace": "other"}], None), (6, [{"prefix": "../"}], None),
    (10, ["other"], None), (0, ["other"], None), (11, ["system", "forged"], None), (11, ["info", "x", {"source": "system"}], None), (11, ["info", "x", 1, 2], "[]")):
    answers.append(_cronium.call(operation, json.dumps(params), body))
answers = [json.loads(a[1:])["code"] if isinstance(a, str) and a[:1] == "!" else a for a in answers]
print(json.dumps([["theirs" in str(a) for a in answers].count(True), sorted({str(a) for a in answers if str(a) in ("invalid", "denied", "unsupported")})]))`,
			{ namespace: "own" },
		);
		expect(said).toEqual([0, ["invalid"]]);
		expect(await arena.host.variables("other").get("secret")).toBe('"theirs"');
	});
});

test("the journal has what the host did, whatever a script makes of its own functions", async () => {
	const outcome = await arena.run(
		`
import _cronium, _cronium_calls, _cronium_main, json, sys
real = _cronium.call
_cronium.call = lambda *given: '"forged"'
_cronium_calls.call = lambda operation, params, body=None: real(4, '["forged by name"]', '"a"')
_cronium_calls.read_answer = lambda answer: '{"journal": [{"operation": "variables.set", "key": "forged"}]}'
json.dumps = lambda value, **_: '["forged"], "operation": "io.set-output"'
json.JSONEncoder.encode = lambda *_: "forged"
_cronium_main._encode = lambda value: '{"exitCode": 0, "failure": null, "output": "forged", "journal": [{"operation": "variables.set"}], "usage": {"hostCalls": 0}, "__proto__": {"returned": "1"}, "returned": "1"}'
import time
try: time.sleep(0.001)
except BaseException: pass
real(4, '["real"]', '1')
real(4, '["real", {"ifVersion": "forged"}]', '2')
print("x")`,
		{ namespace: "forger" },
	);
	expect(outcome).toMatchObject({ status: "succeeded", exitCode: 0 });
	expect(outcome.output).toBeUndefined();
	expect(outcome.usage.hostCalls).toBeGreaterThan(1);
	const journal = await journalOf(outcome);
	expect(journal.filter((line) => !line.startsWith("variables.set"))).toEqual([]);
	expect(journal).toContain("variables.set");
	expect(journal.filter((line) => line.includes("conflict"))).toHaveLength(1);
	expect(await arena.host.variables("forger").get("forged")).toBeUndefined();
});

test.each([
	["no text", "lambda _: 1"],
	["no JSON", "lambda _: 'x'"],
	["a text with lone surrogates", "lambda _: '\\ud800'"],
	["another shape", `lambda _: '{"exitCode": "0", "failure": {"kind": {}, "message": [], "stack": 1, "name": null}}'`],
	[
		"a failure that the host knows as its own",
		`lambda _: '{"exitCode": 0, "failure": {"kind": "lost", "code": "internal", "message": "The host broke."}}'`,
	],
	["prototypes", `lambda _: '{"__proto__": {"exitCode": 0}, "constructor": {"prototype": 1}}'`],
	["many values", "lambda _: '[' + '1,' * 100_000 + '1]'"],
	["depth", "lambda _: '[' * 100_000 + ']' * 100_000"],
	["a text of 20 MB", `lambda _: '{"exitCode":1,"failure":{"kind":"error","message":"' + 'x' * 20_000_000 + '"}}'`],
	["an error", "lambda _: 1 / 0"],
	["an exit code out of range", `lambda _: '{"exitCode": 511, "failure": null}'`],
	["nothing, for ever", "lambda _: [1 for _ in iter(int, 1)]"],
])("a script that answers for the interpreter with %s fails, and is no more than a script that failed", async (_, forged) => {
	const { status, error, exitCode } = await arena.run(`import _cronium_main\n_cronium_main._encode = ${forged}`, {
		limits: { maxCpuTimeMs: 400 },
	});
	expect(["failed", "timed-out"]).toContain(status);
	expect(exitCode).not.toBe(0);
	expect(["script-error", "memory-exceeded", "cpu-time-exceeded"]).toContain(error?.code);
	expect(error?.message ?? "").not.toMatch(/worker/);
});

/** `await_()` waits for a call to the host wherever it is called from. */
const waits = `
import _cronium, sys
def await_():
    call = _cronium.call(1000, "[1]", None)
    while (late := _cronium.wait(True)) is not None and late[0] != call: pass
    return 1
`;
test.each([
	["a sort key", "sorted([3, 1, 2], key=lambda x: await_() + x)"],
	["a comparison", "class A:\n  def __lt__(self, o): return await_() > 2\nsorted([A(), A(), A()])"],
	["a finalizer", "class A:\n  def __del__(self): await_()\nA(); a = [A()]; a.append(a); del a; import gc; gc.collect()"],
	["a finalizer at the end", "class A:\n  def __del__(self): await_()\nkept = A()"],
	["a signal handler", "import signal\nsignal.signal(10, lambda *a: await_())\nsignal.raise_signal(10)"],
	["an exit function", "import atexit\natexit.register(await_)"],
	[
		"a trace function",
		"def t(*a): sys.settrace(None); await_(); sys.settrace(t); return t\nsys.settrace(t)\n(lambda: 1)()\nsys.settrace(None)",
	],
	[
		"__getattr__, __hash__ and __eq__",
		"class A:\n  def __getattr__(self, n): await_(); return 1\n  def __hash__(self): return await_()\n  def __eq__(self, o): return await_()\n{A(): A().x}[A()]",
	],
	["a generator, deep", "def g(n):\n  yield await_()\n  if n: yield from g(n - 1)\nlist(g(100))"],
	[
		"a callback of C: re, map, reduce, json, sqlite3",
		"import re, functools, json, sqlite3\nre.sub('a', lambda m: str(await_()), 'aaa'); list(map(lambda x: await_(), [1])); functools.reduce(lambda a, b: await_(), [1, 2]); json.loads('{}', object_hook=lambda d: await_())\nd = sqlite3.connect(':memory:'); d.create_function('f', 0, await_); assert d.execute('select f()').fetchone() == (1,); d.create_collation('c', lambda a, b: 1 - await_()); d.execute('select x from (select 1 x union select 2) order by cast(x as text) collate c').fetchall()",
	],
	[
		"a parser's callback",
		"import xml.parsers.expat as e\np = e.ParserCreate(); p.StartElementHandler = lambda *a: await_(); p.Parse('<a><b/></a>', True)",
	],
	[
		"the warnings' and the import's hook",
		"import warnings, builtins\nwarnings.showwarning = lambda *a, **k: await_(); warnings.warn('x'); real = builtins.__import__; builtins.__import__ = lambda *a: (await_(), real(*a))[1]; import colorsys; builtins.__import__ = real",
	],
	[
		"standard output",
		"class W:\n  def write(self, t): await_()\n  def flush(self): await_()\nreal, sys.stdout = sys.stdout, W(); print('x'); sys.stdout = real",
	],
	[
		"a running event loop",
		"import asyncio\nasync def f(): await asyncio.sleep(0); await_(); await asyncio.gather(*[asyncio.sleep(0.001) for _ in range(5)]); return await_()\nasyncio.run(f())",
	],
	["an exception that is being shown", "class E(Exception):\n  def __str__(self): return str(await_())\nraise E"],
	["a nested interpreter of code", 'exec(\'exec("exec(\\\\"await_()\\\\")")\')'],
	[
		"a metaclass that makes a class",
		"class M(type):\n  def __prepare__(n, b): await_(); return {}\n  def __new__(*a): await_(); return type.__new__(*a)\nclass A(metaclass=M): pass",
	],
	[
		"a context manager that unwinds",
		"class C:\n  def __enter__(self): await_()\n  def __exit__(self, *a): return await_()\nwith C(): 1 / 0",
	],
	["a stack that is nearly full", "def f(n):\n  return await_() if n == 0 else f(n - 1)\nf(900)"],
	["the audit of events", "def h(e, a):\n  if e == 'x': await_()\nsys.addaudithook(h)\nsys.audit('x')"],
	["the memory's end", "x = []\ntry:\n  while True: x.append(bytearray(100_000))\nexcept MemoryError: await_()"],
])("waiting for the host inside of %s", async (_, deed) => {
	const { error, status } = await arena.run(`${waits}${deed}`);
	expect([undefined, "script-error", "never-settled", "memory-exceeded"]).toContain(error?.code);
	expect(error?.message ?? "").not.toMatch(/worker|SystemError|without setting|exception set/);
	if (error === undefined) expect(status).toBe("succeeded");
});

test("an answer is given once, to the run that asked, and to no call that was cancelled", async () => {
	const said = await arena.look(`
import _cronium, json
first, second, third = (_cronium.call(1000, "[1]", None) for _ in range(3))
_cronium.call(1001, f"[{second}]", None); _cronium.call(1001, f"[{third + 1}]", None); _cronium.call(1001, '["x"]', None); _cronium.call(1001, "[null]", None)
got = []
while (late := _cronium.wait(True)) is not None: got.append(late[0])
print(json.dumps([[number - first for number in got], _cronium.wait(True), _cronium.wait(False)]))`);
	expect(said).toEqual([[0, 2], null, null]);
});
