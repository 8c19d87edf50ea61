import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createHost, type Host, type LogLine } from "../host/index.ts";

const script = (source: string, name = "test.js") => ({ script: { name, source } });

describe("a host", () => {
	let directory: string;
	let host: Host;
	beforeAll(async () => {
		directory = await mkdtemp(join(tmpdir(), "cronium-test-"));
		host = await createHost({ dataDirectory: directory, limits: { maxWorkers: 2 } });
	});
	afterAll(async () => {
		await host.dispose();
		await rm(directory, { recursive: true });
	});

	test("runs a script and answers with its whole outcome", async () => {
		const seen: LogLine[] = [];
		const outcome = await host.run({
			...script(`
				import { getInput, setCondition, setVariable, log } from "cronium";
				console.log("computing");
				await setCondition(true);
				await setVariable("last", await getInput());
				await log.info("done", { rows: 2 });
				export default async ({ numbers }) => numbers.reduce((sum, n) => sum + n, 0);
			`),
			input: '{"numbers":[1,2.5]}',
			onLog: (line) => seen.push(line),
		});
		expect(outcome).toMatchObject({ status: "succeeded", exitCode: 0, output: 3.5, outputText: "3.5", condition: true });
		expect(outcome.error).toBeUndefined();
		expect(outcome.logs.map(({ source, level, message, fields }) => ({ source, level, message, fields }))).toEqual([
			{ source: "stdout", level: "info", message: "computing", fields: undefined },
			{ source: "log", level: "info", message: "done", fields: '{"rows":2}' },
		]);
		expect(seen).toEqual(outcome.logs);
		expect(outcome.usage.hostCalls).toBeGreaterThan(3);
		expect(outcome.usage.memoryBytes).toBeGreaterThan(0);
		expect(await host.variables().get("last")).toBe('{"numbers":[1,2.5]}');
		expect(await host.executions.outcome(outcome.executionId)).toEqual(outcome);
	});

	test("strips the types of TypeScript and keeps its lines", async () => {
		const outcome = await host.run(
			script(
				"interface Order {\n\tid: number;\n}\nconst order: Order = { id: 1 };\nthrow new TypeError('bad ' + order.id);",
				"order.ts",
			),
		);
		expect(outcome).toMatchObject({
			status: "failed",
			exitCode: 1,
			error: { code: "script-error", name: "TypeError", message: "bad 1" },
		});
		expect(outcome.error?.stack).toContain("order.ts:5:");
	});

	test("keeps output and condition of a script that fails afterwards", async () => {
		const outcome = await host.run(
			script('import { setOutput, setCondition } from "cronium"; await setOutput([1]); await setCondition(false); throw "late";'),
		);
		expect(outcome).toMatchObject({
			status: "failed",
			output: [1],
			condition: false,
			error: { code: "script-error", message: expect.stringContaining("late") },
		});
	});

	test.each(["0", "false", '""', "null", "[]", "1152921504606846976", "1.0", '{"__proto__":{"a":1}}'])(
		"gives back %s as it was set",
		async (text) => {
			await host.variables().set("falsy", text);
			expect(await host.variables().get("falsy")).toBe(text);
			const outcome = await host.run({ ...script("export default (input) => input"), input: text });
			expect(JSON.parse(outcome.outputText ?? "missing")).toEqual(JSON.parse(text));
		},
	);

	test("tells an output of null from none", async () => {
		const without = await host.run(script("export default () => {}"));
		expect("output" in without).toBe(false);
		expect(without.outputText).toBeUndefined();
		const withNull = await host.run(script("export default () => null"));
		expect(withNull).toMatchObject({ output: null, outputText: "null" });
	});

	test("writes the variables of a run before it starts, and counts in its own namespace", async () => {
		const source = 'import { getVariable } from "cronium"; export default () => getVariable("rate")';
		const outcome = await host.run({ ...script(source), namespace: "team-a", variables: { rate: "0.5" } });
		expect(outcome.output).toBe(0.5);
		expect((await host.run({ ...script(source), namespace: "team-b" })).output).toBeNull();
		expect(await host.variables("team-a").getEntry("rate")).toMatchObject({ metadata: { updatedBy: "operator" } });
	});

	test("gives the event and the run to the script", async () => {
		const outcome = await host.run({
			...script('import { getEventContext } from "cronium"; export default () => getEventContext()'),
			event: { id: "e1", name: "nightly", server: { id: "s1" } },
			attempt: 2,
		});
		expect(outcome.output).toMatchObject({
			id: "e1",
			name: "nightly",
			server: { id: "s1" },
			execution: { id: outcome.executionId, namespace: "default", mode: "sandbox", attempt: 2 },
		});
	});

	test("denies what the run has no scope for, and names the scope", async () => {
		const outcome = await host.run({
			...script('import { setVariable } from "cronium"; await setVariable("a", 1);'),
			scopes: ["variables:read"],
		});
		expect(outcome).toMatchObject({ status: "failed", error: { name: "RuntimeError", errorCode: "denied" } });
		expect(outcome.error?.message).toContain("variables:write");
	});

	test("ends a run that waits too long as timed out, one that computes too long likewise", async () => {
		const waits = await host.run({
			...script("await new Promise((resolve) => setTimeout(resolve, 60_000))"),
			limits: { maxWallTimeMs: 200 },
		});
		const computes = await host.run({ ...script("for (;;);"), limits: { maxWallTimeMs: 200 } });
		for (const outcome of [waits, computes])
			expect(outcome).toMatchObject({
				status: "timed-out",
				exitCode: 124,
				error: { code: "wall-time-exceeded", limit: { name: "maxWallTimeMs", value: 200, unit: "milliseconds" } },
			});
	});

	test("ends a run that uses too much processor time inside a built-in that polls nothing", async () => {
		const outcome = await host.run({
			...script('"a".repeat(16e6).indexOf("a".repeat(1e6) + "b");'),
			limits: { maxCpuTimeMs: 100, maxWallTimeMs: 20_000, maxMemoryBytes: 128 * 1024 * 1024 },
		});
		expect(outcome).toMatchObject({
			status: "timed-out",
			error: { code: "cpu-time-exceeded", limit: { name: "maxCpuTimeMs", value: 100 } },
		});
		expect(outcome.usage.wallTimeMs).toBeLessThan(15_000);
	});

	test("a run that is terminated late takes no other run with it", async () => {
		const abort = new AbortController();
		await using small = await createHost({ limits: { maxWorkers: 1, cancelGraceMs: 10 } });
		for (let round = 0; round < 5; round++) {
			const busy = small.run({ ...script("for (;;);"), signal: abort.signal });
			const innocent = small.run(script("export default () => 'fine'"));
			await new Promise((resolve) => setTimeout(resolve, 30));
			abort.abort();
			// The main thread is late: the worker's end and its termination become due at the same time.
			setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60));
			expect(await busy).toMatchObject({ status: "cancelled" });
			expect(await innocent).toMatchObject({ status: "succeeded", output: "fine" });
		}
	});

	test("keeps what was acknowledged before a worker was taken from under its script", async () => {
		const outcome = await host.run({
			...script(
				'import { setOutput, setVariable } from "cronium"; await setVariable("before", 1); await setOutput("so far"); "x".repeat(2 ** 24).indexOf("y".repeat(2 ** 20)); for (;;);',
			),
			limits: { maxWallTimeMs: 400, maxMemoryBytes: 128 * 1024 * 1024 },
		});
		expect(outcome).toMatchObject({ status: "timed-out", output: "so far" });
		expect(await host.variables().get("before")).toBe("1");
		expect((await host.run(script("export default () => 'next'"))).output).toBe("next");
	});

	test("refuses options that are wrong before anything has happened", async () => {
		const before = (await host.executions.list()).length;
		await expect(host.run({ ...script(""), input: "{" })).rejects.toMatchObject({ code: "invalid" });
		await expect(host.run({ ...script(""), namespace: "a/b" })).rejects.toMatchObject({ code: "invalid", message: /"a\/b"/ });
		await expect(host.run({ ...script(""), variables: { "..": "1" } })).rejects.toMatchObject({ code: "invalid" });
		await expect(host.run({ ...script(""), limits: { maxWorkers: 3 } })).rejects.toMatchObject({
			code: "invalid",
			message: /maxWorkers/,
		});
		await expect(host.run({ ...script(""), limits: { maxWallTimeMs: 0.5 } })).rejects.toMatchObject({
			code: "invalid",
			message: /0\.5/,
		});
		await expect(host.run({ ...script("1".repeat(2_000)), limits: { maxSourceBytes: 1_000 } })).rejects.toMatchObject({
			code: "too-large",
			details: { limit: { name: "maxSourceBytes", value: 1_000, unit: "bytes" } },
		});
		for (const wrong of [
			{ engine: "nope" },
			{ event: { id: 1 } },
			{ event: { id: "x", size: () => 1 } },
			{ event: "x" },
			{ allowedHosts: ["http://bad host/"] },
			{ allowedHosts: "a.example" },
			{ attempt: -1.5 },
			{ traceparent: "x".repeat(3_000_000) },
			{ scopes: ["everything"] },
			{ script: { name: "a\n.js", source: "" } },
			{ script: { name: "a.js", source: "", language: "cobol" } },
			{ script: { name: "a.js" } },
		])
			await expect(host.run({ ...script(""), ...(wrong as object) })).rejects.toMatchObject({
				name: "RuntimeError",
				code: "invalid",
			});
		await expect(host.run({ ...script(""), event: { description: "x".repeat(2 ** 20) } })).rejects.toMatchObject({
			code: "too-large",
		});
		await expect(createHost({ engine: "nope" as never })).rejects.toMatchObject({ code: "invalid" });
		expect(await host.executions.list()).toHaveLength(before);
	});

	test("lists runs, the newest first, by namespace and status", async () => {
		const first = await host.run({ ...script("", "one.js"), namespace: "listing" });
		const second = await host.run({ ...script("throw 1", "two.js"), namespace: "listing" });
		const ids = async (filter: Parameters<Host["executions"]["list"]>[0]) =>
			(await host.executions.list(filter)).map(({ id }) => id);
		expect(await ids({ namespace: "listing" })).toEqual([second.executionId, first.executionId]);
		expect(await ids({ namespace: "listing", status: "succeeded" })).toEqual([first.executionId]);
		expect(await ids({ namespace: "listing", limit: 1 })).toEqual([second.executionId]);
		await expect(host.executions.journal("no-such-run")).rejects.toMatchObject({ code: "not-found" });
	});

	test("journals every call of a run in order", async () => {
		const outcome = await host.run(
			script(
				'import * as c from "cronium"; await c.setVariable("j", 1); await c.getVariable("j"); await c.setVariable("", 1).catch(() => {}); await c.setCondition(true);',
			),
		);
		const entries = await host.executions.journal(outcome.executionId);
		expect(entries.map(({ sequence, operation }) => `${sequence} ${operation}`)).toEqual([
			"1 variables.set",
			"2 variables.get",
			"3 variables.set",
			"4 condition.set",
		]);
		expect(entries[2]).toMatchObject({ error: { code: "invalid" } });
	});

	test("journals the trace context of the run with every call, and none when it was given none", async () => {
		const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
		const source =
			'import * as c from "cronium"; await c.setVariable("traced", 1); await c.getVariable("traced"); await c.log.info("x");';
		for (const given of [{ traceparent }, {}]) {
			const { executionId } = await host.run({ ...script(source), ...given });
			const entries = await host.executions.journal(executionId);
			expect(entries.map((entry) => entry.traceparent)).toEqual(Array(3).fill(given.traceparent));
			expect((await host.executions.get(executionId))?.traceparent).toBe(given.traceparent);
		}
	});

	test("keeps everything for the next host on the same directory", async () => {
		const outcome = await host.run(
			script(
				'import { setVariable } from "cronium"; await setVariable("kept", "yes"); console.log("line"); export default () => 1',
			),
		);
		await using second = await createHost({ dataDirectory: directory, limits: { maxWorkers: 1 } });
		expect(await second.variables().get("kept")).toBe('"yes"');
		expect(await second.executions.outcome(outcome.executionId)).toEqual(outcome);
	});
});

test("a host without a directory leaves nothing behind", async () => {
	const directory = await mkdtemp(join(tmpdir(), "cronium-test-"));
	vi.stubEnv("TMPDIR", directory);
	{
		await using host = await createHost({ limits: { maxWorkers: 1 } });
		expect((await host.run(script("export default () => 1"))).output).toBe(1);
	}
	vi.unstubAllEnvs();
	expect(await readdir(directory)).toEqual([]);
	await rm(directory, { recursive: true });
});

test("a host that is disposed cancels what runs and refuses the rest", async () => {
	const host = await createHost({ limits: { maxWorkers: 1 } });
	const running = host.run(script("await new Promise((resolve) => setTimeout(resolve, 60_000))"));
	const queued = host.run(script("for (;;);"));
	await host.dispose();
	expect(await running).toMatchObject({ status: "cancelled", exitCode: 130 });
	expect(await queued).toMatchObject({ status: "cancelled" });
	await expect(host.run(script(""))).rejects.toMatchObject({ code: "unavailable" });
});
