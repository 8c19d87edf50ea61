import { createHost } from "../../host/index.ts";

/** A host that has a run on the SSH host `web`, and is killed by its test. Says the id of the run when its script has begun. */
const [dataDirectory] = process.argv.slice(2) as [string];
const host = await createHost({ dataDirectory, warm: false, limits: { maxWorkers: 1, maxWallTimeMs: 600_000 } });
const begun = Promise.withResolvers<void>();
const { id, outcome } = await host.start({
	mode: "ssh",
	host: "web",
	script: { name: "endless.sh", source: "trap '' TERM; setsid sleep 600 & echo begun; while :; do sleep 1; done" },
	onLog: ({ message }) => message === "begun" && begun.resolve(),
});
await begun.promise;
process.stdout.write(`${JSON.stringify({ id, hostId: host.id })}\n`);
await outcome;
