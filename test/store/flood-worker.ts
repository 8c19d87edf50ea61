// Commits without waiting, many at a time, and counts what was acknowledged, until it is terminated.
import { parentPort, workerData } from "node:worker_threads";
import { connectLmdbStore, type StoreConnection } from "../../host/store/lmdb-connection.ts";

const { connection, name, acknowledged } = workerData as { connection: StoreConnection; name: string; acknowledged: Int32Array };
const store = connectLmdbStore(connection);
let sequence = 0;

async function commit(): Promise<void> {
	for (;;) {
		const mine = ++sequence;
		const result = await store.commit({
			operations: [
				{ type: "increment", key: ["n", name], by: 1 },
				{ type: "set", key: ["text", name], value: "x".repeat(mine % 5_000) },
			],
		});
		if (result.committed) Atomics.store(acknowledged, 0, Math.max(Atomics.load(acknowledged, 0), result.sums[0] as number));
		store.list({ prefix: ["n"], limit: 10 });
	}
}

parentPort?.postMessage("started");
for (let index = 0; index < 50; index++) void commit();
