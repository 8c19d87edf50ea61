/** A host on the data directory of its argument that is to be killed. Prints a line when all of its scripts are under way, each in a process. */
import { createHost } from "../../host/index.ts";

const [dataDirectory = ""] = process.argv.slice(2);
const host = await createHost({
	dataDirectory,
	guests: "process",
	// One worker is left to other namespaces.
	limits: { maxWorkers: 4, maxWallTimeMs: 600_000, maxCpuTimeMs: 600_000 },
});
let begun = 0;
const sources = [
	"for (;;);",
	"await new Promise((resolve) => setTimeout(resolve, 1e6))",
	"for (;;) await cronium.setVariable('a', 1)",
];
await Promise.all(
	sources.map((source) =>
		host.run({
			script: { name: "endless.js", source: `console.log("begun"); await cronium.setCondition(true); ${source}` },
			limits: { maxHostCalls: 100_000_000, maxJournalBytes: 24 * 1024 * 1024 },
			onLog: () => {
				if (++begun === sources.length) process.stdout.write("begun\n");
			},
		}),
	),
);
