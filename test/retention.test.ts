import { describe, expect, it } from "vitest";
import { readJournal, resolveValue, type ValueReference } from "../host/helpers/journal.ts";
import { layout } from "../host/layout.ts";
import { claimSweep, sweep } from "../host/retention.ts";
import { createMemoryStore } from "../host/store/memory-store.ts";
import type { Store } from "../host/store/store.ts";
import { startRun } from "./helpers/run.ts";

const hour = 60 * 60_000;
const large = (mark: string): string => JSON.stringify(mark.repeat(2_000));
const everything = async (store: Store) => (await store.list({ prefix: [], limit: 10_000 })).map(({ key }) => key.join(" "));

/** Writes the record of a run as the host does. */
async function writeRecord(store: Store, id: string, endedAt?: number): Promise<void> {
	const record = {
		id,
		namespace: "tests",
		status: endedAt ? "succeeded" : "running",
		startedAt: Date.now(),
		...(endedAt && { endedAt }),
	};
	await store.commit({ operations: [{ type: "set", key: layout.execution(id), value: JSON.stringify(record) }] });
}

/** A run that leaves something in every place. */
async function runToEnd(store: Store, id: string, value: string, endedAt?: number): Promise<void> {
	const run = await startRun({ store, id, input: "1" });
	await run.helpers.variables.set("key", value, undefined, run.call("idempotency"));
	await run.helpers.condition.set(true, run.call());
	await run.helpers.io.setOutput("1", run.call());
	await store.commit({ operations: [{ type: "set", key: layout.logSegment(id, 1), value: "[]" }] });
	await writeRecord(store, id, endedAt);
	await run.end();
}

describe("a sweep", () => {
	it("removes finished runs older than the retention with everything that belongs to them", async () => {
		const store = createMemoryStore();
		const now = Date.now();
		await runToEnd(store, "1-old", "1", now);
		await runToEnd(store, "2-running", "2");
		await runToEnd(store, "3-recent", "3", now + 2 * hour);
		const before = await everything(store);
		expect(before.filter((key) => key.includes("1-old")).length).toBeGreaterThanOrEqual(8);
		const swept = await sweep(store, { now: now + 2 * hour, runRetentionMs: hour });
		expect(swept).toEqual({ runs: 1, expiredVariables: 0, formerValues: 0 });
		expect(await everything(store)).toEqual(before.filter((key) => !key.includes("1-old")));
		expect(await sweep(store, { now: now + 2 * hour, runRetentionMs: hour })).toMatchObject({ runs: 0 });
	});

	it("keeps everything within the retention", async () => {
		const store = createMemoryStore();
		for (const id of ["1", "2", "3"]) await runToEnd(store, id, large(id), Date.now());
		const before = await everything(store);
		expect(await sweep(store, { now: Date.now(), runRetentionMs: hour })).toEqual({
			runs: 0,
			expiredVariables: 0,
			formerValues: 0,
		});
		expect(await everything(store)).toEqual(before);
	});

	it("removes former values only when no run that is kept can have seen them", async () => {
		const store = createMemoryStore();
		const now = Date.now();
		for (const id of ["1", "2"]) await runToEnd(store, id, large(id), now);
		await writeRecord(store, "3-running");
		const former = ["former-variables"];
		expect(await store.list({ prefix: former, limit: 10 })).toHaveLength(1);
		expect(await sweep(store, { now: now + 2 * hour, runRetentionMs: hour })).toEqual({
			runs: 2,
			expiredVariables: 0,
			formerValues: 0,
		});
		expect(await store.list({ prefix: former, limit: 10 })).toHaveLength(1);
		await writeRecord(store, "3-running", now);
		expect(await sweep(store, { now: now + 2 * hour, runRetentionMs: hour })).toEqual({
			runs: 1,
			expiredVariables: 0,
			formerValues: 1,
		});
		expect(await store.list({ prefix: former, limit: 10 })).toEqual([]);
	});

	it("removes expired variables, and what a journal refers to stays readable", async () => {
		const store = createMemoryStore();
		const run = await startRun({ store });
		await writeRecord(store, "run-1");
		for (let index = 0; index < 40; index++)
			await run.helpers.variables.set(`small ${index}`, "1", { expiresInMs: 1 }, run.call());
		await run.helpers.variables.set("large", large("x"), { expiresInMs: 1 }, run.call());
		await run.helpers.variables.set("kept", "1", { expiresInMs: hour }, run.call());
		await new Promise((resolve) => setTimeout(resolve, 5));
		expect(await sweep(store, { now: Date.now(), runRetentionMs: hour })).toEqual({
			runs: 0,
			expiredVariables: 41,
			formerValues: 0,
		});
		expect(await store.expired(10)).toEqual([]);
		expect((await everything(store)).filter((key) => key.startsWith("variables"))).toEqual(["variables tests kept"]);
		const entry = (await readJournal(store, "run-1"))[40];
		expect(await resolveValue(store, "tests", "run-1", entry?.arguments.value as ValueReference)).toBe(large("x"));
	});

	it("leaves a variable that was written again after it expired", async () => {
		const store = createMemoryStore();
		const run = await startRun({ store });
		await run.helpers.variables.set("key", "1", { expiresInMs: 1 }, run.call());
		await new Promise((resolve) => setTimeout(resolve, 5));
		const stale = await store.expired(10);
		await run.helpers.variables.set("key", "2", undefined, run.call());
		// The sweep sees the list from before the write.
		const swept = await sweep({ ...store, expired: () => stale }, { now: Date.now(), runRetentionMs: hour });
		expect(swept.expiredVariables).toBe(0);
		expect(run.helpers.variables.get("key", run.call())).toBe("2");
	});

	it("stops between two removals when it is told to", async () => {
		const store = createMemoryStore();
		for (const id of ["1", "2"]) await runToEnd(store, id, large(id), Date.now());
		const before = await everything(store);
		const swept = await sweep(store, { now: Date.now() + 2 * hour, runRetentionMs: hour, signal: AbortSignal.abort() });
		expect(swept).toEqual({ runs: 0, expiredVariables: 0, formerValues: 0 });
		expect(await everything(store)).toEqual(before);
	});

	it("is claimed by one of those who ask within ten minutes", async () => {
		const store = createMemoryStore();
		expect(await Promise.all([claimSweep(store), claimSweep(store), claimSweep(store)])).toEqual([true, false, false]);
		const [claim] = await store.list({ prefix: layout.lastSweep, limit: 1 });
		expect(claim?.expiresAt).toBe((claim?.updatedAt ?? 0) + 10 * 60_000);
	});
});
