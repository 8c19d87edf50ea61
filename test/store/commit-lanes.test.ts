import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CommitLanes } from "../../host/store/commit-lanes.ts";
import { storeFileName } from "../../host/store/data-directory.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { openLmdb } from "../../host/store/lmdb-tree.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { StoreTransaction } from "../../host/store/store.ts";
import { temporaryDirectory } from "./directory.ts";

const MiB = 1024 * 1024;
const maxStoreBytes = 256 * MiB;

describe("what waits for the writer", () => {
	const message = (text: string) => Buffer.from(text);
	const takeAll = (lanes: CommitLanes<string>): string[] => {
		const taken: string[] = [];
		for (let next = lanes.next(); next; next = lanes.next()) taken.push(`${next.client}${next.message}`);
		return taken;
	};

	test("is taken from the accounts in turn, however many clients an account has, and in order for each client", () => {
		const lanes = new CommitLanes<string>();
		for (let number = 0; number < 4; number++) for (const client of ["x", "y"]) lanes.add("flood", client, message(`f${number}`));
		lanes.add("calm", "x", message("c0"));
		lanes.add("", "z", message("n0"));
		lanes.add("calm", "x", message("c1"));
		expect(takeAll(lanes)).toEqual(["xf0", "xc0", "zn0", "yf0", "xc1", "xf1", "yf1", "xf2", "yf2", "xf3", "yf3"]);
		expect(lanes.isEmpty).toBe(true);
	});

	test("goes on in turn when more comes meanwhile", () => {
		const lanes = new CommitLanes<string>();
		for (let number = 0; number < 3; number++) lanes.add("a", "x", message(`a${number}`));
		lanes.next();
		lanes.add("b", "x", message("b0"));
		expect(takeAll(lanes)).toEqual(["xa1", "xb0", "xa2"]);
	});

	test("is forgotten with its client, and nothing else is", () => {
		const lanes = new CommitLanes<string>();
		for (const account of ["a", "b"]) for (const client of ["x", "y"]) lanes.add(account, client, message(account));
		lanes.add("c", "x", message("c"));
		lanes.next();
		lanes.drop("x");
		lanes.drop("none");
		expect(takeAll(lanes)).toEqual(["yb", "ya"]);
		lanes.add("c", "x", message("c"));
		lanes.drop("x");
		expect(lanes.isEmpty).toBe(true);
		expect(lanes.next()).toBeUndefined();
	});

	test("is taken once and in order, however much there is", () => {
		const lanes = new CommitLanes<number>();
		for (let number = 0; number < 100_000; number++) lanes.add(`account-${number % 3}`, number % 2, message(String(number)));
		const last = new Map<number, number>();
		let taken = 0;
		for (let next = lanes.next(); next; next = lanes.next(), taken++) {
			const number = Number(next.message.toString());
			const lane = number % 6;
			if (number !== (last.get(lane) ?? lane - 6) + 6) expect.fail(`${number} came after ${last.get(lane)}`);
			last.set(lane, number);
		}
		expect(taken).toBe(100_000);
	});
});

describe("an account that floods the writer", () => {
	const transaction = (name: string, index: number): StoreTransaction => ({
		operations: [{ type: "set", key: ["k", name, index % 50], value: "x".repeat(2_000) }],
		account: { key: ["accounts", name], maxBytes: 2 ** 40 },
	});

	test("from the same thread does not keep the others waiting", async () => {
		const directory = temporaryDirectory();
		const store = await openLmdbStore({ directory: directory.path, maxStoreBytes });
		try {
			const order: string[] = [];
			const note = (name: string) => () => void order.push(name);
			const commits: Promise<void>[] = [];
			const file = join(directory.path, storeFileName);
			const lock = openLmdb(file, { readOnly: false, mapBytes: 2 * maxStoreBytes + 64 * MiB });
			// The writer waits for this transaction, and gets nothing done while all is posted but what it has begun with.
			lock.write(() => {
				for (let index = 0; index < 6_000; index++) commits.push(store.commit(transaction("flood", index)).then(note("flood")));
				for (let index = 0; index < 100; index++)
					commits.push(store.commit(transaction(`calm-${index % 4}`, index)).then(note("calm")));
			});
			await Promise.all(commits);
			await lock.close();
			// One group, 512 at most, and then one of the flood for each four of the others.
			expect(order.lastIndexOf("calm")).toBeLessThan(512 + 150);
		} finally {
			await store.close();
			directory.remove();
		}
	});

	test("without a pause does not keep one waiting that posts one after the other", async () => {
		const directory = temporaryDirectory();
		const store = await openLmdbStore({ directory: directory.path, maxStoreBytes });
		try {
			let answered = 0;
			let stopped = false;
			// Always some hundreds under way: in one queue every calm commit would wait for all of them.
			const lane = async (index: number): Promise<void> => {
				while (!stopped) {
					await store.commit(transaction("flood", index));
					answered++;
				}
			};
			const flood = Array.from({ length: 2_000 }, (_, index) => lane(index));
			const waits: number[] = [];
			for (let index = 0; index < 20; index++) {
				const before = answered;
				await store.commit(transaction("calm", index));
				waits.push(answered - before);
			}
			stopped = true;
			await Promise.all(flood);
			waits.sort((a, b) => a - b);
			// In one queue it would be 2,000 each time. It is the group under way and its own.
			expect(waits[10]).toBeLessThanOrEqual(1_100);
		} finally {
			await store.close();
			directory.remove();
		}
	});
});

test("a store in memory answers in the order of the calls", async () => {
	const store = createMemoryStore();
	const order: number[] = [];
	await Promise.all(
		[0, 1, 2].map((index) =>
			store.commit({ operations: [], account: { key: ["a", index], maxBytes: 0 } }).then(() => void order.push(index)),
		),
	);
	expect(order).toEqual([0, 1, 2]);
});
