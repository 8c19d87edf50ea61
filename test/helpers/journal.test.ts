import { describe, expect, it } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { type JournalEntry, readJournal, resolveValue, type ValueReference } from "../../host/helpers/journal-reader.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import { failureOf, type RunSetup, startRun, type TestRun } from "./run.ts";

const large = (mark: string): string => JSON.stringify(mark.repeat(2_000));

async function endAndRead(run: TestRun): Promise<readonly JournalEntry[]> {
	await run.end();
	return readJournal(run.store, run.execution.id);
}

describe("the journal", () => {
	it("has every call in order, with arguments, results and errors", async () => {
		const run = await startRun({ input: "1.0" });
		const { helpers } = run;
		const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
		helpers.io.getInput({ callId: "with trace", traceparent });
		helpers.variables.get("missing", { callId: "malformed trace", traceparent: "00-xyz" });
		const version = await helpers.variables.set("key", "1.0", { ifAbsent: true }, run.call());
		await failureOf(() => helpers.variables.set("key", "2", { ifAbsent: true }, run.call()));
		await failureOf(() => helpers.variables.set("key\n", "2", undefined, run.call()));
		helpers.variables.get("key", run.call());
		await helpers.variables.delete("other", undefined, run.call());
		const journal = await endAndRead(run);
		const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
		expect(journal).toEqual([
			{ sequence: 1, operation: "io.get-input", callId: "with trace", traceparent, at, arguments: {}, result: "1.0" },
			{ sequence: 2, operation: "variables.get", callId: "malformed trace", at, arguments: { key: "missing" }, result: null },
			{
				sequence: 3,
				operation: "variables.set",
				callId: "call-1",
				at,
				arguments: { key: "key", value: "1.0", options: { ifAbsent: true } },
				result: version,
				version,
			},
			{
				sequence: 4,
				operation: "variables.set",
				callId: "call-2",
				at,
				arguments: { key: "key", value: "2", options: { ifAbsent: true } },
				error: { code: "conflict", message: 'The variable "key" exists already.', currentVersion: version },
			},
			{
				sequence: 5,
				operation: "variables.set",
				callId: "call-3",
				at,
				arguments: { key: "key\n", value: "2", options: null },
				error: { code: "invalid", message: 'key "key\\n" has the control character U+000A at offset 3.' },
			},
			{ sequence: 6, operation: "variables.get", callId: "call-4", at, arguments: { key: "key" }, result: "1.0" },
			{
				sequence: 7,
				operation: "variables.delete",
				callId: "call-5",
				at,
				arguments: { key: "other", options: null },
				result: false,
			},
		]);
	});

	it("is durable up to an effect when the effect is acknowledged", async () => {
		const run = await startRun();
		run.helpers.variables.get("a", run.call());
		run.helpers.variables.get("b", run.call());
		expect(await readJournal(run.store, "run-1")).toEqual([]);
		await run.helpers.condition.set(true, run.call());
		run.helpers.variables.get("c", run.call());
		expect((await readJournal(run.store, "run-1")).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
	});

	it("carries the sum of an increment with the next commit", async () => {
		const run = await startRun();
		await run.helpers.variables.increment("n", 5, run.call());
		const [before] = await readJournal(run.store, "run-1");
		expect(before?.version).toBeTypeOf("string");
		expect(before).not.toHaveProperty("result");
		await run.helpers.variables.increment("n", 5, run.call());
		expect((await readJournal(run.store, "run-1"))[0]?.result).toBe(5);
		expect((await endAndRead(run)).map(({ result }) => result)).toEqual([5, 10]);
	});

	it("writes itself down when many reads wait", async () => {
		const run = await startRun();
		await run.store.commit({
			operations: [{ type: "set", key: layout.variable("tests", "key"), value: JSON.stringify("x".repeat(900)) }],
		});
		for (let index = 0; index < 1_000; index++) {
			run.helpers.variables.get("key", run.call());
			if (index % 100 === 0) await new Promise(setImmediate);
		}
		await new Promise(setImmediate);
		const durable = await readJournal(run.store, "run-1");
		expect(durable.length).toBeGreaterThan(500);
		const journal = await endAndRead(run);
		expect(journal.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
	});

	it("is read in full when no limit is given", async () => {
		const run = await startRun();
		for (let index = 0; index < 2_500; index++) run.helpers.variables.get("key", run.call());
		expect(await endAndRead(run)).toHaveLength(2_500);
	});

	it("is read in pages", async () => {
		const run = await startRun();
		for (let index = 0; index < 30; index++) {
			run.helpers.variables.get("key", run.call());
			if (index % 4 === 0) await run.helpers.variables.increment("n", 1, run.call());
		}
		const journal = await endAndRead(run);
		const pages: JournalEntry[] = [];
		for (;;) {
			const page = await readJournal(run.store, "run-1", { after: pages.length, limit: 7 });
			if (page.length === 0) break;
			pages.push(...page);
		}
		expect(pages).toEqual(journal);
		expect(journal).toHaveLength(38);
	});

	it("of an unknown run is empty", async () => {
		expect(await readJournal(createMemoryStore(), "none")).toEqual([]);
	});

	it("that is damaged is refused", async () => {
		const run = await startRun();
		for (let index = 0; index < 3; index++) await run.helpers.condition.set(true, run.call());
		await run.store.commit({ operations: [{ type: "delete", key: layout.journalSegment("run-1", 2) }] });
		const error = await failureOf(() => readJournal(run.store, "run-1"));
		expect(error).toMatchObject({
			code: "internal",
			message: 'The journal of run "run-1" is damaged: entry 3 does not follow its predecessor.',
		});
		await run.store.commit({ operations: [{ type: "set", key: layout.journalSegment("run-1", 2), value: "{" }] });
		expect((await failureOf(() => readJournal(run.store, "run-1"))).message).toMatch(/segment 2 is not JSON/);
	});

	it("has one writer", async () => {
		const first = await startRun();
		await first.helpers.condition.set(true, first.call());
		const second = await startRun({ store: first.store });
		const error = await failureOf(() => second.helpers.condition.set(false, second.call()));
		expect(error).toMatchObject({ code: "internal", message: "The journal of this run was changed by another writer." });
		expect((await first.store.get(layout.condition("run-1")))?.value).toBe("true");
	});

	it("over maxJournalBytes refuses further calls and fails the run, but is kept", async () => {
		const run = await startRun({ limits: { maxJournalBytes: 64 * 1024 } });
		let answered = 0;
		const error = await failureOf(async () => {
			for (;;) {
				await run.helpers.variables.set("key", JSON.stringify("x".repeat(500)), undefined, run.call());
				answered++;
			}
		});
		expect(error.code).toBe("too-large");
		expect(error.message).toMatch(/^The journal of this run has \d+ bytes; the limit maxJournalBytes is 65536\.$/);
		expect(error.details.limit?.name).toBe("maxJournalBytes");
		const remainder = await run.end("1");
		expect(remainder.failure).toMatchObject({ code: "journal-exceeded", limit: { name: "maxJournalBytes" } });
		expect(await readJournal(run.store, "run-1")).toHaveLength(answered + 1);
		const segments = await run.store.list({ prefix: layout.journal("run-1"), limit: 1_000 });
		expect(segments.reduce((sum, { value }) => sum + value.length, 0)).toBeLessThan(72 * 1024);
	});

	it("does not grow with the arguments of calls that are refused", async () => {
		const run = await startRun();
		const huge = "k".repeat(1_000_000);
		await failureOf(() => run.helpers.variables.get(huge, run.call()));
		await failureOf(() => run.helpers.variables.set("key", huge, undefined, { callId: huge }));
		await failureOf(() => run.helpers.variables.set("key", "1", { ifVersion: huge }, { callId: "c", idempotencyKey: huge }));
		const remainder = await run.end();
		expect(JSON.stringify(remainder.operations).length).toBeLessThan(4_000);
		expect((await readJournal(run.store, "run-1"))[0]?.arguments).toEqual({
			key: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), size: 1_000_000 },
		});
	});
});

