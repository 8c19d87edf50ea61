import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AuditTrail, type ChainCheckpoint } from "../../host/audit-trail.ts";
import { ChainVerifier } from "../../host/audit-verification.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { StoreEntry } from "../../host/store/store.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { entryAt, hostId, type Tampering, tamper, withTrail, writeChain } from "./chains.ts";

const a = hostId("a");
const b = hostId("b");
const changed = "the code of the entry is wrong: it was changed or inserted";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
	directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const verify = (checkpoint?: readonly ChainCheckpoint[]) => withTrail(directory.path, (trail) => trail.verify(checkpoint));
const problems = async (checkpoint?: readonly ChainCheckpoint[]) => (await verify(checkpoint)).problems;

describe("an audit log that nobody has touched", () => {
	test("is in order, chain by chain, and each chain names the newest entry before it", async () => {
		await writeChain(directory.path, b, 3);
		await writeChain(directory.path, a, 2);
		const { chains, problems } = await verify();
		expect(problems).toEqual([]);
		expect(chains.map(({ host, sequence, count }) => [host, sequence, count])).toEqual([
			[a, 3, 3],
			[b, 4, 4],
		]);
		const entries = await withTrail(directory.path, (trail) => trail.list());
		expect(entries.map(({ host, sequence }) => [host, sequence])).toEqual([
			[b, 1],
			[b, 2],
			[b, 3],
			[b, 4],
			[a, 1],
			[a, 2],
			[a, 3],
		]);
		expect(entries[0]?.entry).toEqual({ type: "chain", keyId: expect.any(String), process: process.pid });
		expect(entries[4]?.entry).toMatchObject({ follows: { host: b, sequence: 4, mac: chains[1]?.mac } });
		expect(entries[1]).toMatchObject({
			previous: expect.any(String),
			entry: { type: "control", action: "action-1", actor: "me" },
		});
	});

	test("is in order when two processes wrote it at one time", async () => {
		await Promise.all([writeChain(directory.path, a, 40), writeChain(directory.path, b, 40)]);
		const { chains, problems } = await verify();
		expect(problems).toEqual([]);
		expect(chains.map(({ host, count }) => [host, count])).toEqual([
			[a, 41],
			[b, 41],
		]);
	});

	test("that is empty needs no key", async () => {
		expect(await verify()).toEqual({ chains: [], problems: [] });
	});

	test("is filtered by execution, type and time, and cut to the newest", async () => {
		const store = createMemoryStore({ audit: { hostId: a, key: Buffer.alloc(32) } });
		const texts = Array.from({ length: 5_000 }, (_, index) =>
			JSON.stringify({ type: index % 2 === 0 ? "effect" : "denied", execution: `run-${index % 3}`, index }),
		);
		for (let index = 0; index < texts.length; index += 500)
			await store.commit({ operations: [], audit: texts.slice(index, index + 500) });
		const trail = new AuditTrail(store, directory.path);
		const indexes = async (filter: object) => (await trail.list(filter)).map(({ entry }) => entry.index);
		expect(await indexes({ limit: 3 })).toEqual([4_997, 4_998, 4_999]);
		expect(await indexes({ execution: "run-1", type: "effect", limit: 2 })).toEqual([4_990, 4_996]);
		expect(await indexes({ since: Date.now() + 60_000 })).toEqual([]);
		expect(await indexes({ since: Date.now() - 60_000, type: "chain" })).toEqual([undefined]);
		expect(await indexes({})).toHaveLength(5_001);
	});
});

