// Opens a store and exits after so many milliseconds, in the middle of what goes on. Arguments: data directory, milliseconds, "busy" to keep writing.
import { Worker } from "node:worker_threads";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const [directory = "", afterMs = "0", busy] = process.argv.slice(2);
const store = await openLmdbStore({ directory, maxStoreBytes: 256 * 1024 * 1024 });
if (busy) {
	const connection = store.connect();
	new Worker(new URL("flood-worker.ts", import.meta.url), {
		workerData: { connection, name: "exit", acknowledged: new Int32Array(new SharedArrayBuffer(4)) },
		transferList: [connection.port],
	});
	const write = () =>
		void store.commit({ operations: [{ type: "set", key: ["a"], value: "x".repeat(100_000) }] }).then(write, () => {});
	for (let index = 0; index < 20; index++) write();
}
if (afterMs === "0") process.exit(3);
setTimeout(() => process.exit(3), Number(afterMs));