describe("large values", () => {
	const writtenIn = (entry: JournalEntry | undefined): ValueReference => entry?.arguments.value as ValueReference;

	it("are referred to, and found after they were overwritten, deleted or expired", async () => {
		const run = await startRun();
		const { variables } = run.helpers;
		const first = await variables.set("key", large("a"), undefined, run.call());
		variables.get("key", run.call());
		await variables.set("key", large("b"), undefined, run.call());
		variables.getEntry("key", run.call());
		await variables.delete("key", undefined, run.call());
		await variables.set("key", large("c"), { expiresInMs: 1 }, run.call());
		await new Promise((resolve) => setTimeout(resolve, 5));
		const journal = await endAndRead(run);
		expect(journal[1]?.result).toEqual({ key: "key", version: first, sha256: expect.any(String), size: 2_002 });
		expect(writtenIn(journal[0])).toEqual(journal[1]?.result);
		const resolve = (reference: unknown) => resolveValue(run.store, "tests", "run-1", reference as ValueReference);
		expect(await resolve(journal[1]?.result)).toBe(large("a"));
		expect(await resolve(writtenIn(journal[2]))).toBe(large("b"));
		expect(await resolve((journal[3] as { result: { value: unknown } }).result.value)).toBe(large("b"));
		expect(await resolve(writtenIn(journal[5]))).toBe(large("c"));
	});

	it("that are numbers are found after an increment", async () => {
		const run = await startRun();
		const value = `1.${"0".repeat(2_000)}`;
		await run.helpers.variables.set("n", value, undefined, run.call());
		expect(await run.helpers.variables.increment("n", 1, run.call())).toBe(2);
		const [entry] = await endAndRead(run);
		expect(await resolveValue(run.store, "tests", "run-1", writtenIn(entry))).toBe(value);
	});

	it("of input and output are found", async () => {
		const run = await startRun({ input: large("i") });
		run.helpers.io.getInput(run.call());
		await run.helpers.io.setOutput(large("o"), run.call());
		await run.end(large("r"));
		const [input, output, returned] = await readJournal(run.store, "run-1");
		expect(input?.result).toEqual({ input: true, sha256: expect.any(String), size: 2_002 });
		expect(writtenIn(output)).toMatchObject({ output: 2 });
		const resolve = (reference: unknown) => resolveValue(run.store, "tests", "run-1", reference as ValueReference);
		expect([await resolve(input?.result), await resolve(writtenIn(output)), await resolve(writtenIn(returned))]).toEqual([
			large("i"),
			large("o"),
			large("r"),
		]);
	});

	it("that a refused call had are kept nowhere", async () => {
		const run = await startRun();
		await failureOf(() => run.helpers.variables.set("key", large("a"), { ifVersion: "1" }, run.call()));
		const [entry] = await endAndRead(run);
		expect(writtenIn(entry)).toEqual({ sha256: expect.any(String), size: 2_002 });
		expect(await resolveValue(run.store, "tests", "run-1", writtenIn(entry))).toBeUndefined();
	});

	it("that are not what was recorded are refused", async () => {
		const run = await startRun({ input: large("i") });
		run.helpers.io.getInput(run.call());
		const [entry] = await endAndRead(run);
		await run.store.commit({ operations: [{ type: "set", key: layout.input("run-1"), value: large("x") }] });
		const error = await failureOf(() => resolveValue(run.store, "tests", "run-1", entry?.result as ValueReference));
		expect(error.code).toBe("internal");
		expect(error.message).toMatch(/a value has the hash/);
	});

	it("are copied up to 1,024 bytes of UTF-8", async () => {
		const run = await startRun();
		const longest = JSON.stringify("é".repeat(511));
		await run.helpers.variables.set("key", longest, undefined, run.call());
		await run.helpers.variables.set("key", longest.replace("é", "éx"), undefined, run.call());
		const journal = await endAndRead(run);
		expect(writtenIn(journal[0])).toBe(longest);
		expect(writtenIn(journal[1])).toMatchObject({ size: 1_025 });
	});

	it("that have expired are found however many others have", async () => {
		const run = await startRun();
		const expiresAt = Date.now() - 1_000;
		await run.store.commit({
			operations: Array.from({ length: 1_500 }, (_, index) => ({
				type: "set",
				key: layout.variable("others", String(index)),
				value: "1",
				expiresAt,
			})),
		});
		await run.helpers.variables.set("key", large("x"), { expiresInMs: 1 }, run.call());
		await new Promise((resolve) => setTimeout(resolve, 5));
		expect(await run.helpers.variables.get("key", run.call())).toBeUndefined();
		const [entry] = await endAndRead(run);
		expect(await resolveValue(run.store, "tests", "run-1", writtenIn(entry))).toBe(large("x"));
	});
});

