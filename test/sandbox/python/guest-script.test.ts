import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageTimeoutMs } from "../../python-image.ts";
import type { ScriptRunner } from "../engines/script-runner.ts";
import { createPythonRunner, printedBy, runPython, textFile } from "./python-runner.ts";
import { storedZip } from "./stored-zip.ts";

let runner: ScriptRunner;
beforeAll(async () => {
	runner = await createPythonRunner();
}, imageTimeoutMs);
afterAll(() => runner[Symbol.dispose]());

describe("a script", () => {
	test("is __main__, with its arguments, in its own directory", async () => {
		const source = `
			import os, sys
			print(__name__, __file__, sys.argv, os.getcwd(), sys.path[0])
			print(sys.modules["__main__"].__dict__ is globals(), __builtins__, __annotations__ if "__annotations__" in globals() else None)`;
		expect(await printedBy(runner, source, { name: "app/orders.py", arguments: ["--since", "", "ä"] })).toEqual([
			"__main__ /script/app/orders.py ['app/orders.py', '--since', '', 'ä'] /script/app /script/app",
			"True <module 'builtins' (built-in)> None",
		]);
	});

	test("imports modules, packages and wheels that are given with it, and reads its files", async () => {
		const wheel = storedZip({
			"prices/__init__.py": "from .tables import VAT",
			"prices/tables.py": "VAT = 19",
			"prices-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: prices\nVersion: 1.2\n",
		});
		const files = [
			textFile("rates.py", "EUR = 1"),
			textFile("shop/__init__.py", ""),
			textFile("shop/cart.py", "from rates import EUR\ntotal = EUR + 1"),
			textFile("rows.csv", "a,b\n"),
			{ path: "prices-1.2-py3-none-any.whl", content: wheel },
			{ path: "wheels/LOUD-1-py3-none-any.WHL", content: storedZip({ "loud.py": "def fail(): raise ValueError('loud')" }) },
		];
		const source = `
			import importlib.metadata
			from shop.cart import total
			import prices
			print(total, prices.VAT, importlib.metadata.version("prices"), open("rows.csv").read().strip())`;
		expect(await printedBy(runner, source, { files })).toEqual(["2 19 1.2 a,b"]);
		// The frames of wheels are not the author's, whatever their names' case is.
		const { failure } = await runPython(runner, "import loud\nloud.fail()", { files });
		expect(failure).toMatchObject({ name: "ValueError", message: "loud" });
		expect(failure?.stack).toMatch(/^ *File "orders\.py", line 2, in <module>\n/);
		expect(failure?.stack).not.toContain("loud.py");
	});

	test("finds its own modules before those of the standard library, but not itself", async () => {
		const files = [
			textFile("secrets.py", "KEY = 'own'"),
			textFile("statistics/__init__.py", "from .parts import mean"),
			textFile("statistics/parts.py", "mean = 'own'"),
		];
		const source = `
			import secrets, statistics, random
			from json import dumps
			print(secrets.KEY, statistics.mean, random.random() < 1, dumps([1]))`;
		expect(await printedBy(runner, source, { name: "random.py", files })).toEqual(["own own True [1]"]);
		expect(await printedBy(runner, "import secrets; print(len(secrets.token_hex(4)))")).toEqual(["8"]);
	});

	test("has random numbers and hashes of its own in each run, and nothing of the run before", async () => {
		const source = `
			import builtins, os, random, sys, tempfile, uuid
			print(random.random(), uuid.uuid4(), uuid.uuid1(), tempfile.mktemp())
			print(hasattr(builtins, "left"), os.listdir("/tmp"), os.environ.get("LEFT"), "left" in sys.modules, os.umask(0o22))
			builtins.left = 1
			os.environ["LEFT"] = "1"
			sys.modules["left"] = sys
			os.umask(0)
			os.chdir("/tmp")
			open("/tmp/left", "w").write("x")`;
		const [first, second] = [await printedBy(runner, source), await printedBy(runner, source)];
		const apart = (lines: string[]): string[] => (lines[0] as string).split(" ");
		for (const [index, value] of apart(first).entries()) expect(value).not.toBe(apart(second)[index]);
		expect(second[1]).toBe("False [] None False 18");
	});

	test("ends as Python does: exit functions, finalizers, then what is left in buffers", async () => {
		const source = `
			import atexit, sys
			class Held:
				def __del__(self): print("finalized")
			held = Held()
			atexit.register(print, "at exit")
			print("no line end", end="")
			def values():
				try: yield 1
				finally: print("closed")
			open_values = values()
			next(open_values)`;
		expect(await printedBy(runner, source)).toEqual(["no line endat exit", "finalized", "closed"]);
	});

	test.each([
		["pass", 0],
		["import sys; sys.exit()", 0],
		["exit(3)", 3],
		["raise SystemExit(True)", 1],
		["raise SystemExit(-1)", 255],
		["import sys; sys.exit(512 + 7)", 7],
		["import sys; sys.exit('no orders')", 1],
		["import os; os._exit(9)", 9],
		["raise KeyboardInterrupt", 130],
		["import atexit, sys; atexit.register(sys.exit, 5)", 0],
		["import sys; sys.excepthook = lambda *_: sys.exit(4); 1/0", 1],
	])("that says %j ends with exit code %i", async (source, exitCode) => {
		const result = await runPython(runner, source);
		expect(result.exitCode).toBe(exitCode);
		expect(result.failure === undefined).toBe(exitCode === 0);
		expect(runner.errors.includes("no orders")).toBe(source.includes("no orders"));
	});
});

