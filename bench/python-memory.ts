import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHost, type Host } from "../host/index.ts";
import { atMostTarget, createRow, type Effort, type Measurement } from "./measurement.ts";
import { inputOf, rate, requireOutput, source } from "./python-script.ts";
import { readChildrensMemory, readResidentMemory } from "./resident-memory.ts";

const MB = 1024 * 1024;
const workers = 4;
/** Until the heaps of all threads have found their size. */
const warmUpRuns = 1_000;
const runs = 1_000;

/** What does a worker cost that has run Python and waits, and what do its runs leave behind? */
export async function measure(effort: Effort): Promise<Measurement> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		const thread = await measureWorkers(directory, "threads");
		const guest = await measureWorkers(directory, "process");
		const growth = effort.quick ? undefined : await measureGrowth(directory);
		return {
			question: "memory of a worker that is ready for Python, and of the process after many runs",
			rows: [
				createRow("idle worker of Python: thread, engines and interpreter", "MB", [[thread]]),
				createRow("idle guest process of Python, its share of this process too", "MB", [[guest]]),
				...(growth === undefined
					? []
					: [createRow(`growth over ${runs} runs, one after the other: heaps, stacks, WebAssembly`, "MB", [[growth]])]),
			],
			targets: [
				atMostTarget("idle worker of Python ≤ 60 MB", thread, 60, "MB"),
				...(growth === undefined
					? []
					: [atMostTarget("1,000 runs grow RSS by less than 30 MB, the store's own pages not counted", growth, 30, "MB")]),
			],
			notes: [
				`a worker's cost is the resident memory that each adds, from the second to number ${workers}; of a process what it shares with no other`,
				growth === undefined
					? `the growth over ${runs} runs is left out of a quick bench`
					: `growth is measured after ${warmUpRuns} runs`,
			],
		};
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/** The resident memory that each worker adds which has run a script and waits. In MB. */
async function measureWorkers(dataDirectory: string, guests: "threads" | "process"): Promise<number> {
	await using host = await createHost({ dataDirectory, guests, limits: { maxWorkers: workers } });
	const read = async (): Promise<number> => (await readResidentMemory()).anonymous + readChildrensMemory().anonymous;
	await occupy(host, 1);
	const before = await read();
	await occupy(host, workers);
	return ((await read()) - before) / MB / (workers - 1);
}

/** Runs so many scripts that each has to have a worker of its own: none ends before all have begun. Each is of a namespace, because one may not take all workers. */
async function occupy(host: Host, count: number): Promise<void> {
	const source = `import cronium, time
print("begun", flush=True)
while not cronium.get_variable("may end"):
    time.sleep(0.02)
`;
	const namespaces = Array.from({ length: count }, (_, index) => `occupied-${index}`);
	const begun = namespaces.map(() => Promise.withResolvers<void>());
	const ended = namespaces.map(async (namespace, index) => {
		const variables = { "may end": "false" };
		const { status, error } = await host.run({
			script: { name: "wait.py", source },
			namespace,
			variables,
			onLog: () => begun[index]?.resolve(),
		});
		if (status !== "succeeded") throw new Error(`A run ended as ${status}: ${error?.message}`);
	});
	await Promise.race([Promise.all(begun.map(({ promise }) => promise)), Promise.all(ended)]);
	for (const namespace of namespaces) await host.variables(namespace).set("may end", "true");
	await Promise.all(ended);
}

/** What runs leave resident in the process of a host. In MB. */
async function measureGrowth(dataDirectory: string): Promise<number> {
	await using host = await createHost({ dataDirectory });
	const repeat = async (count: number): Promise<void> => {
		for (let number = 1; number <= count; number++) {
			const { status, output, error } = await host.run({
				script: { name: "order.py", source },
				input: inputOf(number),
				variables: { rate: JSON.stringify(rate) },
			});
			if (status !== "succeeded") throw new Error(`A run ended as ${status}: ${error?.message}`);
			requireOutput("host.run", number, output);
		}
	};
	await repeat(warmUpRuns);
	const before = await readResidentMemory();
	await repeat(runs);
	return ((await readResidentMemory()).anonymous - before.anonymous) / MB;
}