describe("an idempotency key", () => {
	it("makes a repeated call return the first result, without a second effect", async () => {
		const run = await startRun();
		const { variables } = run.helpers;
		const first = await variables.increment("n", 2, run.call("one"));
		expect(await variables.increment("n", 2, run.call("one"))).toBe(first);
		expect(await variables.increment("n", 2, run.call("two"))).toBe(4);
		const version = await variables.set("key", '"v"', undefined, run.call("three"));
		await variables.set("key", '"w"', undefined, run.call());
		expect(await variables.set("key", '"v"', undefined, run.call("three"))).toBe(version);
		expect(variables.get("key", run.call())).toBe('"w"');
		await run.helpers.log.write("info", "text", undefined, run.call("log"));
		expect(await run.helpers.log.write("info", "text", undefined, run.call("log"))).toBeUndefined();
		expect(run.logs).toHaveLength(1);
		const journal = await endAndRead(run);
		expect(journal[1]).toMatchObject({ operation: "variables.increment", idempotencyKey: "one", repeats: 1 });
		expect((await run.store.get(layout.idempotencyKey("run-1", "one")))?.value).toBe("1");
		expect((await run.store.get(layout.idempotencyKey("run-1", "three")))?.value).toBe("4");
	});

	it("makes calls at the same time wait for the first", async () => {
		const run = await startRun();
		const sums = await Promise.all([1, 2, 3].map(() => run.helpers.variables.increment("n", 1, run.call("key"))));
		expect(sums).toEqual([1, 1, 1]);
	});

	it("repeats the error of a call that was carried out and failed", async () => {
		const run = await startRun();
		await run.helpers.variables.set("key", "1", undefined, run.call());
		const attempt = () => run.helpers.variables.set("key", "2", { ifAbsent: true }, run.call("same"));
		const first = await failureOf(attempt);
		await run.helpers.variables.delete("key", undefined, run.call());
		expect(await failureOf(attempt)).toMatchObject({ code: "conflict", details: first.details });
	});

	it("repeats reads, large values included", async () => {
		const run = await startRun();
		await run.helpers.variables.set("key", large("a"), undefined, run.call());
		const entry = await run.helpers.variables.getEntry("key", run.call("entry"));
		const value = await run.helpers.variables.get("key", run.call("value"));
		const list = await run.helpers.variables.list(undefined, run.call("list"));
		expect(await run.helpers.variables.get("none", run.call("none"))).toBeUndefined();
		await run.helpers.variables.delete("key", undefined, run.call());
		await run.helpers.variables.set("none", "1", undefined, run.call());
		expect(await run.helpers.variables.getEntry("key", run.call("entry"))).toEqual(entry);
		expect(await run.helpers.variables.get("key", run.call("value"))).toBe(value);
		expect(await run.helpers.variables.list(undefined, run.call("list"))).toEqual(list);
		expect(await run.helpers.variables.get("none", run.call("none"))).toBeUndefined();
	});

	it("stands for one operation with one set of arguments", async () => {
		const run = await startRun();
		await run.helpers.variables.set("key", large("a"), undefined, run.call("key"));
		for (const attempt of [
			() => run.helpers.variables.set("key", large("b"), undefined, run.call("key")),
			() => run.helpers.variables.set("other", large("a"), undefined, run.call("key")),
			() => run.helpers.variables.set("key", large("a"), { expiresInMs: 1 }, run.call("key")),
			() => run.helpers.variables.delete("key", undefined, run.call("key")),
			() => run.helpers.variables.get("key", run.call("key")),
		]) {
			const error = await failureOf(attempt);
			expect(error.code).toBe("idempotency-mismatch");
			expect(error.message).toMatch(/^The idempotency key "key" was used by call 1 of this run for a different operation/);
		}
	});

	it("is free again after a refusal before the call began", async () => {
		const run = await startRun();
		await failureOf(() => run.helpers.variables.set("key", "{", undefined, run.call("key")));
		expect(await run.helpers.variables.set("key", "{}", undefined, run.call("key"))).toBeTypeOf("string");
	});

	it("is free again after a failure that a repetition may mend", async () => {
		const store = createMemoryStore();
		let down = true;
		const throughStore = {
			...store,
			commit: async (transaction: Parameters<typeof store.commit>[0]) => {
				if (down) throw new RuntimeError("unavailable", "The disk is full.");
				return store.commit(transaction);
			},
		};
		const run = await startRun({ store, throughStore });
		const attempt = () => run.helpers.variables.increment("n", 1, run.call("key"));
		expect(await failureOf(attempt)).toMatchObject({ code: "unavailable" });
		down = false;
		expect(await attempt()).toBe(1);
		expect(await attempt()).toBe(1);
		expect(await endAndRead(run)).toMatchObject([{ error: { code: "unavailable" } }, { result: 1 }, { repeats: 2 }]);
		expect((await store.get(layout.idempotencyKey("run-1", "key")))?.value).toBe("2");
	});

	it("belongs to one run", async () => {
		const run = await startRun();
		await run.helpers.variables.increment("n", 1, run.call("key"));
		const other = await startRun({ store: run.store, id: "run-2" });
		expect(await other.helpers.variables.increment("n", 1, other.call("key"))).toBe(2);
	});

	it.each(["", "x".repeat(256), "a\nb", "é"])("cannot be %j", async (key) => {
		const run = await startRun();
		const error = await failureOf(() => run.helpers.variables.increment("n", 1, run.call(key)));
		expect(error).toMatchObject({
			code: "invalid",
			message: "The idempotency key must have 1 to 255 printable ASCII characters.",
		});
	});
});

