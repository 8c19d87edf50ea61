import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createHost } from "../host/index.ts";
import { doorFiles } from "../sidecar/door-directory.ts";
import { createRunDoors } from "../sidecar/run-doors.ts";
import type { Place } from "./http-client.ts";

/** A run with its local door, as a container has it. */
export interface DoorHolder {
	readonly place: Place;
	readonly token: string;
}

// A host with local doors in a process of its own: `node sidecar-server.ts DIRECTORY`. Each line is a command, and is answered by one: `runs N` opens so many runs
// with doors, each with a variable of 100 bytes; `memory` says the resident bytes after a collection. It ends with its standard input.
const directory = process.argv[2] as string;
await using host = await createHost({
	dataDirectory: join(directory, "data"),
	limits: {
		maxWorkers: 1,
		maxCallsPerSecond: 1_000_000,
		maxNamespaceCallsPerSecond: 1_000_000,
		maxHostCalls: 100_000_000,
		maxJournalBytes: 24 * 1024 * 1024,
		maxWallTimeMs: 3_600_000,
		maxRunHandshakesPerSecond: 1_000,
		maxHandshakesPerSecond: 1_000,
	},
});
await using doors = await createRunDoors({ dataDirectory: join(directory, "data"), limits: host.limits });
let opened = 0;

async function openRun(): Promise<DoorHolder> {
	const place = join(directory, String(opened++));
	mkdirSync(place, { mode: 0o700 });
	const run = await host.open({ namespace: `bench-${opened}`, variables: { key: JSON.stringify("x".repeat(98)) } });
	await doors.open(run, { directory: place });
	const read = (name: keyof typeof doorFiles): string => readFileSync(join(place, doorFiles[name]), "utf8");
	return {
		place: {
			address: { path: join(place, doorFiles.socket) },
			tls: { ca: read("trusted"), certificate: read("certificate"), key: read("key") },
		},
		token: read("token"),
	};
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
	const [command, count] = line.split(" ");
	if (command === "runs") {
		const holders: DoorHolder[] = [];
		for (let run = 0; run < Number(count); run++) holders.push(await openRun());
		console.log(JSON.stringify(holders));
	} else {
		globalThis.gc?.();
		console.log(process.memoryUsage().rss);
	}
}
