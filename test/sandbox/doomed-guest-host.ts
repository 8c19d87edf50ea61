/** A host that is to be killed. Prints a line when all of its scripts are under way, each in a process. */
import { createHost } from "../../host/index.ts";

const host = await createHost({ guests: "process", limits: { maxWorkers: 3, maxWallTimeMs: 600_000, maxCpuTimeMs: 600_000 } });
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