describe("what is recorded beside the contract", () => {
	it("is in the journal, without credentials and long texts", async () => {
		const run = await startRun();
		run.record(
			"sandbox.fetch",
			{
				url: "https://user:hunter2@example.org/path?api_key=hunter2&page=2#hunter2",
				method: "POST",
				headers: [
					["Authorization", "Bearer hunter2"],
					["X-Anything", "hunter2"],
					["content-type", "text/plain"],
				],
				body: "b".repeat(5_000),
			},
			{ status: 200, headers: { "set-cookie": "hunter2", ETag: '"1"' } },
		);
		run.record("sandbox.fetch", { url: "not a url hunter2" }, new RuntimeError("denied", "No."));
		const journal = await endAndRead(run);
		expect(journal).toMatchObject([
			{
				sequence: 1,
				operation: "sandbox.fetch",
				arguments: {
					url: "https://example.org/path?api_key=%5Bremoved%5D&page=2",
					method: "POST",
					headers: [
						["Authorization", "[removed]"],
						["X-Anything", "[removed]"],
						["content-type", "text/plain"],
					],
					body: { sha256: expect.any(String), size: 5_000 },
				},
				result: { status: 200, headers: { "set-cookie": "[removed]", ETag: '"1"' } },
			},
			{ sequence: 2, arguments: { url: "[removed]" }, error: { code: "denied", message: "No." } },
		]);
		expect(JSON.stringify(journal)).not.toContain("hunter2");
		run.record("sandbox.fetch", {}, null);
		expect(await readJournal(run.store, "run-1")).toHaveLength(2);
	});
});

