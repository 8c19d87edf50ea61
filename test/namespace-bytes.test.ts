import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveLimits } from "../host/contract/limits.ts";
import { readRecord } from "../host/executions.ts";
import { createOperatorVariables } from "../host/helpers/operator.ts";
import { createHost, type Host, type Outcome } from "../host/index.ts";
import { layout } from "../host/layout.ts";
import { sweep } from "../host/retention.ts";
import { storedBytes } from "../host/store/account.ts";
import { keyRoomBytes } from "../host/store/key.ts";
import { openLmdbStore } from "../host/store/lmdb-store.ts";
import { createMemoryStore } from "../host/store/memory-store.ts";
import { recordHeaderBytes } from "../host/store/record.ts";
import type { Store, StoreEntry, StoreKey } from "../host/store/store.ts";
import { writeEntryKey } from "../host/store/tree.ts";
import { failureOf, startRun } from "./helpers/run.ts";
import { temporaryDirectory } from "./store/directory.ts";

const MiB = 1024 * 1024;

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
	directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** What is counted for each namespace, and what its entries really take. */
async function compare(store: Store): Promise<{ readonly counted: object; readonly taken: object }> {
	const owners = new Map<string, string>();
	const counted: Record<string, number> = {};
	const taken: Record<string, number> = {};
	const all = await store.list({ prefix: [], limit: 100_000 });
	for (const { key, value } of all)
		if (key[0] === layout.runs[0] && key.length === 2) owners.set(String(key[1]), readRecord(value).namespace);
	for (const entry of [...all, ...(await expired(store))]) {
		const [table, name, id] = entry.key;
		if (table === layout.account("")[0]) counted[String(name)] = Number(entry.value);
		else if (table === layout.audit[0] || table === layout.lastSweep[0]) continue;
		else {
			const run = table === layout.runs[0] ? name : table === layout.allLive[0] ? id : undefined;
			const owner = run === undefined ? String(name) : (owners.get(String(run)) ?? "nobody");
			taken[owner] = (taken[owner] ?? 0) + bytesOf(entry);
		}
	}
	for (const name of Object.keys(counted)) if (counted[name] === 0) delete counted[name];
	return { counted, taken };
}

async function expired(store: Store): Promise<StoreEntry[]> {
	const heads = await store.expired(10_000);
	return Promise.all(heads.map(async ({ key }) => (await store.get(key, { expired: true })) as StoreEntry));
}

function bytesOf({ key, value, author }: StoreEntry): number {
	const encoded = Buffer.alloc(keyRoomBytes);
	const keyBytes = writeEntryKey(key as StoreKey, encoded, 0);
	return storedBytes(encoded.subarray(0, keyBytes), recordHeaderBytes + Buffer.byteLength(author) + Buffer.byteLength(value));
}

async function inspect<T>(use: (store: Store) => Promise<T>): Promise<T> {
	const store = await openLmdbStore({ directory: directory.path, maxStoreBytes: 1024 * MiB });
	try {
		return await use(store);
	} finally {
		await store.close();
	}
}

const run = (host: Host, source: string, namespace: string, more: object = {}): Promise<Outcome> =>
	host.run({ script: { name: "script.js", source }, namespace, ...more });

