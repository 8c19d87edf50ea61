import { describe, expect, it } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { type CallContext, type Helpers, scopes } from "../../host/contract/generated/types.ts";
import { readJournal } from "../../host/helpers/journal-reader.ts";
import { layout } from "../../host/layout.ts";
import { failureOf, startRun } from "./run.ts";

/** A call of every operation, well-formed. */
const calls: Record<string, (helpers: Helpers, call: CallContext) => unknown> = {
	"io.get-input": ({ io }, call) => io.getInput(call),
	"io.set-output": ({ io }, call) => io.setOutput("1", call),
	"variables.get": ({ variables }, call) => variables.get("key", call),
	"variables.get-entry": ({ variables }, call) => variables.getEntry("key", call),
	"variables.set": ({ variables }, call) => variables.set("key", "1", undefined, call),
	"variables.delete": ({ variables }, call) => variables.delete("key", undefined, call),
	"variables.list": ({ variables }, call) => variables.list(undefined, call),
	"variables.increment": ({ variables }, call) => variables.increment("key", undefined, call),
	"condition.set": ({ condition }, call) => condition.set(true, call),
	"condition.get": ({ condition }, call) => condition.get(call),
	"event.get-context": ({ event }, call) => event.getContext(call),
	"log.write": ({ log }, call) => log.write("info", "text", undefined, call),
};

describe.each(operations.map((operation) => [operation.id, operation] as const))("%s", (id, { scope }) => {
	const attempt = calls[id] as (helpers: Helpers, call: CallContext) => unknown;

	it("is denied without its scope, and the refusal is in the journal", async () => {
		const run = await startRun({ scopes: scopes.filter((other) => other !== scope) });
		const error = await failureOf(() => attempt(run.helpers, run.call()));
		expect(error.code).toBe("denied");
		expect(error.message).toBe(`${id} needs the scope ${scope}, which this run does not have.`);
		await run.end();
		expect(await readJournal(run.store, "run-1")).toMatchObject([{ sequence: 1, operation: id, error: { code: "denied" } }]);
		expect(await run.store.list({ prefix: layout.variables("tests"), limit: 1 })).toEqual([]);
		expect(run.logs).toEqual([]);
	});

	it("needs no other scope", async () => {
		const run = await startRun({ scopes: [scope] });
		await attempt(run.helpers, run.call());
	});

	it("answers cancelled once the run was settled", async () => {
		const run = await startRun();
		await run.end();
		const before = await run.store.list({ prefix: [], limit: 1_000 });
		const error = await failureOf(() => attempt(run.helpers, run.call()));
		expect(error).toMatchObject({ code: "cancelled", message: "The run has ended." });
		expect(await run.store.list({ prefix: [], limit: 1_000 })).toEqual(before);
		expect(run.logs).toEqual([]);
	});

	it("answers with the reason once the run was cancelled", async () => {
		const run = await startRun();
		run.cancel();
		const error = await failureOf(() => attempt(run.helpers, run.call()));
		expect(error).toMatchObject({ code: "cancelled", message: "The run was cancelled." });
	});
});

describe("after the host has ended a run", () => {
	it("no effect is applied, and every later call is cancelled", async () => {
		const run = await startRun();
		await run.helpers.variables.set("key", "1", undefined, run.call());
		const before = await run.store.list({ prefix: [], limit: 1_000 });
		const effects = operations.filter(({ id, effect }) => effect && id !== "log.write");
		for (const { id } of effects) {
			const ended = await startRun({ store: run.store, id: `run-${id}` });
			await ended.kill();
			const state = await run.store.list({ prefix: [], limit: 1_000 });
			expect(await failureOf(() => calls[id]?.(ended.helpers, ended.call()))).toMatchObject({ code: "cancelled" });
			expect(await failureOf(() => ended.helpers.variables.get("key", ended.call()))).toMatchObject({ code: "cancelled" });
			expect(await run.store.list({ prefix: [], limit: 1_000 })).toEqual(state);
		}
		const after = await run.store.list({ prefix: [], limit: 1_000 });
		expect(after.filter(({ key }) => !before.some((entry) => entry.key.join() === key.join())).map(({ key }) => key[0])).toEqual(
			effects.map(() => "runs"),
		);
	});
});