describe("a failure", () => {
	test("has the frames of the script's own files, with their lines, and what it was caused by", async () => {
		const files = [
			textFile("lib/rates.py", "import json\ndef load(text):\n    return json.loads(text)\n"),
			textFile("lib/__init__.py", ""),
		];
		const source = `
			from lib.rates import load

			def main():
			    try:
			        load("{")
			    except ValueError as error:
			        raise KeyError("EUR") from error

			main()`;
		const { failure } = await runPython(runner, source, { files });
		expect(failure).toEqual({
			code: "script-error",
			name: "KeyError",
			message: "'EUR'",
			stack: [
				'  File "orders.py", line 9, in <module>',
				"    main()",
				"    ~~~~^^",
				'  File "orders.py", line 7, in main',
				'    raise KeyError("EUR") from error',
				"caused by json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
				'  File "orders.py", line 5, in main',
				'    load("{")',
				"    ~~~~^^^^^",
				'  File "lib/rates.py", line 3, in load',
				"    return json.loads(text)",
				"           ~~~~~~~~~~^^^^^^",
			].join("\n"),
		});
	});

	test.each([
		["raise ValueError('one\\ntwo')", { code: "script-error", name: "ValueError", message: "one\ntwo" }],
		["assert 1 == 2", { code: "script-error", name: "AssertionError", message: "AssertionError" }],
		["class Bad(Exception): pass\nraise Bad('x')", { code: "script-error", name: "Bad", message: "x" }],
		[
			"import json\njsn",
			{ code: "script-error", name: "NameError", message: "name 'jsn' is not defined. Did you mean: 'json'?" },
		],
		[
			"error = ValueError('x'); error.add_note('see y'); raise error",
			{ code: "script-error", name: "ValueError", message: "x\nsee y" },
		],
		["x = 1\nif x\n  y = 2", { code: "syntax-error", name: "SyntaxError", message: "orders.py:2:5: expected ':'" }],
		[
			"if 1:\n  a\n b",
			{
				code: "syntax-error",
				name: "IndentationError",
				message: "orders.py:3:3: unindent does not match any outer indentation level",
			},
		],
		[
			"x = '\0'",
			{ code: "syntax-error", name: "SyntaxError", message: "orders.py: source code string cannot contain null bytes" },
		],
		["eval('1 +')", { code: "script-error", name: "SyntaxError", message: "invalid syntax" }],
		["import broken", { code: "syntax-error", name: "SyntaxError", message: "broken.py:1:5: invalid syntax" }],
		["def f(): f()\nf()", { code: "stack-exceeded" }],
		["x = []\nwhile True: x.append(bytearray(1_000_000))", { code: "memory-exceeded" }],
		["x = 'x' * 1_000_000_000", { code: "memory-exceeded" }],
	])("of %j is said by its kind", async (source, failure) => {
		const result = await runPython(runner, source, { files: [textFile("broken.py", "a = = 1")] });
		expect(result.failure).toMatchObject(failure);
	});

	test("of a missing module says what to do about it", async () => {
		const messageOf = async (name: string): Promise<string | undefined> => {
			const { failure } = await runPython(runner, `import ${name}`);
			expect(failure).toMatchObject({ code: "import-error", name: "ModuleNotFoundError" });
			return failure?.message;
		};
		expect(await messageOf("numpy.linalg")).toMatch(
			/^No module named 'numpy'\. .*--with gives .*; .*container mode \(--in container\)\.$/,
		);
		expect(await messageOf("requests")).toMatch(/^The module requests .* urllib\.request .*--allow-host\. Container mode/);
		expect(await messageOf("ctypes.util")).toMatch(
			/^The module ctypes is not in the sandbox; container mode \(--in container\) has it\.$/,
		);
		expect(await messageOf("js")).toMatch(
			/^The module js is Pyodide's way to JavaScript.* urllib3 .*container mode \(--in container\)/,
		);
	});

	test("is described whatever its methods do, and within bounds", async () => {
		const { failure: odd } = await runPython(
			runner,
			`
			class Odd(Exception):
			    def __str__(self): raise KeyError
			    __cause__ = property(lambda self: 1 / 0)
			raise Odd`,
		);
		expect(odd).toMatchObject({ code: "script-error", name: "Odd" });
		const { failure: long } = await runPython(
			runner,
			`
			error = None
			for index in range(1000):
			    try: raise ValueError("x" * 10_000) from error
			    except ValueError as raised: error = raised
			raise ExceptionGroup("\\ud800", [error] * 100)`,
		);
		expect(long).toMatchObject({ name: "ExceptionGroup", message: "\ufffd (100 sub-exceptions)" });
		expect(long?.stack?.length).toBeLessThanOrEqual(16 * 1024);
	});

	test("is told when the script has replaced what tells it", async () => {
		for (const source of [
			"import builtins; builtins.isinstance = builtins.len = None; 1/0",
			"import json, traceback; json.JSONEncoder.encode = json.dumps = None; traceback.StackSummary = None; 1/0",
			"import sys\nfor name in list(sys.modules): sys.modules[name].__dict__.clear()",
			"import sys; sys.settrace(lambda *_: 1/0); sys.setrecursionlimit(60); (lambda: 1)()",
			"import sys; sys.stdout = sys.stderr = None; 1/0",
		]) {
			const { failure, exitCode } = await runPython(runner, source);
			expect({ code: failure?.code, exitCode }).toEqual({ code: "script-error", exitCode: 1 });
			expect(await printedBy(runner, "print(1)")).toEqual(["1"]);
		}
	});
});
