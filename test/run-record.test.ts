import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { RuntimeError } from "../host/contract/errors.ts";
import { resolveLimits } from "../host/contract/limits.ts";
import { type Ending, type ExecutionRecord, Executions, readRecord, writeRecord } from "../host/executions.ts";
import { createHost, type Host } from "../host/index.ts";
import { layout } from "../host/layout.ts";
import { RunRecord } from "../host/run-record.ts";
import { createMemoryStore } from "../host/store/memory-store.ts";
import type { Store, StoreTransaction } from "../host/store/store.ts";

const record: ExecutionRecord = {
	id: "01a20000-0000-7000-8000-000000000000",
	namespace: "tests",
	hostId: "host",
	event: {},
	mode: "sandbox",
	attempt: 1,
	scopes: [],
	limits: resolveLimits({ maxWallTimeMs: 1_234 }),
	allowedHosts: [],
	startedAt: 1,
	deadlineAt: 2,
	status: "created",
	script: { name: "a.js", sha256: "", bytes: 0 },
	createdAt: 1,
};
const ending: Ending = {
	status: "succeeded",
	usage: { wallTimeMs: 1, cpuTimeMs: 1, memoryBytes: 1, hostCalls: 1, logBytes: 0 },
	startedAt: 3,
	deadlineAt: 4,
	operations: [{ type: "set", key: layout.output(record.id, 1), value: '"x"' }],
};

function observe(): { readonly store: Store; readonly executions: Executions; readonly commits: StoreTransaction[] } {
	const inner = createMemoryStore();
	const commits: StoreTransaction[] = [];
	const store: Store = {
		...inner,
		commit(transaction) {
			commits.push(transaction);
			return inner.commit(transaction);
		},
	};
	return { store, executions: new Executions(store), commits };
}

test("a run without effects is written once, with its end", async () => {
	const { store, executions, commits } = observe();
	const run = new RunRecord(executions, record, '"in"');
	expect(run.start(3, 4)).toMatchObject({ opening: "create" });
	const { complete } = await run.end(ending, false);
	expect(complete).toBe(true);
	expect(commits).toHaveLength(1);
	expect(await executions.outcome(record.id)).toMatchObject({ status: "succeeded", output: "x" });
	expect((await store.get(layout.input(record.id)))?.value).toBe('"in"');
	expect(await store.list({ prefix: layout.allLive, limit: 1 })).toEqual([]);
});

test("a run is in the store soon, waiting or running, without any effect of its own", async () => {
	const { executions } = observe();
	const run = new RunRecord(executions, record, undefined);
	await expect.poll(() => executions.get(record.id)).toMatchObject({ status: "created" });
	expect(run.start(3, 4)).toMatchObject({ opening: "start" });
	await expect.poll(() => executions.get(record.id)).toMatchObject({ status: "running", startedAt: 3 });
	await run.end(ending, true);
	await wait(60);
	expect(await executions.get(record.id)).toMatchObject({ status: "succeeded" });
});

test("a run that its worker may have written down is ended once, whether it has or not", async () => {
	const { store, executions } = observe();
	const run = new RunRecord(executions, record, undefined);
	run.start(3, 4);
	await executions.create({ ...record, status: "running" }, undefined, []);
	expect(await run.end(ending, false)).toMatchObject({ complete: true, record: { status: "succeeded" } });
	expect(await store.list({ prefix: layout.allLive, limit: 1 })).toEqual([]);
	expect(await run.end(ending, false)).toMatchObject({ complete: false });
});

test("log lines of a run wait for nothing but the run's record", async () => {
	const { executions } = observe();
	const run = new RunRecord(executions, record, undefined);
	run.start(3, 4);
	const line = { sequence: 1, at: "2026-01-01T00:00:00.000Z", level: "info", source: "log", message: "hello" } as const;
	await run.appendLogs([line]);
	expect(await executions.logs(record.id)).toEqual([line]);
	await run.end(ending, false);
	await expect(run.appendLogs([line])).rejects.toMatchObject({ code: "unavailable" });
});

test("a stored record has the limits that are not the defaults, and reads back with all", () => {
	const text = writeRecord(record);
	expect(JSON.parse(text)).toMatchObject({ limits: { maxWallTimeMs: 1_234 } });
	expect(Object.keys(JSON.parse(text).limits)).toHaveLength(1);
	expect(readRecord(text)).toEqual(record);
});

test("runs that wait for a worker can be listed, and those that compute", async () => {
	await using host: Host = await createHost({ limits: { maxWorkers: 1 } });
	const cancel = new AbortController();
	const source = "for (;;);";
	const runs = [1, 2].map(() => host.run({ script: { name: "loop.js", source }, signal: cancel.signal }));
	await expect
		.poll(async () => (await host.executions.list()).map(({ status }) => status).toSorted(), { timeout: 5_000 })
		.toEqual(["created", "running"]);
	cancel.abort();
	for (const { status } of await Promise.all(runs)) expect(status).toBe("cancelled");
	expect((await host.executions.list()).map(({ status }) => status)).toEqual(["cancelled", "cancelled"]);
});

test("a run that cannot be written down with its end is rejected when nothing of it is there, and ended when something is", async () => {
	for (const isThere of [false, true]) {
		const inner = createMemoryStore();
		let full = false;
		const store: Store = {
			...inner,
			commit: async (transaction) => {
				if (full && !transaction.reserve) throw new RuntimeError("unavailable", "The store is full.");
				return inner.commit(transaction);
			},
		};
		const executions = new Executions(store);
		const run = new RunRecord(executions, record, undefined);
		run.start(3, 4);
		if (isThere) await executions.create({ ...record, status: "running" }, undefined, []);
		full = true;
		if (isThere) expect(await run.end(ending, false)).toMatchObject({ complete: false, record: { status: "failed" } });
		else await expect(run.end(ending, false)).rejects.toMatchObject({ code: "unavailable" });
		expect(await store.list({ prefix: layout.allLive, limit: 1 })).toEqual([]);
	}
});

test("an end that is too large for one transaction with the run's opening is written after it", async () => {
	const inner = createMemoryStore();
	const store: Store = {
		...inner,
		commit: async (transaction) => {
			if (transaction.operations.length > 4) throw new RuntimeError("too-large", "The transaction is too large.");
			return inner.commit(transaction);
		},
	};
	const executions = new Executions(store);
	const run = new RunRecord(executions, record, '"in"');
	run.start(3, 4);
	expect(await run.end(ending, false)).toMatchObject({ complete: true });
	expect(await executions.outcome(record.id)).toMatchObject({ status: "succeeded", output: "x" });
});

test("a run that was given up is not written down later", async () => {
	const { executions, commits } = observe();
	{
		using run = new RunRecord(executions, record, undefined);
		run.start(3, 4);
	}
	await wait(80);
	expect(commits).toEqual([]);
});
