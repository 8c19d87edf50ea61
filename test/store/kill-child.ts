// Writes as fast as it can and prints what was acknowledged, until it is killed. Arguments: data directory, lanes.
import { writeSync } from "node:fs";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const [directory = "", lanes = "8"] = process.argv.slice(2);
const store = await openLmdbStore({ directory, maxStoreBytes: 1024 ** 3 });

async function write(lane: number): Promise<void> {
	let sequence = Number((await store.get(["lane", lane]))?.value ?? 0);
	for (;;) {
		sequence++;
		const result = await store.commit({
			operations: [
				{ type: "set", key: ["lane", lane], value: String(sequence) },
				{ type: "set", key: ["text", lane], value: `${sequence}:${"x".repeat((sequence * 37) % 9_000)}` },
				{ type: "increment", key: ["total"], by: 1 },
			],
		});
		if (!result.committed) throw new Error(result.reason);
		writeSync(1, `${lane} ${sequence} ${result.version}\n`);
	}
}

await Promise.all(Array.from({ length: Number(lanes) }, (_, lane) => write(lane)));
