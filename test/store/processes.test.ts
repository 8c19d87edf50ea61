import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LmdbStore, openLmdbStore } from "../../host/store/lmdb-store.ts";
import type { StoreChange } from "../../host/store/store.ts";
import { temporaryDirectory } from "./directory.ts";
import { type StoreProcess, startStoreProcess } from "./store-process.ts";

const maxStoreBytes = 256 * 1024 * 1024;

describe("two processes on one data directory", () => {
	let directory: ReturnType<typeof temporaryDirectory>;
	let here: LmdbStore;
	let there: StoreProcess;

	beforeEach(async () => {
		directory = temporaryDirectory();
		there = startStoreProcess();
		// At the same moment: both may be the one that makes the store.
		[here] = await Promise.all([
			openLmdbStore({ directory: directory.path, maxStoreBytes }),
			there.open({ directory: directory.path, maxStoreBytes }),
		]);
	});
	afterEach(async () => {
		await there.end();
		await here.close();
		directory.remove();
	});

	test("each sees at once what the other was told is committed", async () => {
		for (let round = 0; round < 20; round++) {
			await there.commit({ operations: [{ type: "set", key: ["a"], value: `there ${round}` }] });
			expect(here.get(["a"])).toMatchObject({ value: `there ${round}` });
			await here.commit({ operations: [{ type: "set", key: ["a"], value: `here ${round}` }] });
			expect(await there.get(["a"])).toMatchObject({ value: `here ${round}` });
		}
	});

	test("both count together, and no version is given twice", async () => {
		const increment = { operations: [{ type: "increment", key: ["n"], by: 1 }] } as const;
		const transactions = Array.from({ length: 500 }, () => increment);
		const results = (
			await Promise.all([there.commitAll(transactions), Promise.all(transactions.map((transaction) => here.commit(transaction)))])
		).flat();
		const versions = results.map((result) => ("version" in result ? result.version : undefined));
		expect(new Set(versions).size).toBe(1_000);
		expect(versions).not.toContain(undefined);
		expect(here.get(["n"])).toMatchObject({ value: "1000" });
	});

	test("a check is made against what the other process wrote", async () => {
		const first = await there.commit({ operations: [{ type: "set", key: ["a"], value: "1" }] });
		expect(await here.commit({ checks: [{ key: ["a"], is: "absent" }], operations: [] })).toEqual({
			committed: false,
			reason: "check",
			index: 0,
			currentVersion: first.committed && first.version,
		});
	});

	test("the changes of the other process are hinted at", async () => {
		const abort = new AbortController();
		const iterable = here.changes(["a"], { signal: abort.signal });
		await there.commit({ operations: [{ type: "set", key: ["a", 1], value: "1" }] });
		const seen: StoreChange[] = [];
		for await (const change of iterable) {
			seen.push(change);
			break;
		}
		expect(seen).toMatchObject([{ type: "changed", keys: [["a", 1]] }]);
	});

	test("one that is killed does not hold up the other", async () => {
		const large = { operations: [{ type: "set", key: ["large"], value: "x".repeat(4 * 1024 * 1024) }] } as const;
		const killed = expect(there.commitAll(Array.from({ length: 10 }, () => large))).rejects.toThrow();
		await new Promise((resolve) => setTimeout(resolve, 60));
		there.process.kill("SIGKILL");
		await killed;
		expect(await here.commit({ operations: [{ type: "set", key: ["a"], value: "1" }] })).toMatchObject({ committed: true });
	});
});