describe("what a namespace has in the store", () => {
	test("is counted to the byte through runs of every end, the operator's writes, expiry and removal", async () => {
		const limits = { maxWorkers: 2, runRetentionMs: 24 * 60 * 60_000 };
		const host = await createHost({ dataDirectory: directory.path, limits });
		const busy = `
			export default async function (input) {
				await cronium.setVariable("small", input);
				await cronium.setVariable("large-" + (input % 3), "x".repeat(2_000 + input));
				await cronium.setVariable("short-lived", "x".repeat(3_000), { expiresInMs: 1 });
				await cronium.incrementVariable("count");
				await cronium.setCondition(input % 2 === 0);
				cronium.log.info("line " + input);
				if (input % 4 === 0) await cronium.deleteVariable("large-0");
				if (input % 5 === 0) throw new Error("failed");
				return "x".repeat(input * 100);
			}`;
		await Promise.all(
			Array.from({ length: 24 }, (_, input) =>
				run(host, busy, input % 2 ? "one" : "two", {
					input: String(input),
					...(input % 6 === 0 && { variables: { given: JSON.stringify("x".repeat(1_500 + input)) } }),
				}),
			),
		);
		await Promise.all([
			run(host, "for (;;);", "one", { limits: { maxWallTimeMs: 60 } }),
			run(host, "for (;;) await cronium.setVariable('loop', 1);", "two", { limits: { maxWallTimeMs: 100 } }),
			run(host, "not a script", "one"),
			run(host, "await new Promise(() => {})", "two"),
			host.variables("one").set("operator", JSON.stringify("x".repeat(5_000))),
		]);
		await host.variables("one").set("operator", "1");
		await host.variables("two").increment("count", 7);
		await host.variables("one").delete("large-1");
		const seen = [await host.storedBytes("one"), await host.storedBytes("two"), await host.storedBytes("three")];
		await host.dispose();
		await inspect(async (store) => {
			const { counted, taken } = await compare(store);
			expect(counted).toEqual(taken);
			expect(Object.keys(counted).sort()).toEqual(["one", "two"]);
			expect(seen[2]).toBe(0);
			await sweep(store, { now: Date.now() + 1_000, runRetentionMs: 0 });
			const later = await compare(store);
			expect(later.counted).toEqual(later.taken);
			await sweep(store, { now: Date.now() + 10 * 60_000, runRetentionMs: 0 });
			for (const namespace of ["one", "two"]) {
				const variables = createOperatorVariables({ store, namespace, limits: resolveLimits(), actor: "me" });
				for (const { key } of (await variables.list()).items) await variables.delete(key);
			}
			await sweep(store, { now: Date.now() + 10 * 60_000, runRetentionMs: 0 });
			expect(await compare(store)).toEqual({ counted: {}, taken: {} });
		});
		expect(seen[0]).toBeGreaterThan(5_000);
	});
});

