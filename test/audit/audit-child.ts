// Commits with audit entries as fast as it can and prints what was acknowledged, until it is killed. Arguments: data directory, host id.
import { writeSync } from "node:fs";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";

const [directory = "", hostId = ""] = process.argv.slice(2);
const store = await openLmdbStore({ directory, maxStoreBytes: 64 * 1024 * 1024, audit: { hostId } });

async function write(lane: number): Promise<void> {
	for (;;) {
		const result = await store.commit({
			operations: [{ type: "increment", key: ["count", hostId], by: 1 }],
			audit: [JSON.stringify({ type: "effect", lane })],
		});
		if (result.committed) writeSync(1, `${result.sums[0]}\n`);
	}
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => write(lane)));
