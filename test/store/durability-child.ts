// Marks in its output, between the system calls, where a commit begins and where it is acknowledged. Argument: data directory.
import { writeSync } from "node:fs";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const store = await openLmdbStore({ directory: process.argv[2] as string, maxStoreBytes: 64 * 1024 * 1024 });
await store.commit({ operations: [{ type: "set", key: ["first"], value: "1" }] });
for (let round = 0; round < 3; round++) {
	writeSync(1, `begin ${round}\n`);
	await store.commit({ operations: [{ type: "set", key: ["a"], value: String(round) }] });
	writeSync(1, `acknowledged ${round}\n`);
}
await store.close();