describe("in an audit log", () => {
	beforeEach(async () => {
		await writeChain(directory.path, a, 5);
		await writeChain(directory.path, b, 5);
	});

	test.each<[string, (tampering: Tampering) => void, readonly object[]]>([
		[
			"a changed byte",
			({ read, write }) => write(entryAt(a, 3), read(entryAt(a, 3)).replace("action-2", "action-9")),
			[{ host: a, sequence: 3, problem: changed }],
		],
		[
			"an entry without its code",
			({ read, write }) => write(entryAt(a, 3), `${read(entryAt(a, 3)).split(',"mac"')[0]}}`),
			[{ host: a, sequence: 3, problem: "the entry cannot be read" }],
		],
		["a removed entry", ({ remove }) => remove(entryAt(a, 4)), [{ host: a, sequence: 4, problem: "the entry is missing" }]],
		[
			"several removed entries",
			({ remove }) => {
				remove(entryAt(a, 3));
				remove(entryAt(a, 4));
			},
			[{ host: a, sequence: 3, problem: "the entries up to 4 are missing" }],
		],
		["a removed beginning", ({ remove }) => remove(entryAt(b, 1)), [{ host: b, sequence: 1, problem: "the entry is missing" }]],
		[
			"an entry that was made to expire",
			({ read, write }) => write(entryAt(a, 4), read(entryAt(a, 4)), 1),
			[{ host: a, sequence: 4, problem: "the entry is missing" }],
		],
		[
			"two entries that changed places",
			({ read, write }) => {
				const third = read(entryAt(a, 3));
				write(entryAt(a, 3), read(entryAt(a, 4)));
				write(entryAt(a, 4), third);
			},
			[
				{ host: a, sequence: 3, problem: `entry 4 of the chain ${a} was put here` },
				{ host: a, sequence: 4, problem: `entry 3 of the chain ${a} was put here` },
			],
		],
		[
			"an entry of another chain",
			({ read, write }) => write(entryAt(a, 3), read(entryAt(b, 3))),
			[{ host: a, sequence: 3, problem: `entry 3 of the chain ${b} was put here` }],
		],
		[
			"a removed entry whose place was closed",
			({ read, write, remove }) => {
				for (let sequence = 3; sequence < 6; sequence++) write(entryAt(a, sequence), read(entryAt(a, sequence + 1)));
				remove(entryAt(a, 6));
			},
			[
				...[3, 4, 5].map((sequence) => ({
					host: a,
					sequence,
					problem: `entry ${sequence + 1} of the chain ${a} was put here`,
				})),
				// The next chain has seen the end of this one.
				{ host: a, sequence: 6, problem: `the chain was cut off here; the chain ${b} has seen entries up to 6` },
			],
		],
		[
			"an inserted entry",
			({ read, write }) => write(entryAt(a, 7), read(entryAt(a, 6)).replace('"sequence":6', '"sequence":7')),
			[{ host: a, sequence: 7, problem: changed }],
		],
		[
			"an entry at a place that there is not",
			({ read, write }) => write([...entryAt(a, 3), "x"], read(entryAt(a, 3))),
			[{ problem: `["audit","${a}",3,"x"] is no place of an entry: it was inserted` }],
		],
		[
			"a forged chain",
			({ read, write }) => write(entryAt(hostId("c"), 1), read(entryAt(a, 1)).replaceAll(a, hostId("c"))),
			[{ host: hostId("c"), sequence: 1, problem: changed }],
		],
	])("%s is found and named", async (_, change, expected) => {
		expect(await problems()).toEqual([]);
		await tamper(directory.path, change);
		expect(await problems()).toEqual(expected);
	});

	test("a cut tail is found against a checkpoint, and is not without one", async () => {
		const { chains } = await verify();
		await tamper(directory.path, ({ remove }) => {
			remove(entryAt(b, 5));
			remove(entryAt(b, 6));
		});
		expect(await problems()).toEqual([]);
		expect(await problems(chains)).toEqual([
			{ host: b, sequence: 5, problem: "the chain was cut off here; the checkpoint has seen entries up to 6" },
		]);
	});

	test("a removed chain is found when a later one names it, and the last one against a checkpoint", async () => {
		const { chains } = await verify();
		await tamper(directory.path, ({ remove }) => {
			for (let sequence = 1; sequence <= 6; sequence++) remove(entryAt(b, sequence));
		});
		expect(await problems()).toEqual([]);
		expect(await problems(chains)).toEqual([
			{ host: b, problem: "the chain is missing; the checkpoint has seen 6 entries of it" },
		]);
	});

	test("an older copy of the whole store is found against a checkpoint", async () => {
		const file = join(directory.path, "store.lmdb");
		const copy = readFileSync(file);
		await writeChain(directory.path, hostId("c"), 2);
		const { chains } = await verify();
		writeFileSync(file, copy);
		expect(await problems()).toEqual([]);
		expect(await problems(chains)).toEqual([
			{ host: hostId("c"), problem: "the chain is missing; the checkpoint has seen 3 entries of it" },
		]);
	});

	test("what was written since a checkpoint is in order", async () => {
		const { chains } = await verify();
		await writeChain(directory.path, hostId("c"), 2);
		expect(await problems(chains)).toEqual([]);
	});

	test("a chain that was written anew is another than the checkpoint has seen", async () => {
		const { chains } = await verify();
		await tamper(directory.path, ({ remove }) => {
			for (let sequence = 1; sequence <= 6; sequence++) remove(entryAt(b, sequence));
		});
		await writeChain(directory.path, b, 5);
		expect(await problems(chains)).toEqual([
			{ host: b, sequence: 6, problem: "the entry is another than the one that the checkpoint has seen" },
		]);
	});

	test("another key verifies nothing, and without one nothing is said to be in order", async () => {
		const file = join(directory.path, "keys", "audit.key");
		writeFileSync(file, Buffer.alloc(32, 7));
		const found = await problems();
		expect(found).toHaveLength(12);
		expect(found[0]).toEqual({ host: a, sequence: 1, problem: "the chain was made with another key" });
		rmSync(file);
		await expect(verify()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("is gone") });
		writeFileSync(file, "short");
		await expect(verify()).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("5 bytes") });
	});

	test("the key is in a directory and a file of its own that only this user may read", () => {
		const keys = statSync(join(directory.path, "keys"));
		const key = statSync(join(directory.path, "keys", "audit.key"));
		expect([keys.mode & 0o777, key.mode & 0o777, key.size]).toEqual([0o700, 0o600, 32]);
	});
});

