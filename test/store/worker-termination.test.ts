import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectLmdbStore, prepareTermination } from "../../host/store/lmdb-connection.ts";
import { type LmdbStore, openLmdbStore } from "../../host/store/lmdb-store.ts";
import { temporaryDirectory } from "./directory.ts";

const flood = new URL("flood-worker.ts", import.meta.url);

describe("script workers and the writer", () => {
	let directory: ReturnType<typeof temporaryDirectory>;
	let store: LmdbStore;

	beforeEach(async () => {
		directory = temporaryDirectory();
		store = await openLmdbStore({ directory: directory.path, maxStoreBytes: 256 * 1024 * 1024 });
	});
	afterEach(async () => {
		await store.close();
		directory.remove();
	});

	test("a worker that is terminated while its writes are queued loses none that was acknowledged, and holds up nobody", async () => {
		let acknowledgedInAll = 0;
		for (let round = 0; round < 6; round++) {
			const workers = await Promise.all([0, 1, 2, 3].map((lane) => startFlood(`${round}-${lane}`)));
			await writesAcknowledged(workers, 10 * round);
			const committing = store.commit({ operations: [{ type: "set", key: ["round"], value: String(round) }] });
			await Promise.all(
				workers.map(async ({ worker, connection }) => {
					await prepareTermination(connection);
					await worker.terminate();
				}),
			);
			expect(await committing).toMatchObject({ committed: true });
			for (const { name, acknowledged } of workers) {
				const count = Atomics.load(acknowledged, 0);
				acknowledgedInAll += count;
				const stored = Number((await store.get(["n", name]))?.value ?? 0);
				expect(stored).toBeGreaterThanOrEqual(count);
				if (stored > 0) expect(store.get(["text", name])).toMatchObject({ value: "x".repeat(stored % 5_000) });
			}
			expect(await store.commit({ operations: [{ type: "increment", key: ["rounds"], by: 1 }] })).toMatchObject({
				sums: [round + 1],
			});
		}
		expect(acknowledgedInAll).toBeGreaterThanOrEqual(10 * (1 + 2 + 3 + 4 + 5));
	}, 60_000);

	/** Waits for a number of writes, not for a time: how many a machine makes in a time is its own affair. */
	async function writesAcknowledged(workers: readonly { acknowledged: Int32Array }[], count: number) {
		while (workers.reduce((sum, { acknowledged }) => sum + Atomics.load(acknowledged, 0), 0) < count) {
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
	}

	async function startFlood(name: string) {
		const acknowledged = new Int32Array(new SharedArrayBuffer(4));
		const connection = store.connect();
		const worker = new Worker(flood, { workerData: { connection, name, acknowledged }, transferList: [connection.port] });
		await new Promise((resolve, reject) => {
			worker.once("message", resolve);
			worker.once("error", reject);
		});
		return { worker, connection, name, acknowledged };
	}

	test("a worker can be terminated while it opens the store", async () => {
		for (let round = 0; round < 12; round++) {
			const connection = store.connect();
			const worker = new Worker(flood, {
				workerData: { connection, name: "start", acknowledged: new Int32Array(new SharedArrayBuffer(4)) },
				transferList: [connection.port],
			});
			const ended = new Promise((resolve) => worker.once("exit", resolve));
			worker.on("error", () => {});
			await new Promise((resolve) => setTimeout(resolve, 15 * round));
			await prepareTermination(connection);
			await worker.terminate();
			await ended;
		}
		expect(await store.commit({ operations: [{ type: "set", key: ["a"], value: "1" }] })).toMatchObject({ committed: true });
	}, 60_000);

	test("a write that one thread saw acknowledged is seen by the next read of every other", async () => {
		const other = connectLmdbStore(store.connect());
		for (let round = 0; round < 100; round++) {
			other.get(["a"]);
			await store.commit({ operations: [{ type: "set", key: ["a"], value: String(round) }] });
			expect(other.get(["a"])).toMatchObject({ value: String(round) });
			await other.commit({ operations: [{ type: "set", key: ["a"], value: `other ${round}` }] });
			expect(store.get(["a"])).toMatchObject({ value: `other ${round}` });
		}
		await other.close();
	});

	test("a port that floods does not keep the others waiting", async () => {
		const flooding = connectLmdbStore(store.connect());
		const quiet = connectLmdbStore(store.connect());
		await quiet.commit({ operations: [{ type: "set", key: ["quiet"], value: "0" }] });
		let done = 0;
		const operations = Array.from(
			{ length: 20 },
			(_, index) => ({ type: "set", key: ["flood", index], value: "x".repeat(100) }) as const,
		);
		const all = Array.from({ length: 5_000 }, () =>
			flooding.commit({ operations }).then(() => {
				done++;
			}),
		);
		await quiet.commit({ operations: [{ type: "set", key: ["quiet"], value: "1" }] });
		expect(done).toBeLessThan(4_000);
		await Promise.all(all);
		expect(done).toBe(5_000);
		await flooding.close();
		await quiet.close();
	});

	test("a connection that outlives the store fails with unavailable", async () => {
		const other = connectLmdbStore(store.connect());
		await other.commit({ operations: [{ type: "set", key: ["a"], value: "1" }] });
		await store.close();
		await expect(other.commit({ operations: [{ type: "set", key: ["a"], value: "2" }] })).rejects.toMatchObject({
			code: "unavailable",
		});
		await other.close();
		expect(() => store.connect()).toThrow(expect.objectContaining({ code: "unavailable" }));
	});
});
