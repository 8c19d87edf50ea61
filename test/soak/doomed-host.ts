/** A process that runs scripts until it is killed. Says on its standard output what was acknowledged: one JSON text a line. */
import { createHost } from "../../host/index.ts";
import { describeDoomedRun } from "./doomed-run.ts";

const [dataDirectory, seed, first] = process.argv.slice(2) as [string, string, string];
const inFlight = 8;

// Standard output is a pipe: a line is with the reader when `write` returns.
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const host = await createHost({ dataDirectory, limits: { maxWorkers: 4, logFlushMs: 10 } });
say({ type: "ready" });
let next = Number(first);

async function lane(): Promise<void> {
	for (;;) {
		const number = next++;
		const { options } = describeDoomedRun(Number(seed), number);
		const outcome = await host.run({
			...options,
			onLog: ({ message }) => say({ type: "acknowledged", number, value: Number(message) }),
		});
		say({ type: "ended", number, id: outcome.executionId, status: outcome.status });
	}
}

await Promise.all(Array.from({ length: inFlight }, lane));
