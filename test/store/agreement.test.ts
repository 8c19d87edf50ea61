import { expect, test } from "vitest";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { StoreKey, StoreOperation, StoreTransaction } from "../../host/store/store.ts";
import { temporaryDirectory } from "./directory.ts";

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function createRandom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

test.each([1, 2, 3])("the embedded store and the one in memory agree on random transactions (seed %d)", async (seed) => {
	const random = createRandom(seed);
	const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
	const elements = ["", "a", "ab", "a\u0000", "\u0000", "\u{1F600}", "\uffff", 0, 1, 2 ** 40] as const;
	const key = (): StoreKey => Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(elements));
	const now = Date.now();
	const operation = (): StoreOperation => {
		const kind = random();
		if (kind < 0.45) {
			const value = pick(["1", "2.5", '"text"', "x".repeat(3_000), "x".repeat(20_000), ""]);
			return {
				type: "set",
				key: key(),
				value,
				author: pick(["", "me"]),
				...(random() < 0.3 ? { expiresAt: now + pick([-1_000, 3_600_000]) } : {}),
			};
		}
		if (kind < 0.65) return { type: "increment", key: key(), by: pick([1, -0.5, 2 ** 52]) };
		if (kind < 0.8) return { type: "delete", key: key() };
		if (kind < 0.9) return { type: "archive", key: key(), to: key(), overBytes: pick([0, 10]) };
		return { type: "delete-prefix", prefix: key() };
	};

	const directory = temporaryDirectory();
	const embedded = await openLmdbStore({ directory: directory.path, maxStoreBytes: 256 * 1024 * 1024 });
	const memory = createMemoryStore();
	const withoutTimes = (entry: object) => ({ ...entry, createdAt: 0, updatedAt: 0 });
	try {
		for (let round = 0; round < 250; round++) {
			const transaction: StoreTransaction = {
				checks: random() < 0.3 ? [{ key: key(), is: pick(["absent", "present"] as const) }] : [],
				operations: Array.from({ length: 1 + Math.floor(random() * 5) }, operation),
			};
			expect(await embedded.commit(transaction)).toEqual(await memory.commit(transaction));
			const range = {
				prefix: random() < 0.3 ? [] : key().slice(0, 1),
				limit: pick([1, 5, 100]),
				reverse: random() < 0.5,
				after: key(),
			};
			const expected = (await memory.list(range)).map(withoutTimes);
			expect((await embedded.list(range)).map(withoutTimes)).toEqual(expected);
		}
		for (const method of ["list", "expired"] as const) {
			const all = async (store: typeof memory) =>
				method === "list" ? store.list({ prefix: [], limit: 1_000 }) : store.expired(1_000);
			expect((await all(embedded)).map(withoutTimes)).toEqual((await all(memory)).map(withoutTimes));
		}
	} finally {
		await embedded.close();
		directory.remove();
	}
});
