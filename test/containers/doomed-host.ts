import { createHost } from "../../host/index.ts";

/** A host that has a run in a container and a container that waits, and is killed by its test. Says the id of the run when its script has begun. */
const [dataDirectory, engine] = process.argv.slice(2) as [string, string];
const host = await createHost({
	dataDirectory,
	warm: false,
	limits: { maxWorkers: 1, maxIdleContainers: 1, maxWallTimeMs: 600_000 },
	containers: { engine },
});
const begun = Promise.withResolvers<void>();
const { id, outcome } = await host.start({
	mode: "container",
	script: { name: "endless.sh", source: "trap '' TERM; echo begun; while :; do sleep 1; done" },
	onLog: ({ message }) => message === "begun" && begun.resolve(),
});
await begun.promise;
process.stdout.write(`${JSON.stringify({ id, hostId: host.id })}\n`);
await outcome;