describe("a namespace that is full", () => {
	const limits = { maxWorkers: 1, maxNamespaceBytes: 1 * MiB };
	const filler = `export default async function () {
		for (let i = 0; ; i++) try { await cronium.setVariable("fill" + i, "x".repeat(50_000)); } catch (error) {
			return { written: i, code: error.code, message: error.message, limit: error.limit ?? error.details?.limit };
		}
	}`;

	test("refuses what adds to it with too-large, keeps what it has and its final statuses, and leaves others alone", async () => {
		await using host = await createHost({ dataDirectory: directory.path, limits });
		const full = await run(host, filler, "full");
		expect(full).toMatchObject({
			status: "succeeded",
			output: {
				code: "too-large",
				message: expect.stringMatching(
					/^The namespace full has \d+ bytes stored, and this would add 5\d{4}; the limit maxNamespaceBytes is 1048576\.$/,
				),
			},
		});
		const { written } = full.output as { written: number };
		expect(written).toBeGreaterThan(15);
		expect(await host.variables("full").get(`fill${written - 1}`)).toHaveLength(50_002);
		expect(await host.storedBytes("full")).toBeLessThanOrEqual(1 * MiB);

		const operator = host.variables("full");
		await expect(operator.set("more", JSON.stringify("x".repeat(60_000)))).rejects.toMatchObject({
			code: "too-large",
			details: { limit: { name: "maxNamespaceBytes", value: 1 * MiB, unit: "bytes" } },
		});
		expect(await run(host, filler, "other")).toMatchObject({ status: "succeeded", output: { written } });

		await operator.delete("fill0");
		await operator.delete("fill1");
		expect(await run(host, "export default () => cronium.setVariable('again', 'x'.repeat(50_000))", "full")).toMatchObject({
			status: "succeeded",
		});
	});

	test("to the last byte still gets the final status of every run, and refuses runs that bring variables", async () => {
		{
			await using host = await createHost({ dataDirectory: directory.path, limits });
			await run(host, filler, "full");
			const variables = host.variables("full");
			for (const size of [20_000, 2_000, 200, 1])
				for (let number = 0, full = false; !full; number++)
					await variables.set(`${size}-${number}`, JSON.stringify("x".repeat(size))).catch(() => {
						full = true;
					});
			const before = await host.storedBytes("full");
			expect(before).toBeGreaterThan(1 * MiB - 300);
			const ids: string[] = [];
			for (const [source, input] of [
				["export default () => 1", undefined],
				["export default (input) => input.length", JSON.stringify("x".repeat(500_000))],
				["await cronium.setVariable('small', 1)", undefined],
				["throw new Error('mine')", undefined],
			] as const) {
				const outcome = await run(host, source, "full", input === undefined ? {} : { input });
				const error =
					source === "throw new Error('mine')"
						? { code: "script-error", message: "mine" }
						: source.includes("small")
							? { code: "script-error", errorCode: "too-large" }
							: { code: "storage-exceeded", limit: { name: "maxNamespaceBytes", value: 1 * MiB, unit: "bytes" } };
				expect(outcome).toMatchObject({ status: "failed", error });
				expect(await host.executions.get(outcome.executionId)).toMatchObject({ status: "failed", error });
				ids.push(outcome.executionId);
			}
			// No input and no journal are in the space that is kept for statuses.
			expect((await host.storedBytes("full")) - before).toBeLessThan(8_000);
			await expect(run(host, "", "full", { variables: { v: '"x"' } })).rejects.toMatchObject({
				code: "too-large",
				message: expect.stringContaining("maxNamespaceBytes"),
			});
			expect((await host.executions.list({ namespace: "full" })).map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
			expect(
				(await host.executions.list({ status: "created" })).length + (await host.executions.list({ status: "running" })).length,
			).toBe(0);
		}
		await inspect(async (store) => {
			const { counted, taken } = await compare(store);
			expect(counted).toEqual(taken);
			expect(await store.list({ prefix: layout.allLive, limit: 1 })).toEqual([]);
		});
	});
});

describe("a call that was refused because its namespace is full", () => {
	test("is in the journal, takes none of those behind it along, and its idempotency key stays free", async () => {
		const store = createMemoryStore();
		const run = await startRun({ store, limits: { maxNamespaceBytes: 1 * MiB } });
		const { variables } = run.helpers;
		await variables.set("a", JSON.stringify("x".repeat(900_000)), undefined, run.call());
		const large = JSON.stringify("y".repeat(200_000));
		const results = await Promise.allSettled([
			variables.set("b", large, undefined, run.call("key")),
			variables.set("c", "1", undefined, run.call()),
			variables.increment("n", 1, run.call()),
		]);
		expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
		expect(await failureOf(() => variables.set("b", large, undefined, run.call("key")))).toMatchObject({
			code: "too-large",
			details: { limit: { name: "maxNamespaceBytes", value: 1 * MiB, unit: "bytes" } },
		});
		await createOperatorVariables({ store, namespace: "tests", limits: resolveLimits(), actor: "me" }).delete("a");
		await variables.set("b", large, undefined, run.call("key"));
		await run.end();
		expect((await store.get(layout.variable("tests", "b")))?.value).toBe(large);
		const segments = await store.list({ prefix: layout.journal("run-1"), limit: 100 });
		const entries = segments.flatMap(({ value }) => JSON.parse(value) as { sequence?: number; error?: { code: string } }[]);
		// The last one completes the increment.
		expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, undefined]);
		expect(entries.slice(0, 6).map(({ error }) => error?.code)).toEqual([
			undefined,
			"too-large",
			undefined,
			undefined,
			"too-large",
			undefined,
		]);
	});

	test("keeps reads and denials waiting until there is room, without an order that is broken", async () => {
		const store = createMemoryStore();
		const run = await startRun({ store, limits: { maxNamespaceBytes: 1 * MiB, maxJournalBytes: 4 * MiB } });
		const { variables } = run.helpers;
		await variables.set("a", JSON.stringify("x".repeat(1_000_000)), undefined, run.call());
		// More than a journal holds back: it asks for a transaction, and is refused.
		for (let call = 0; call < 3_000; call++) await variables.get("a", run.call());
		await failureOf(() => variables.set("b", JSON.stringify("y".repeat(200_000)), undefined, run.call()));
		await createOperatorVariables({ store, namespace: "tests", limits: resolveLimits(), actor: "me" }).delete("a");
		await variables.set("b", "1", undefined, run.call());
		const remainder = await run.end();
		expect(remainder.failure).toBeUndefined();
		expect((await store.get(layout.variable("tests", "b")))?.value).toBe("1");
	});
});
