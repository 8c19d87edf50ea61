import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createHost } from "../../host/index.ts";
import { json } from "../conformance/conformance-case.ts";
import { forEverySdk } from "./every-sdk.ts";

// What the stub answers is a matter of the conformance suite; here is where it takes it from.

const states = mkdtempSync(join(tmpdir(), "cronium-states-"));
afterAll(() => rmSync(states, { recursive: true, force: true }));

forEverySdk(({ sdk, enter, call, directory }) => {
	const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
	beforeEach(() => {
		for (const name of [".env", "cronium.local.json", "other.json", "fixture.json"])
			rmSync(join(directory, name), { force: true });
	});
	const fixture = (members: object): string =>
		JSON.stringify({
			cronium: "fixture",
			format: 1,
			recordedAt: "2026-01-01T00:00:00.000Z",
			event: {},
			variables: {},
			...members,
		});

	test("the later source is the stronger one", async () => {
		write(
			"fixture.json",
			fixture({ input: "fixture", event: { name: "fixture" }, condition: false, variables: { a: "fixture", b: "fixture" } }),
		);
		await enter({ CRONIUM_STUB_FIXTURE: "fixture.json" });
		expect(await call("getInput")).toBe("fixture");
		expect(await call("getCondition")).toBe(false);

		write("cronium.local.json", JSON.stringify({ input: "local", variables: { b: "local", c: "local" }, condition: true }));
		await enter({ CRONIUM_STUB_FIXTURE: "fixture.json" });
		expect(await call("getInput")).toBe("local");
		expect(await call("getCondition")).toBe(true);
		expect(await call("getEventContext")).toMatchObject({
			name: "fixture",
			execution: { id: "stub", namespace: "stub", mode: "external" },
		});
		for (const [key, from] of Object.entries({ a: "fixture", b: "local", c: "local" }))
			expect(await call("getVariable", key)).toBe(from);

		write(".env", 'CRONIUM_STUB_INPUT=\'"dot env"\'\nCRONIUM_STUB_VARIABLES={"c":"dot env"}\n');
		await enter({});
		expect(await call("getInput")).toBe("dot env");
		expect(await call("getVariable", "c")).toBe("dot env");
		expect(await call("getVariable", "b")).toBe("local");

		await enter({ CRONIUM_STUB_INPUT: '"environment"', CRONIUM_STUB_CONDITION: "false" });
		expect(await call("getInput")).toBe("environment");
		expect(await call("getCondition")).toBe(false);
	});

	test("reads .env as it is usually written, and only what is the stub's", async () => {
		write(
			".env",
			[
				"# a comment",
				"",
				"PATH=/nowhere",
				"CRONIUM_EXECUTION_TOKEN=not-mine",
				'export CRONIUM_STUB_EVENT = \'{"name":"it is # quoted"}\'   # and this is not',
				'CRONIUM_STUB_INPUT="{\\"a\\": [1, 2]}"',
				"CRONIUM_STUB_CONDITION=true # set",
			].join("\r\n"),
		);
		await enter({});
		expect(await call("getInput")).toEqual({ a: [1, 2] });
		expect(await call("getCondition")).toBe(true);
		expect(await call("getEventContext")).toMatchObject({ name: "it is # quoted" });
	});

	test("a value may be a file, and the local file may have another name", async () => {
		write("other.json", '{"input": [0]}');
		await enter({ CRONIUM_STUB_FILE: "other.json", CRONIUM_STUB_VARIABLES: "@other.json" });
		expect(await call("getInput")).toEqual([0]);
		expect(await call("getVariable", "input")).toEqual([0]);
	});

	test.each([
		[{ CRONIUM_STUB_INPUT: "{" }, "CRONIUM_STUB_INPUT"],
		[{ CRONIUM_STUB_INPUT: "@none.json" }, "none.json"],
		[{ CRONIUM_STUB_VARIABLES: "[]" }, "CRONIUM_STUB_VARIABLES"],
		[{ CRONIUM_STUB_EVENT: "1" }, "CRONIUM_STUB_EVENT"],
		[{ CRONIUM_STUB_CONDITION: "1" }, "CRONIUM_STUB_CONDITION"],
		[{ CRONIUM_STUB_FILE: "none.json" }, "none.json"],
		[{ CRONIUM_STUB_FIXTURE: "other.json" }, "is not a fixture of format 1"],
		[{ CRONIUM_STUB_STATE: "other.json" }, "is not a state of format 1"],
		[{ CRONIUM_STUB_VARIABLES: '{"a\\u0001":1}' }, "control character"],
	])("names what is malformed: %j", async (environment, message) => {
		write("other.json", '{"input":1}');
		await enter(environment);
		await expect(call("getInput")).rejects.toMatchObject({ code: "invalid", message: expect.stringContaining(message) });
	});

	test("names the line of .env and the local file that are malformed", async () => {
		write(".env", "A=1\nCRONIUM_STUB_INPUT='1\n");
		await enter({});
		await expect(call("getInput")).rejects.toMatchObject({ code: "invalid", message: expect.stringMatching(/\.env, line 2/) });
		rmSync(join(directory, ".env"));
		write("cronium.local.json", "[1,");
		await enter({});
		await expect(call("getInput")).rejects.toMatchObject({
			code: "invalid",
			message: expect.stringContaining("cronium.local.json"),
		});
	});

	test("keeps variables in a file of this user, which the other languages read", async () => {
		const file = join(states, "shared.json");
		const isFirst = !existsSync(file);
		await enter({ CRONIUM_STUB_STATE: file, CRONIUM_STUB_VARIABLES: '{"given":1}' });
		const before = ((await call("getVariable", "count")) ?? 0) as number;
		expect(before > 0).toBe(!isFirst);
		if (!isFirst)
			expect(await call("getVariable", 'odd "key"/ü')).toMatchObject({ by: expect.any(String), value: [0, null, "ä\n"] });
		expect(await call("incrementVariable", "count")).toBe(before + 1);
		await call("setVariable", 'odd "key"/ü', json(JSON.stringify({ by: sdk, value: [0, null, "ä\n"] })));
		expect(await call("getVariable", "given")).toBe(1);
		expect(statSync(file).mode & 0o777).toBe(0o600);
		await enter({ CRONIUM_STUB_STATE: file });
		expect(await call("getVariable", "count")).toBe(before + 1);
		expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ cronium: "stub-state", format: 1 });
	});

	test("a state that cannot be written is an error", async () => {
		await enter({ CRONIUM_STUB_STATE: "/proc/cronium/state.json" });
		await expect(call("setVariable", "a", json("1"))).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("CRONIUM_STUB_STATE"),
		});
	});

	test("replays what a real run has found", async () => {
		await using host = await createHost({ limits: { maxWorkers: 1 } });
		const { executionId } = await host.run({
			script: {
				name: "recorded.js",
				source:
					'import { getInput, getVariable, setVariable } from "cronium"; export default async () => { await getInput(); await getVariable("rate"); await setVariable("rate", 2) }',
			},
			input: '{"orders":[1,2]}',
			variables: { rate: "1.5" },
			event: { name: "nightly" },
		});
		write("fixture.json", await host.executions.fixture(executionId));
		await enter({ CRONIUM_STUB_FIXTURE: "fixture.json" });
		expect(await call("getInput")).toEqual({ orders: [1, 2] });
		expect(await call("getVariable", "rate")).toBe(1.5);
		expect(await call("getEventContext")).toMatchObject({ name: "nightly" });
	});
});