test("whichever byte of an entry is changed, the entry is named", async () => {
	const key = Buffer.alloc(32, 1);
	const store = createMemoryStore({ audit: { hostId: a, key } });
	await store.commit({ operations: [], audit: ['{"type":"control","action":"x"}', '{"type":"control","action":"\u00e4"}'] });
	const entries = await store.list({ prefix: layout.audit, limit: 10 });
	const verifyEntries = (changedEntries: readonly StoreEntry[]) => {
		const verifier = new ChainVerifier(key, []);
		for (const entry of changedEntries) verifier.add(entry);
		return verifier.end().problems;
	};
	expect(verifyEntries(entries)).toEqual([]);
	const second = entries[1] as StoreEntry;
	for (let at = 0; at < second.value.length; at++) {
		const other = second.value[at] === "x" ? "y" : "x";
		const value = second.value.slice(0, at) + other + second.value.slice(at + 1);
		const found = verifyEntries([entries[0] as StoreEntry, { ...second, value }, entries[2] as StoreEntry]);
		expect(found, `byte ${at}`).toMatchObject([{ host: a, sequence: 2 }]);
	}
	for (const value of ["", "{}", `${second.value} `, ` ${second.value}`, second.value.slice(0, -1)])
		expect(verifyEntries([entries[0] as StoreEntry, { ...second, value }])).toMatchObject([{ host: a, sequence: 2 }]);
});

test("what a transaction says of its sequence, time or code stays inside of the entry", async () => {
	const key = Buffer.alloc(32, 1);
	const store = createMemoryStore({ audit: { hostId: a, key } });
	const forged = `{"type":"x","sequence":9,"host":"${b}","mac":"x","__proto__":{"y":1}}`;
	await store.commit({ operations: [], audit: [forged] });
	for (const text of ["", "[]", "1", "null", '{"a":1},"mac":"x"', '{"a":1}{"b":2}', "{"])
		await expect(store.commit({ operations: [{ type: "set", key: ["k"], value: "1" }], audit: [text] })).rejects.toMatchObject({
			code: "invalid",
			message: "An audit entry must be the text of a JSON object.",
		});
	await expect(store.commit({ operations: [], audit: [JSON.stringify({ x: "x".repeat(10_000) })] })).rejects.toMatchObject({
		code: "invalid",
	});
	expect(await store.get(["k"])).toBeUndefined();
	const entries = await store.list({ prefix: layout.audit, limit: 10 });
	expect(entries.map((entry) => entry.key)).toEqual([entryAt(a, 1), entryAt(a, 2)]);
	const verifier = new ChainVerifier(key, []);
	for (const entry of entries) verifier.add(entry);
	expect(verifier.end().problems).toEqual([]);
	expect(JSON.parse(entries[1]?.value as string)).toMatchObject({ host: a, sequence: 2, entry: { sequence: 9 } });
});
