import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { imageTimeoutMs } from "../../python-image.ts";
import type { ScriptRunner } from "../engines/script-runner.ts";
import { createPythonRunner, printedBy, runPython } from "./python-runner.ts";

let runner: ScriptRunner;
beforeAll(async () => {
	runner = await createPythonRunner();
}, imageTimeoutMs);
afterAll(() => runner[Symbol.dispose]());

const logged = (): unknown[] => runner.logs.map(({ level, message, fields }) => [level, message, ...(fields ? [fields] : [])]);

describe("standard streams", () => {
	test("print any text, each to its own", async () => {
		await runPython(
			runner,
			`
			import sys
			print("ä\\N{GRINNING FACE}", "\\ud800")
			print("wrong", file=sys.stderr)
			sys.stdout.buffer.write(b"bytes\\n")
			print("last", end="")`,
		);
		expect(runner.printed).toBe("ä😀 \\ud800\nwrong\nbytes\nlast");
		expect(runner.errors).toBe("wrong\n");
	});

	test.each([
		['"one\\ntwo\\n"', "['one', 'two'] ''"],
		['{"total": 7}', "['{\"total\": 7}', None] ''"],
		['"null"', "['null', None] ''"],
		['""', "[None, None] ''"],
		["null", "[None, None] ''"],
		[undefined, "[None, None] ''"],
		[`"first\\nsecond\\n${"ü".repeat(20_000)}"`, `['first', 'second'] '${"ü".repeat(20_000)}'`],
	])("read the input %s as text", async (input, expected) => {
		const source = `
			import sys
			def line():
			    try: return input()
			    except EOFError: return None
			print([line(), line()], repr(sys.stdin.read()))`;
		expect(await printedBy(runner, source, input === undefined ? {} : { input })).toEqual([expected]);
	});

	test("are no terminals, and nothing is printed in colours", async () => {
		const source = `
			import argparse, os, sys, traceback
			print([os.isatty(fd) for fd in range(3)], sys.stdin.isatty(), sys.stdout.isatty(), sys.stderr.isatty(), open("/dev/null").isatty())
			argparse.ArgumentParser(prog="x").print_help()
			try: 1 / 0
			except ZeroDivisionError: traceback.print_exc()`;
		await runPython(runner, source);
		expect(runner.printed).toMatch(/^\[False, False, False\] False False False False\nusage: x/);
		expect(runner.errors).toContain("ZeroDivisionError: division by zero\n");
		expect(runner.printed).not.toContain("\x1b");
	});

	test("ask for the input when it is read, and not before", async () => {
		const withoutReading = await runPython(runner, "import sys; print(sys.stdin.isatty())", { input: "1" });
		expect(withoutReading.usage.hostCalls).toBe(0);
		const reading = await runPython(runner, "import sys; print(sys.stdin.read(), sys.stdin.read())", { input: "1" });
		expect(reading.usage.hostCalls).toBe(1);
	});

	test("say why the input cannot be read", async () => {
		const { failure } = await runPython(runner, "input()", { scopes: ["log:write"] });
		expect(failure).toMatchObject({
			name: "PermissionError",
			message: "io.get-input needs the scope input:read, which this run does not have.",
		});
	});
});

describe("logging", () => {
	test("goes to the log of the run, with levels, loggers and tracebacks; from warnings on when nothing is said", async () => {
		await runPython(
			runner,
			`
			import logging
			logger = logging.getLogger("orders.import")
			logger.info("not shown")
			logger.warning("%d rows", 3)
			try: 1 / 0
			except ZeroDivisionError: logger.exception("failed")
			logging.critical("end")`,
		);
		const traceback =
			'Traceback (most recent call last):\n  File "/script/orders.py", line 5, in <module>\n    try: 1 / 0\n         ~~^~~\nZeroDivisionError: division by zero';
		expect(logged()).toEqual([
			["warn", "3 rows", '{"logger":"orders.import"}'],
			["error", `failed\n${traceback}`, '{"logger":"orders.import"}'],
			["error", "end"],
		]);
		expect(runner.printed).toBe("");
	});

	test.each([
		[
			"level=logging.DEBUG",
			[
				["debug", "d"],
				["info", "i"],
				["warn", "w"],
			],
		],
		[
			"level='INFO', format='%(levelname)s|%(name)s|%(message)s'",
			[
				["info", "INFO|root|i"],
				["warn", "WARNING|root|w"],
			],
		],
		["style='{', format='{message}!'", [["warn", "w!"]]],
		["", [["warn", "w"]]],
	])("is configured by basicConfig(%s)", async (given, expected) => {
		await runPython(
			runner,
			`import logging\nlogging.basicConfig(${given})\nlogging.debug("d")\nlogging.info("i")\nlogging.warning("w")`,
		);
		expect(logged()).toEqual(expected);
	});

	test("goes where the script says, when it says it", async () => {
		const source = `
			import logging, sys
			logging.basicConfig(stream=sys.stdout)
			logging.warning("to stdout")
			logging.basicConfig(filename="/tmp/own.log", force=True)
			logging.warning("to a file")
			print(open("/tmp/own.log").read().strip())
			logging.basicConfig(handlers=[logging.NullHandler()], force=True)
			logging.warning("nowhere")`;
		expect(await printedBy(runner, source)).toEqual(["WARNING:root:to stdout", "WARNING:root:to a file"]);
		expect(logged()).toEqual([]);
	});

	test("says where in the script a record is from that cannot be written", async () => {
		await runPython(
			runner,
			'import logging\nlogging.error("%d rows", "no")\nlogging.raiseExceptions = False\nlogging.error("%d", "x")',
		);
		expect(logged()).toEqual([]);
		expect(runner.errors).toBe(
			`--- Logging error ---\nTypeError: %d format: a real number is required, not str\n  File "/script/orders.py", line 2\nMessage: '%d rows'\nArguments: ('no',)\n`,
		);
	});

	test("takes any text and any length", async () => {
		await runPython(runner, "import logging; logging.error('\\ud800' + 'x' * 3_000_000); logging.error('after')");
		expect(logged()).toEqual([
			["error", expect.stringMatching(/^\ufffdx+/)],
			["error", "after"],
		]);
	});

	test("says on standard error what the log does not take", async () => {
		await runPython(runner, "import logging; logging.error('kept')", { scopes: [] });
		expect(logged()).toEqual([]);
		expect(runner.errors).toMatch(/^kept \[not in the log of the run: .*log:write.*\]\n$/);
	});
});
