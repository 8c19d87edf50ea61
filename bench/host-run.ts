import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHost, type Host, type JavaScriptEngine } from "../host/index.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atLeastTarget, createRow, type Effort, type Measurement, type Row } from "./measurement.ts";
import { prepareWorkload, runMany, runOnce } from "./workload.ts";

const inFlight = 16;

/** How many whole runs a second does a host do: record, worker, contract, journal, durable store and outcome? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	const opened: Host[] = [];
	const open = async (engine: JavaScriptEngine, maxWorkers: number, guests: "threads" | "process" = "threads"): Promise<Host> => {
		const dataDirectory = join(directory, `${engine}-${maxWorkers}-${guests}`);
		const host = await createHost({ dataDirectory, engine, guests, limits: { maxWorkers, maxQueuedRuns: 1_000 } });
		opened.push(host);
		await prepareWorkload(host);
		// Each worker's thread compiles the host's own code for itself, as it goes: hundreds of runs make it fast.
		await runMany(host, maxWorkers * (quick ? 60 : 1_000), inFlight);
		return host;
	};
	try {
		const latencies: number[][] = [];
		const processorTimes: number[][] = [];
		const runs = quick ? 200 : 1_000;
		const throughput = (name: string, host: Host, batch: number, isFirst = false): Candidate => ({
			name,
			unit: "runs/s",
			samplesPerRound: 1,
			sample: async () => {
				const before = process.cpuUsage();
				const { perSecond, took } = await runMany(host, batch, inFlight);
				const { user, system } = process.cpuUsage(before);
				if (isFirst) {
					latencies.push(took);
					processorTimes.push([(user + system) / 1_000 / batch]);
				}
				return perSecond;
			},
		});
		const sixteen = await open("quickjs-wasi", 16);
		const four = quick ? undefined : await open("quickjs-wasi", 4);
		const processes = await open("quickjs-wasi", 4, "process");
		// The second engine takes longest to become fast.
		const emscripten = quick ? undefined : await open("quickjs-emscripten", 4);
		let number = 0;
		const candidates: Candidate[] = [
			throughput("quickjs-wasi, 16 in flight, 16 workers", sixteen, runs, true),
			...(four ? [throughput("quickjs-wasi, 16 in flight, 4 workers", four, runs)] : []),
			throughput("quickjs-wasi, 16 in flight, 4 guest processes", processes, runs),
			...(emscripten ? [throughput("quickjs-emscripten, 16 in flight, 4 workers", emscripten, 100)] : []),
			{
				name: "quickjs-wasi, one after the other",
				unit: "ms",
				samplesPerRound: quick ? 30 : 200,
				sample: () => runOnce(sixteen, ++number),
			},
			{
				name: "quickjs-wasi, one after the other, guest process",
				unit: "ms",
				samplesPerRound: quick ? 30 : 200,
				sample: () => runOnce(processes, ++number),
			},
		];
		const rows = await interleave(candidates, quick ? 5 : 20, effort);
		const [own] = rows as [Row];
		// The first batch warmed up.
		rows.splice(
			1,
			0,
			createRow("  time of one of these runs", "ms", latencies.slice(1)),
			createRow("  processor time of one, all threads", "ms", processorTimes.slice(1)),
		);
		return {
			question: "host.run of a script with one getInput, two variable reads, one durable setVariable, one setOutput",
			rows,
			targets: [
				atLeastTarget("≥ 2,000 runs/s with 16 in flight on 2 cores, journal durable", own.p50, 2_000, "runs/s", own.rounds),
			],
			notes: [
				"processor time depends less on what else runs on the machine: cores divided by it is the most that runs/s can be",
				`each sample of runs/s is a batch of ${runs} runs (quickjs-emscripten fewer); the store is in ${tmpdir()}`,
			],
		};
	} finally {
		for (const host of opened) await host.dispose();
		await rm(directory, { recursive: true, force: true });
	}
}
