import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { createHost, type Host } from "../host/index.ts";
import { keepAlive } from "../host/keep-alive.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import { ensurePythonImage } from "../host/sandbox/python/image.ts";
import { createMemoryStore } from "../host/store/memory-store.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, type Effort, fasterTarget, type Measurement, type Row } from "./measurement.ts";
import { loadAsShipped } from "./peers/pyodide.ts";
import { runProgram } from "./program.ts";
import { inputOf, rate, requireOutput, runWithHelpers, source } from "./python-script.ts";
import { RuntimeServer } from "./runtime-server.ts";
import { sdks } from "./sdk-calls.ts";

const namespace = "bench";
/** A worker that has ended a run has its interpreter as new before then. */
const untilWaitingMs = 10;
/** Of a warm worker: its thread compiles the host's code as it goes. */
const warmUpRuns = { quick: 50, full: 500 };

/** How long does a script in Python take that makes three helper calls, in the sandbox and as a process of the machine's Python? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const samplesPerRound = quick ? 20 : 50;
	const threads = opened.use(await openHost(join(directory, "threads"), "threads"));
	const processes = opened.use(await openHost(join(directory, "processes"), "process"));
	let number = 0;
	const host = (name: string, used: Host, pauseMs: number): Candidate => ({
		name,
		unit: "ms",
		samplesPerRound,
		sample: async () => {
			if (pauseMs > 0) await sleep(pauseMs);
			return runInHost(used, ++number);
		},
	});
	const candidates: Candidate[] = [
		host("host.run, worker waiting", threads, untilWaitingMs),
		host("host.run, guest process waiting", processes, untilWaitingMs),
		host("host.run, one after the other", threads, 0),
		await inEngine(join(directory, "threads"), samplesPerRound),
		await asShipped(samplesPerRound),
		await asProcess(directory, opened, quick ? 2 : 4),
	];
	for (const used of [threads, processes])
		for (let run = 0; run < warmUpRuns[quick ? "quick" : "full"]; run++) await runInHost(used, ++number);
	const rows = await interleave(candidates, quick ? 5 : 20, effort);
	const [own] = rows as [Row];
	const spawned = rows.at(-1) as Row;
	return {
		question: "a warm run of a script in Python with one get_input, one get_variable, one set_output",
		rows,
		targets: [
			fasterTarget("≥ 8× faster than spawning python3 with helpers over HTTP", own, spawned, 8),
			atMostTarget("p50 ≤ 6 ms", own.p50, 6, "ms", own.rounds),
			atMostTarget("p99 ≤ 20 ms on a quiet machine", own.p99, 20, "ms"),
		],
		notes: [
			`a worker is waiting ${untilWaitingMs} ms after the run before; one after the other, a run waits until the interpreter is as new`,
			"host.run has all of a run in it: its record, its journal and its output are on disk; that of a process is a run that somebody else has begun",
			"pyodide as shipped keeps one interpreter for all scripts and isolates nothing; its helpers are functions of JavaScript that answer at once",
		],
	};
}

async function openHost(dataDirectory: string, guests: "threads" | "process"): Promise<Host> {
	const host = await createHost({ dataDirectory, guests, limits: { maxWorkers: 1 } });
	await runInHost(host, 0);
	return host;
}

async function runInHost(host: Host, number: number): Promise<number> {
	const variables = number === 0 ? { rate: JSON.stringify(rate) } : {};
	const started = performance.now();
	const { status, output, error } = await host.run({
		script: { name: "order.py", source },
		input: inputOf(number),
		namespace,
		variables,
	});
	const took = performance.now() - started;
	if (status !== "succeeded") throw new Error(`A run ended as ${status}: ${error?.message}`);
	requireOutput("host.run", number, output);
	return took;
}

/** The engine in this thread, whose instance is restored between two runs as it is in a worker. */
async function inEngine(dataDirectory: string, samplesPerRound: number): Promise<Candidate> {
	using _alive = keepAlive();
	const pythonImage = await ensurePythonImage(join(dataDirectory, "images"));
	const engine = await createEngine("python", { pythonImage });
	const store = createMemoryStore();
	let number = 0;
	return {
		name: "engine alone, helpers on a store in memory",
		unit: "ms",
		samplesPerRound,
		sample: async () => {
			for (let turn = 0; turn < 2; turn++) await nextTurn();
			return runWithHelpers(engine, store, ++number);
		},
	};
}

async function asShipped(samplesPerRound: number): Promise<Candidate> {
	const pyodide = await loadAsShipped();
	let number = 0;
	return {
		name: "pyodide as shipped, loaded, helpers in JavaScript",
		unit: "ms",
		samplesPerRound,
		sample: async () => {
			const input = inputOf(++number);
			let output = "null";
			const started = performance.now();
			await pyodide.run(source, {
				get_input: () => input,
				get_variable: () => JSON.stringify(rate),
				set_output: (value: string) => {
					output = value;
				},
			});
			const took = performance.now() - started;
			requireOutput("pyodide", number, JSON.parse(output));
			return took;
		},
	};
}

/** A process of the machine's Python for every run, with the SDK and the runtime API of a server that is there already. */
async function asProcess(directory: string, opened: AsyncDisposableStack, samplesPerRound: number): Promise<Candidate> {
	const script = join(directory, "order.py");
	await writeFile(script, source);
	const server = opened.use(await RuntimeServer.start(directory, "tcp"));
	const { id } = await server.control("POST", "/runs", {
		mode: "external",
		namespace,
		input: JSON.parse(inputOf(0)),
		variables: { rate },
	});
	const { token } = await server.control("POST", `/runs/${id}/tokens`, {});
	opened.defer(async () => {
		const { output } = await server.control("POST", `/runs/${id}/end`, { status: "succeeded" });
		requireOutput("python3", 0, output);
	});
	// Byte code of the SDK is kept, as that of an installed package is.
	const environment = {
		...server.environment,
		CRONIUM_EXECUTION_TOKEN: token as string,
		PYTHONPATH: join(sdks, "python"),
		PYTHONPYCACHEPREFIX: join(directory, "byte-code"),
		PYTHONDONTWRITEBYTECODE: "",
	};
	return {
		name: "spawning python3, SDK over HTTP on loopback",
		unit: "ms",
		samplesPerRound,
		sample: async () => {
			const started = performance.now();
			await runProgram(["python3", script], { cwd: directory, environment });
			return performance.now() - started;
		},
	};
}
