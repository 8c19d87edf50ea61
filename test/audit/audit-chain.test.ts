import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { serialize } from "node:v8";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChainVerifier } from "../../host/audit-verification.ts";
import { layout } from "../../host/layout.ts";
import { AuditChain } from "../../host/store/audit-chain.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import { createMemoryTree } from "../../host/store/memory-tree.ts";
import { listEntries } from "../../host/store/reader.ts";
import type { Store } from "../../host/store/store.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { hostId, maxStoreBytes, withTrail } from "./chains.ts";

const a = hostId("a");
const note = (number: number): string => JSON.stringify({ type: "control", number });

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
	directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const numbers = async (store: Store) =>
	(await store.list({ prefix: layout.audit, limit: 1_000 })).map(({ value }) => JSON.parse(value).entry.number);

describe.each<[string, () => Promise<Store>]>([
	["a store in memory", async () => createMemoryStore({ audit: { hostId: a, key: Buffer.alloc(32) } })],
	["an embedded store", () => openLmdbStore({ directory: directory.path, maxStoreBytes, audit: { hostId: a } })],
])("the audit entries of a transaction in %s", (_, open) => {
	let store: Store;
	beforeEach(async () => {
		store = await open();
	});
	afterEach(() => store.close());

	test("are there if and only if it was applied", async () => {
		const refused = [
			await store.commit({ checks: [{ key: ["k"], is: "present" }], operations: [], audit: [note(1)] }),
			await store.commit({
				operations: [
					{ type: "set", key: ["k"], value: "text" },
					{ type: "increment", key: ["k"], by: 1 },
				],
				audit: [note(2)],
			}),
			await store.commit({
				operations: [{ type: "set", key: ["k"], value: "1" }],
				account: { key: layout.account("n"), maxBytes: 0 },
				audit: [note(3)],
			}),
		];
		expect(refused.map((result) => !result.committed && result.reason)).toEqual(["check", "not-a-number", "account"]);
		expect(await numbers(store)).toEqual([]);
		await store.commit({ operations: [{ type: "set", key: ["k"], value: "1" }], audit: [note(4), note(5)] });
		expect(await numbers(store)).toEqual([undefined, 4, 5]);
		// Also of one that changes nothing.
		await store.commit({ operations: [{ type: "delete", key: ["none"] }], audit: [note(6)] });
		expect(await numbers(store)).toEqual([undefined, 4, 5, 6]);
	});

	test("are in the order of the transactions, and versions are not used twice", async () => {
		const results = await Promise.all(
			Array.from({ length: 200 }, (_, index) =>
				store.commit({ operations: index % 2 ? [] : [{ type: "set", key: ["k"], value: "1" }], audit: [note(index)] }),
			),
		);
		expect(await numbers(store)).toEqual([undefined, ...Array.from({ length: 200 }, (_, index) => index)]);
		expect(new Set(results.map((result) => result.committed && result.version)).size).toBe(200);
	});

	test("are not counted in the account", async () => {
		const account = { key: layout.account("n"), maxBytes: 1_000 };
		await store.commit({ operations: [], account, audit: [note(1)] });
		expect(await store.get(account.key)).toBeUndefined();
	});
});

test("what a transaction that came to nothing has appended leaves no gap in the chain", async () => {
	const chain = new AuditChain({ hostId: a, key: Buffer.alloc(32) });
	const kept = createMemoryTree();
	const lost = createMemoryTree();
	for (const tree of [lost, kept, lost, lost, kept]) {
		chain.begin();
		chain.append(tree, [{ type: "control" }, { type: "control" }], 1, Date.now());
		if (tree === kept) chain.keep();
	}
	const verifier = new ChainVerifier(Buffer.alloc(32), []);
	for (const entry of listEntries(kept, { prefix: layout.audit, limit: 100 })) verifier.add(entry);
	expect(verifier.end()).toMatchObject({ problems: [], chains: [{ sequence: 5, count: 5 }] });
});

test("a store without an audit log drops the entries", async () => {
	const store = createMemoryStore();
	expect(await store.commit({ operations: [], audit: [note(1)] })).toMatchObject({ committed: true });
	expect(await numbers(store)).toEqual([]);
});

test("a store that is full still takes audit entries, and after them final statuses", async () => {
	const store = await openLmdbStore({ directory: directory.path, maxStoreBytes: 16 * 1024 * 1024, audit: { hostId: a } });
	for (const size of [1024 * 1024, 64 * 1024, 100])
		for (let index = 0, full = false; !full; index++)
			await store.commit({ operations: [{ type: "set", key: ["fill", size, index], value: "x".repeat(size) }] }).catch(() => {
				full = true;
			});
	let taken = 0;
	const refusal = await (async () => {
		for (; ; taken++) await store.commit({ operations: [], audit: [JSON.stringify({ text: "x".repeat(4_000) })] });
	})().catch((error) => error);
	expect(taken).toBeGreaterThan(20);
	expect(refusal).toMatchObject({ code: "unavailable", details: { limit: { name: "maxStoreBytes" } } });
	const status = { operations: [{ type: "set", key: ["status"], value: "x".repeat(1_000) } as const], reserve: true };
	expect(await store.commit(status)).toMatchObject({ committed: true });
	await store.close();
	expect((await withTrail(directory.path, (trail) => trail.verify())).problems).toEqual([]);
});

test("a process that is killed while it writes leaves a chain that is in order, and an entry for every effect", async () => {
	const file = fileURLToPath(new URL("audit-child.ts", import.meta.url));
	for (const [round, digit] of ["a", "b", "c"].entries()) {
		const id = hostId(digit);
		const child = spawn(process.execPath, [file, directory.path, id], { stdio: ["ignore", "pipe", "inherit"] });
		let acknowledged = 0;
		for await (const line of createInterface({ input: child.stdout })) {
			acknowledged = Math.max(acknowledged, Number(line));
			if (acknowledged >= 50 * (round + 1)) child.kill("SIGKILL");
		}
		expect(acknowledged).toBeGreaterThanOrEqual(50);
		const { chains, problems } = await withTrail(directory.path, (trail) => trail.verify());
		expect(problems).toEqual([]);
		const store = await openLmdbStore({ directory: directory.path, maxStoreBytes });
		const count = Number((await store.get(["count", id]))?.value);
		await store.close();
		expect(count).toBeGreaterThanOrEqual(acknowledged);
		expect(chains.find(({ host }) => host === id)?.count).toBe(count + 1);
	}
});

test("what a thread is given to use the store does not hold the key", async () => {
	const store = await openLmdbStore({ directory: directory.path, maxStoreBytes, audit: { hostId: a } });
	const key = readFileSync(join(directory.path, "keys", "audit.key"));
	const { port, ...connection } = store.connect();
	const given = serialize({ ...connection, phase: [...connection.phase] });
	for (const form of [key, Buffer.from(key.toString("hex")), Buffer.from(key.toString("base64"))])
		expect(given.includes(form)).toBe(false);
	expect(Object.keys(connection).sort()).toEqual(["file", "mapBytes", "phase"]);
	port.close();
	await store.close();
});