describe("settling a run", () => {
	it("yields the output, the condition and the rest of the journal as plain data", async () => {
		const run = await startRun({ input: '{"a":1}' });
		await run.helpers.io.setOutput("1", run.call());
		await run.helpers.condition.set(false, run.call());
		run.helpers.io.getInput(run.call());
		const remainder = await run.end();
		expect(structuredClone(remainder)).toEqual(remainder);
		expect(remainder).toMatchObject({ output: "1", condition: false, logBytes: 0, droppedLogLines: 0 });
		expect(remainder.failure).toBeUndefined();
		expect((await readJournal(run.store, "run-1")).map(({ operation }) => operation)).toEqual([
			"io.set-output",
			"condition.set",
			"io.get-input",
		]);
	});

	it("has nothing to store for a run that called nothing", async () => {
		const run = await startRun();
		expect(await run.end()).toEqual({ operations: [], opened: true, logBytes: 0, droppedLogLines: 0 });
	});

	it("takes the returned value as the last set-output", async () => {
		const run = await startRun();
		void run.helpers.io.setOutput("1", run.call());
		const remainder = await run.end("null");
		expect(remainder.output).toBe("null");
		const outputs = await run.store.list({ prefix: layout.outputs("run-1"), limit: 10 });
		expect(outputs.map(({ value }) => value)).toEqual(["1", "null"]);
		expect(await readJournal(run.store, "run-1")).toMatchObject(
			[
				{ sequence: 1, arguments: { value: "1" }, result: null },
				{
					sequence: 2,
					operation: "io.set-output",
					callId: "returned",
					arguments: { value: "null" },
					result: null,
					version: /\d/,
				},
			].map((entry) => ({ ...entry, ...("version" in entry && { version: expect.stringMatching(/^\d+$/) }) })),
		);
	});

	it("reports a returned value that cannot be the output, and keeps the one that was set", async () => {
		const large = await startRun({ limits: { maxOutputBytes: 10 } });
		await large.helpers.io.setOutput('"kept"', large.call());
		expect(await large.end(JSON.stringify("x".repeat(20)))).toMatchObject({
			output: '"kept"',
			failure: {
				code: "output-exceeded",
				message: "output has 22 bytes; the limit maxOutputBytes is 10.",
				limit: { name: "maxOutputBytes" },
			},
		});
		expect((await readJournal(large.store, "run-1")).at(-1)).toMatchObject({ callId: "returned", error: { code: "too-large" } });
		const malformed = await startRun();
		expect((await malformed.end("undefined")).failure).toMatchObject({ code: "invalid-output" });
		const denied = await startRun({ scopes: [] });
		expect((await denied.end("1")).failure).toMatchObject({ code: "script-error", name: "RuntimeError", errorCode: "denied" });
	});

	it("waits for calls that the script did not await", async () => {
		const run = await startRun();
		for (let index = 0; index < 100; index++) void run.helpers.variables.increment("n", 1, run.call());
		await run.end();
		expect((await run.store.get(layout.variable("tests", "n")))?.value).toBe("100");
		const journal = await readJournal(run.store, "run-1");
		expect(journal.map(({ result }) => result)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
	});

	it("refuses calls that still wait for their turn when the run was cancelled", async () => {
		const run = await startRun();
		const answers = Array.from({ length: 100 }, () => Promise.resolve(run.helpers.variables.increment("n", 1, run.call())));
		const settled = Promise.allSettled(answers);
		run.cancel();
		await run.end();
		const done = (await settled).filter(({ status }) => status === "fulfilled").length;
		expect(done).toBeLessThan(100);
		expect((await run.store.get(layout.variable("tests", "n")))?.value).toBe(String(done));
		const journal = await readJournal(run.store, "run-1");
		expect(journal).toHaveLength(100);
		expect(journal.filter(({ error }) => error?.code === "cancelled")).toHaveLength(100 - done);
	});

	it("answers twice with the same", async () => {
		const run = await startRun();
		expect(await run.settle("1")).toBe(await run.settle("2"));
	});
});

describe("io", () => {
	it("gives the input as received, and null when there is none", async () => {
		const run = await startRun({ input: ' {"n":1.0}' });
		expect(run.helpers.io.getInput(run.call())).toBe(' {"n":1.0}');
		const none = await startRun();
		expect(none.helpers.io.getInput(none.call())).toBe("null");
	});

	it("keeps the last output, durable when acknowledged", async () => {
		const run = await startRun();
		for (const value of ["0", "false", '""', "null", "[]"]) await run.helpers.io.setOutput(value, run.call());
		const [last] = await run.store.list({ prefix: layout.outputs("run-1"), reverse: true, limit: 1 });
		expect(last?.value).toBe("[]");
		expect((await failureOf(() => run.helpers.io.setOutput("NaN", run.call()))).message).toMatch(/^output is not JSON/);
		expect((await run.end()).output).toBe("[]");
	});

	it("refuses an output over maxOutputBytes", async () => {
		const run = await startRun({ limits: { maxOutputBytes: 4 } });
		const error = await failureOf(() => run.helpers.io.setOutput('"abc"', run.call()));
		expect(error).toMatchObject({ code: "too-large", details: { limit: { name: "maxOutputBytes", value: 4, unit: "bytes" } } });
	});
});

describe("the condition", () => {
	it("is unset, true or false", async () => {
		const run = await startRun();
		expect(run.helpers.condition.get(run.call())).toBeUndefined();
		for (const value of [false, true, false]) {
			await run.helpers.condition.set(value, run.call());
			expect(run.helpers.condition.get(run.call())).toBe(value);
		}
		expect((await run.end()).condition).toBe(false);
	});

	it.each([undefined, null, 0, "true", []])("cannot be %j", async (value) => {
		const run = await startRun();
		const error = await failureOf(() => run.helpers.condition.set(value as never, run.call()));
		expect(error.code).toBe("invalid");
		expect(error.message).toMatch(/^The condition must be true or false; it is /);
	});

	it("belongs to one run", async () => {
		const run = await startRun();
		await run.helpers.condition.set(true, run.call());
		const other = await startRun({ store: run.store, id: "run-2" });
		expect(other.helpers.condition.get(other.call())).toBeUndefined();
	});
});

describe("the event context", () => {
	it("has the event's fields and the run's", async () => {
		const run = await startRun({ event: { id: "e", name: "nightly", server: { id: "s" }, successCount: 0 } });
		expect(run.helpers.event.getContext(run.call())).toEqual({
			id: "e",
			name: "nightly",
			server: { id: "s" },
			successCount: 0,
			execution: {
				id: "run-1",
				namespace: "tests",
				mode: "sandbox",
				attempt: 1,
				startedAt: new Date(run.execution.startedAt).toISOString(),
				deadlineAt: new Date(run.execution.deadlineAt).toISOString(),
			},
		});
	});
});
