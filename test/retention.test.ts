import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RuntimeError } from "../host/contract/errors.ts";
import { readJournal, resolveValue, type ValueReference } from "../host/helpers/journal-reader.ts";
import { layout } from "../host/layout.ts";
import { claimSweep, sweep } from "../host/retention.ts";
import { openLmdbStore } from "../host/store/lmdb-store.ts";
import { createMemoryStore } from "../host/store/memory-store.ts";
import type { Store, StoreOperation } from "../host/store/store.ts";
import { startRun } from "./helpers/run.ts";
import { temporaryDirectory } from "./store/directory.ts";

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

/** Records of runs that have ended, and nothing else of them. */
async function writeRecords(store: Store, count: number, endedAt: number): Promise<void> {
	const operations = Array.from({ length: count }, (_, index): StoreOperation => {
		const id = String(index).padStart(4, "0");
		return {
			type: "set",
			key: layout.execution(id),
			value: JSON.stringify({ id, namespace: "tests", startedAt: endedAt, endedAt }),
		};
	});
	await store.commit({ operations });
}

const maxStoreBytes = 16 * 1024 * 1024;
const stores = [
	{
		name: "a store in memory",
		open: async () => ({ store: createMemoryStore({ maxStoreBytes }), [Symbol.asyncDispose]: async () => {} }),
	},
	{
		name: "an embedded store",
		open: async () => {
			const directory = temporaryDirectory();
			const store = await openLmdbStore({ directory: directory.path, maxStoreBytes });
			const close = async () => {
				await store.close();
				directory.remove();
			};
			return { store: store as Store, [Symbol.asyncDispose]: close };
		},
	},
];

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
		expect((await everything(store)).filter((key) => key.startsWith("current-variables"))).toEqual([
			"current-variables tests kept",
		]);
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

	it("removes in batches that are posted together, and stops between two of them", async () => {
		const store = createMemoryStore();
		await writeRecords(store, 100, Date.now());
		const stop = new AbortController();
		let waiting = 0;
		let most = 0;
		let batches = 0;
		const counting: Store = {
			...store,
			async commit(transaction) {
				most = Math.max(most, ++waiting);
				const result = await store.commit(transaction);
				await new Promise((resolve) => setImmediate(resolve));
				if (--waiting === 0 && ++batches === 2) stop.abort();
				return result;
			},
		};
		const options = { now: Date.now() + 2 * hour, runRetentionMs: hour };
		expect(await sweep(counting, { ...options, signal: stop.signal })).toMatchObject({ runs: 64 });
		expect(most).toBe(32);
		expect(await sweep(store, options)).toMatchObject({ runs: 36 });
	});

	it("goes on with the other steps when one of them fails, and then says why", async () => {
		const store = createMemoryStore();
		const now = Date.now();
		await runToEnd(store, "1", large("1"), now);
		await store.commit({ operations: [{ type: "set", key: layout.variable("tests", "old"), value: "1", expiresAt: now - 1 }] });
		const broken: Store = {
			...store,
			heads: (range) => {
				if (range.prefix[0] === layout.runs[0]) throw new RuntimeError("unavailable", "The list of runs cannot be read.");
				return store.heads(range);
			},
		};
		await expect(sweep(broken, { now: now + 2 * hour, runRetentionMs: hour })).rejects.toThrow(
			"The list of runs cannot be read.",
		);
		expect(await store.expired(10)).toEqual([]);
	});

	it("keeps the former values that a run may refer to when that run cannot be removed", async () => {
		const store = createMemoryStore();
		const now = Date.now();
		for (const id of ["1", "2"]) await runToEnd(store, id, large(id), now);
		const before = await everything(store);
		const stubborn: Store = {
			...store,
			commit: async (transaction) => {
				if (transaction.checks?.some(({ key }) => key[1] === "1")) throw new RuntimeError("unavailable", "Not this one.");
				return store.commit(transaction);
			},
		};
		await expect(sweep(stubborn, { now: now + 2 * hour, runRetentionMs: hour })).rejects.toThrow("Not this one.");
		expect(await everything(store)).toEqual(before.filter((key) => !/^[a-z-]+ 2( |$)/.test(key)));
	});

	it.each(stores)("is claimed and done in $name that is full to the last byte", async ({ open }) => {
		await using opened = await open();
		const { store } = opened;
		const expiresAt = Date.now() - 1;
		const value = JSON.stringify("v".repeat(200_000));
		await writeRecords(store, 40, Date.now());
		await store.commit({
			operations: [
				...Array.from({ length: 33 }, (_, index) => ({ key: layout.variable("tests", `large ${index}`), value })),
				...Array.from({ length: 40 }, (_, index) => ({ key: layout.variable("tests", `small ${index}`), value: "1" })),
			].map((entry) => ({ type: "set", ...entry, expiresAt })),
		});
		for (const size of [1_000_000, 50_000, 100])
			for (let index = 0; ; index++) {
				const operations: StoreOperation[] = [{ type: "set", key: ["fill", size, index], value: "x".repeat(size) }];
				if (!(await store.commit({ operations }).then(Boolean, () => false))) break;
			}
		expect(await claimSweep(store)).toBe(true);
		expect(await sweep(store, { now: Date.now() + 2 * hour, runRetentionMs: hour })).toMatchObject({
			runs: 40,
			expiredVariables: 73,
		});
		expect(await store.expired(1)).toEqual([]);
		expect(await store.heads({ prefix: layout.allFormerVariables, limit: 100 })).toHaveLength(33);
	});

	it("reads no value to find the former values that are due", async () => {
		const store = createMemoryStore();
		const now = Date.now();
		for (const id of ["1", "2"]) await runToEnd(store, id, large(id), now);
		const lists = vi.fn(store.list);
		expect(await sweep({ ...store, list: lists }, { now: now + 2 * hour, runRetentionMs: hour })).toMatchObject({
			formerValues: 1,
		});
		expect(lists).not.toHaveBeenCalled();
	});
});

describe("the claim of a sweep", () => {
	const minute = 60_000;
	const noon = Date.UTC(2026, 0, 1, 12);

	beforeEach(() => {
		vi.useFakeTimers({ toFake: ["Date"], now: noon });
	});
	afterEach(() => {
		vi.useRealTimers();
	});

	it("goes to one of those who ask in a period of ten minutes", async () => {
		const store = createMemoryStore();
		expect(await Promise.all([claimSweep(store), claimSweep(store), claimSweep(store)])).toEqual([true, false, false]);
		vi.setSystemTime(noon + 9 * minute);
		expect(await claimSweep(store)).toBe(false);
		vi.setSystemTime(noon + 10 * minute);
		expect(await claimSweep(store)).toBe(true);
		expect(await claimSweep(store)).toBe(false);
		expect(await store.list({ prefix: layout.lastSweep, limit: 10 })).toHaveLength(1);
	});

	it("is not held back by a clock that was set back", async () => {
		const store = createMemoryStore();
		expect(await claimSweep(store)).toBe(true);
		for (const back of [30 * 24 * hour, hour, 10 * minute]) {
			vi.setSystemTime(noon - back);
			expect(await claimSweep(store)).toBe(true);
			expect(await claimSweep(store)).toBe(false);
		}
	});
});