describe("a run that nobody has written down", () => {
	const unopened = (setup: RunSetup = {}): Promise<TestRun> => startRun({ unopened: true, ...setup });

	it("is written down by its first effect, in the same transaction", async () => {
		const run = await unopened({ input: '"in"' });
		run.helpers.io.getInput(run.call());
		expect(await run.store.get(layout.execution("run-1"))).toBeUndefined();
		const version = await run.helpers.variables.set("key", "1", undefined, run.call());
		for (const key of [layout.execution("run-1"), layout.live("host-1", "run-1"), layout.input("run-1")])
			expect(await run.store.get(key)).toMatchObject({ version });
		expect(await run.end()).toMatchObject({ opened: true });
	});

	it("without an effect is left to its host", async () => {
		const run = await unopened();
		run.helpers.io.getInput(run.call());
		const { opened, operations } = await run.settle('"returned"');
		expect(opened).toBe(false);
		expect(operations).toHaveLength(2);
	});

	it("is written down by a later effect when the first was refused", async () => {
		const run = await unopened();
		const refused = run.helpers.variables.set("key", "1", { ifVersion: "1" }, run.call());
		await expect(refused).rejects.toMatchObject({ code: "conflict" });
		expect(await run.store.get(layout.execution("run-1"))).toBeUndefined();
		await run.helpers.variables.set("key", "2", undefined, run.call());
		expect(await run.store.get(layout.execution("run-1"))).toBeDefined();
		expect(await readJournal(run.store, "run-1")).toMatchObject([{ error: { code: "conflict" } }, { sequence: 2 }]);
	});

	it("goes on when its host was faster, whatever number of effects is under way", async () => {
		const run = await unopened();
		await run.open();
		const versions = Array.from({ length: 5 }, (_, index) => run.helpers.variables.set("key", `${index}`, undefined, run.call()));
		expect(new Set(await Promise.all(versions)).size).toBe(5);
		expect(await run.store.get(layout.variable("tests", "key"))).toMatchObject({ value: "4" });
	});

	it("says that it runs when its host has written down that it waits", async () => {
		const run = await unopened();
		const key = layout.execution("run-1");
		await run.open();
		await run.store.commit({ operations: [{ type: "set", key, value: '{"status":"created"}' }] });
		const version = await run.helpers.variables.set("key", "1", undefined, run.call());
		expect(await run.store.get(key)).toMatchObject({ value: "{}", version });
	});

	it("does not come to life after its host has ended it", async () => {
		const run = await unopened();
		await run.kill();
		const late = run.helpers.variables.set("key", "1", undefined, run.call());
		await expect(late).rejects.toMatchObject({ code: "cancelled" });
		expect(await run.store.get(layout.live("host-1", "run-1"))).toBeUndefined();
		expect(await run.store.get(layout.variable("tests", "key"))).toBeUndefined();
	});
});