describe.each([
	[
		"JavaScript",
		[process.execPath, "--input-type=module", "-e"],
		'import { log, setOutput, setVariable } from "cronium"; await log.info("\\u001b[31mred\\u202e"); await setVariable("a\\u202e", 1); await setOutput("\\u0000")',
	],
	[
		"Python",
		["python3", "-B", "-c"],
		'import cronium; cronium.log.info("\\u001b[31mred\\u202e"); cronium.set_variable("a\\u202e", 1); cronium.set_output("\\u0000")',
	],
	[
		"Bash",
		["bash", "--norc", "-c"],
		"source cronium.sh; cronium_log_info $'\\e[31mred\\u202e'; cronium_set_variable $'a\\u202e' 1; cronium_set_output '\"\\u0000\"'",
	],
] as const)("%s", (language, [program, ...words], source) => {
	test("what it prints cannot drive a terminal", () => {
		const sdks = join(import.meta.dirname, "../../guest-sdks");
		const directory = mkdtempSync(join(tmpdir(), "cronium-stub-"));
		const file = join(directory, "stderr");
		try {
			const text =
				language === "JavaScript" ? source.replace('"cronium"', JSON.stringify(join(sdks, "js/src/index.ts"))) : source;
			execFileSync("sh", ["-c", 'exec "$@" 2>stderr >stdout', "sh", program, ...words, text], {
				cwd: directory,
				env: {
					PATH: `${join(sdks, "bash")}:${process.env.PATH}`,
					PYTHONPATH: join(sdks, "python"),
					LC_ALL: "C.UTF-8",
					PYTHONUTF8: "1",
				},
			});
			expect(readFileSync(file, "utf8").split("\n")).toEqual([
				"cronium: no connection is configured; this is the stub (nothing leaves this process)",
				"cronium: info \\u001b[31mred\\u202e",
				'cronium: variable "a\\u202e" = 1',
				'cronium: output "\\u0000"',
				"",
			]);
		} finally {
			rmSync(directory, { recursive: true, force: true });
		}
	});
});
