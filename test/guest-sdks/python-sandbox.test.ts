import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json } from "../../host/contract/generated/types.ts";
import type { Outcome } from "../../host/index.ts";
import { type Door, openDoor } from "../http/door.ts";
import { placePythonImage } from "../python-image.ts";

/*
 * The Python SDK in the sandbox, where its calls are functions of the host. That they do what they do elsewhere is shown by the cases in
 * test/conformance; this is about what only the sandbox has.
 */

let door: Door;
beforeAll(async () => {
	door = await openDoor();
	await placePythonImage(join(door.directory, "data"));
}, 120_000);
afterAll(() => door[Symbol.asyncDispose]());

let runs = 0;
const run = (
	source: string,
	variables: Readonly<Record<string, Json>> = {},
	files: Readonly<Record<string, string>> = {},
): Promise<Outcome> => door.host.run({ script: { name: "orders.py", source }, namespace: `sdk-${runs++}`, variables, files });

async function outputOf(source: string, variables?: Readonly<Record<string, Json>>): Promise<unknown> {
	const { error, output } = await run(source, variables);
	expect(error).toBeUndefined();
	return output;
}

describe("a client", () => {
	test("is one of the run, whatever the environment says", async () => {
		const output = await outputOf(
			`
import asyncio, os
os.environ.update(CRONIUM_API_URL="https://elsewhere.example", CRONIUM_EXECUTION_TOKEN="t", CRONIUM_STUB_INPUT="[1]")
import cronium
from cronium import aio

async def main(found):
    async with aio.AsyncClient() as client:
        found.append(await client.get_variable("a"))
    found.append(await aio.get_variable("a"))
    return found

with cronium.Client() as client:
    found = [client.get_variable("a")]
cronium.set_output(asyncio.run(main([*found, cronium.get_variable("a"), cronium.get_input()])))`,
			{ a: "7" },
		);
		expect(output).toEqual([7, 7, null, 7, 7]);
	});

	test("cannot be connected to anything else", async () => {
		const output = await outputOf(`
import cronium
from cronium import aio
found = []
for create in (cronium.Client, aio.AsyncClient):
    for settings in ({"url": "https://elsewhere.example", "token": "t"}, {"socket": "/tmp/a"}, {"token_file": "", "timeout": 1.0}):
        try:
            create(**settings)
            found.append(None)
        except cronium.RuntimeError as error:
            found.append([error.code, error.message.split(" cannot ")[0]])
cronium.set_output(found)`);
		// What is empty counts as not given, as everywhere.
		const refusals = [["unsupported", "url, token"], ["unsupported", "socket"], null];
		expect(output).toEqual([...refusals, ...refusals]);
	});

	test("that waits for a write lets other coroutines go on", async () => {
		const output = await outputOf(`
import asyncio
from cronium import aio
steps = []

async def write():
    await aio.set_variable("a", 1)
    steps.append("written")

async def other():
    steps.append("other")

async def main():
    await asyncio.gather(write(), other())
    await aio.set_output(steps)

asyncio.run(main())`);
		expect(output).toEqual(["other", "written"]);
	});

	test("that waits inside of a coroutine takes no answer of another one", async () => {
		const output = await outputOf(`
import asyncio, cronium
from cronium import aio

async def write(key):
    return await aio.increment_variable(key, 1)

async def main():
    tasks = [asyncio.create_task(write(f"k{number}")) for number in range(20)]
    await asyncio.sleep(0)
    # Nothing else goes on meanwhile; the answers of the others are there afterwards.
    now = [cronium.increment_variable("now", number) for number in range(5)]
    cronium.set_output([now, sum(await asyncio.gather(*tasks)), aio.log is not cronium.log])

asyncio.run(main())`);
		expect(output).toEqual([[0, 1, 3, 6, 10], 20, true]);
	});

	test("that was cancelled is answered no more, and later ones are", async () => {
		const output = await outputOf(`
import asyncio, cronium
from cronium import aio

async def main():
    tasks = [asyncio.create_task(aio.increment_variable("a")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = sum(isinstance(one, asyncio.CancelledError) for one in done)
    return [cancelled, len([one for one in done if isinstance(one, int)]), await aio.set_variable("b", 1) != "", await aio.get_variable("b")]

cronium.set_output(asyncio.run(main()))`);
		expect(output).toEqual([5, 5, true, 1]);
	});

	test("is not one of a copy of the SDK beside the script", async () => {
		const copy = {
			"cronium/__init__.py": 'raise ImportError("the copy")',
			"cronium/aio.py": "",
			"json.py": "loads = dumps = None",
		};
		const { error, output } = await run("import cronium, json; cronium.set_output([cronium.get_input(), json.loads])", {}, copy);
		expect(error).toBeUndefined();
		expect(output).toEqual([null, null]);
	});
});

