import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHost } from "../host/index.ts";
import type { Engine } from "../host/sandbox/engine.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import { atMostTarget, createRow, type Effort, type Measurement } from "./measurement.ts";
import { readResidentMemory } from "./resident-memory.ts";
import { createRunInEngine } from "./run-in-engine.ts";
import { prepareWorkload, runMany } from "./workload.ts";

const MB = 1024 * 1024;
const instances = 32;
/** Until the heaps of all threads have found their size: compiled code alone takes thousands of runs. */
const warmUpRuns = 10_000;
const runs = 10_000;
const workers = 8;
const allowanceMb = 0.5;

/** What does an instance cost that waits for work, and what does a run leave behind? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { image, costs } = await measureInstances();
	const worker = await measureWorker();
	const growth = effort.quick ? undefined : await measureGrowth();
	const idle = createRow("idle instance of quickjs-wasi, in one thread", "MB", [costs]);
	return {
		question: "memory of a pooled instance that waits, and of the process after many runs",
		rows: [
			idle,
			createRow("  its image", "MB", [[image]]),
			createRow("idle script worker: thread, engine and instance", "MB", [[worker]]),
			...(growth
				? [
						createRow(`growth over ${runs} runs, one after the other: heaps, stacks, WebAssembly`, "MB", [
							[growth.anonymous / MB],
						]),
						createRow("  pages of the store's file, which holds what the runs left", "MB", [[growth.file / MB]]),
					]
				: []),
		],
		targets: [
			atMostTarget("idle cost of a pooled instance ≤ its image + 0.5 MB", idle.p50, image + allowanceMb, "MB"),
			...(growth
				? [
						atMostTarget(
							"10,000 sequential runs grow RSS by less than 20 MB, the store's own pages not counted",
							growth.anonymous / MB,
							20,
							"MB",
						),
					]
				: []),
		],
		notes: [
			growth
				? `growth is measured after ${warmUpRuns} runs; the kernel drops pages of a file when it needs their room`
				: `the growth over ${runs} runs takes a minute and a half, and is left out of a quick bench`,
			`an instance's cost is the resident memory that it adds, in ${costs.length} groups of ${instances}; its image is the WebAssembly memory after a trivial run`,
		],
	};
}

/** The resident memory that engines add, each with an instance that has run a script and waits for the next. In MB. */
async function measureInstances(): Promise<{ readonly image: number; readonly costs: readonly number[] }> {
	const engines: Engine[] = [];
	const costs: number[] = [];
	let image = 0;
	const { prepared } = await createEngine("quickjs-wasi");
	const add = async (count: number): Promise<void> => {
		for (let made = 0; made < count; made++) {
			const engine = await createEngine("quickjs-wasi", { prepared });
			engines.push(engine);
			const { usage } = await createRunInEngine(engine)("export default () => 1");
			image = usage.memoryBytes / MB;
		}
	};
	// The first engines pay for what all share: the compiled code, what the collector keeps.
	await add(8);
	for (let group = 0; group < 4; group++) {
		const before = await readResidentMemory();
		await add(instances);
		const after = await readResidentMemory();
		costs.push((after.anonymous - before.anonymous) / MB / instances);
	}
	for (const engine of engines) engine[Symbol.dispose]();
	return { image, costs };
}

/** The resident memory of a worker that has run a script and waits: its thread, its own part of the engine and its instance. In MB. */
async function measureWorker(): Promise<number> {
	await using host = await createHost({ limits: { maxWorkers: workers } });
	// Scripts that wait long enough for each to need a worker of its own.
	const occupy = (count: number): Promise<unknown> => {
		const script = { name: "wait.js", source: "await new Promise((done) => setTimeout(done, 1_500))" };
		return Promise.all(Array.from({ length: count }, () => host.run({ script })));
	};
	await occupy(2);
	const before = await readResidentMemory();
	await occupy(workers);
	const after = await readResidentMemory();
	return (after.anonymous - before.anonymous) / MB / (workers - 2);
}

/** What runs of the workload leave resident in the process of a host, in bytes. */
async function measureGrowth(): Promise<{ readonly anonymous: number; readonly file: number }> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		await using host = await createHost({ dataDirectory: directory });
		await prepareWorkload(host);
		await runMany(host, warmUpRuns, 1);
		const before = await readResidentMemory();
		await runMany(host, runs, 1);
		const after = await readResidentMemory();
		return { anonymous: after.anonymous - before.anonymous, file: after.file - before.file };
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}