/** Calls with arguments that are none, as expressions of Python; \`c\` is the module. */
const wrong = [
	"c.get_variable(None)",
	"c.get_variable(1)",
	'c.get_variable(["a"])',
	'c.get_variable("\\ud800")',
	'c.get_variable("a\\n")',
	"c.get_variable(object())",
	"c.get_variable_entry(b'a')",
	'c.set_variable("a", float("nan"))',
	'c.set_variable("a", float("inf"))',
	'c.set_variable("a", object())',
	'c.set_variable("a", {1, 2})',
	'c.set_variable("a", {(1, 2): 3})',
	'c.set_variable("a", {"a": "\\udfff"})',
	'c.set_variable("a", {1: 1, "1": 2})',
	'c.set_variable("a", nested(129))',
	'c.set_variable("a", nested(1000))',
	'c.set_variable("a", circular())',
	'c.set_variable("a", 1, if_version=1)',
	'c.set_variable("a", 1, if_version="\\ud800")',
	'c.set_variable("a", 1, if_absent="yes")',
	'c.set_variable("a", 1, expires_in_ms="5")',
	'c.set_variable("a", 1, expires_in_ms=float("nan"))',
	'c.set_variable("a", 1, expires_in_ms=True)',
	'c.delete_variable("a", if_version=[])',
	"c.list_variables(prefix=1)",
	"c.list_variables(prefix='\\ud800')",
	'c.list_variables(limit="5")',
	"c.list_variables(limit=1.5)",
	"c.list_variables(limit=True)",
	"c.list_variables(cursor=1)",
	'c.increment_variable("a", "1")',
	'c.increment_variable("a", True)',
	'c.increment_variable("a", float("nan"))',
	'c.increment_variable("a", 10**400)',
	"c.set_condition(None)",
	"c.set_condition(1)",
	'c.set_condition("true")',
	'c.set_output(float("nan"))',
	'c.write_log(None, "a")',
	'c.write_log("info", None)',
	'c.write_log("info", 1)',
	'c.write_log("info", "a", [1])',
];

test("what is wrong with arguments is refused as it is over HTTP and by the stub", async () => {
	const source = `
import sys
import cronium as c

def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value

def circular():
    value = []
    value.append(value)
    return value

def code(call):
    try:
        return repr(call())
    except c.RuntimeError as error:
        return error.code

c.set_output([${wrong.map((call) => `code(lambda: ${call})`).join(", ")}])`;
	const inSandbox = await run(source, { a: "1" });
	expect(inSandbox.error).toBeUndefined();
	const external = await door.startRun({ namespace: "wrong-over-http", variables: { a: "1" } });
	const runElsewhere = (environment: Readonly<Record<string, string>>): Promise<{ readonly stderr: string }> =>
		promisify(execFile)("python3", ["-B", "-c", source], {
			cwd: door.directory,
			env: { PATH: process.env.PATH, PYTHONPATH: join(import.meta.dirname, "../../guest-sdks/python"), ...environment },
		});
	await runElsewhere(external.env);
	const overHttp = await external.end();
	const byCall = (output: unknown): unknown =>
		Object.fromEntries(wrong.map((call, index) => [call, (output as string[])[index]]));
	expect(byCall(inSandbox.output)).toEqual(byCall(wrong.map(() => "invalid")));
	expect(byCall(overHttp.output)).toEqual(byCall(inSandbox.output));
	const { stderr } = await runElsewhere({ CRONIUM_STUB_VARIABLES: '{"a":1}' });
	expect(byCall(JSON.parse(/^cronium: output (.*)$/m.exec(stderr)?.[1] ?? "null"))).toEqual(byCall(inSandbox.output));
}, 60_000);

test("a value that was written by somebody else's JSON is read as it is", async () => {
	const output = await outputOf(
		`
import cronium
code = None
try:
    cronium.get_variable("digits")
except cronium.RuntimeError as error:
    code = error.code
cronium.set_output([cronium.get_variable("spaces"), cronium.get_variable("text"), cronium.get_variable_entry("spaces").value, code])`,
		{ spaces: " \n[1, 2 ] ", text: '"!{"', digits: "9".repeat(5_000) },
	);
	expect(output).toEqual([[1, 2], "!{", [1, 2], "unavailable"]);
});

test("a script that breaks the SDK breaks it for itself alone", async () => {
	const broken = await run(`
import json, cronium, _cronium, _cronium_sdk
from cronium import _calls, _contract, _json, _performer

def broken(*_, **__):
    raise ValueError("broken")

json.loads = json.dumps = _json._encode = _cronium.call = _cronium_sdk.call = _cronium_sdk._scan = broken
cronium.get_variable = cronium.set_output = cronium.Client = _calls.Calls.get_variable = broken
_cronium_sdk._forms.clear()
_performer.enter_sandbox(None)
cronium.get_input()`);
	expect(broken.status).toBe("failed");
	expect(
		await outputOf(`import cronium; cronium.set_output([cronium.get_variable("a"), cronium.Client().get_input()])`, { a: "1" }),
	).toEqual([1, null]);
});

test("calls that the SDK would not make are judged by the host", async () => {
	const output = await outputOf(
		`
import _cronium, cronium
found = []
for operation in (-1, 12, 999, 1007, 2**31 - 1):
    found.append(_cronium.call(operation, "[]", None)[:8])
for params in ("", "[", "{}", "null", "[[]]", '["a"] x', "[" * 1000, '["a",{"unknown":1}]', '["a",{"__proto__":{}}]', '["a","b","c"]'):
    found.append(_cronium.call(5, params, None)[:18])
found.append(_cronium.call(2, "=a", "1")[:18])
cronium.set_output(found)`,
	);
	expect(output).toEqual([...Array(5).fill('!{"code"'), ...Array(11).fill('!{"code":"invalid"')]);
});
