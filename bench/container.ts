import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { defaultLimits } from "../host/contract/limits.ts";
import { containerSpec } from "../host/executors/container/container-spec.ts";
import type { ContainerEngine } from "../host/executors/container/engine-client.ts";
import { engineFiles } from "../host/executors/container/engine-files.ts";
import { containerEnvironment, containerLimits } from "../host/executors/container/executor.ts";
import { imageReference } from "../host/images/images.ts";
import { createHost, type Host } from "../host/index.ts";
import { openBenchEngine } from "./container-engine.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row, ratioTarget } from "./measurement.ts";
import { median } from "./statistics.ts";

const image = imageReference("bash");
const shareMs = 60;
const poolShare = 0.4;
const concurrentRuns = 50;
/** In which the pool has made the next container, after each run. */
const refillMs = 1_500;
/** Says when it was reached: the clock of a container is the machine's. */
const now = 'echo "$EPOCHREALTIME"';

/** What does it cost to start a script in a container, beside what the engine takes for the container itself? */
export async function measure(effort: Effort): Promise<Measurement> {
	const question = "a Bash script in a container: start of the run → what it says";
	await using opened = new AsyncDisposableStack();
	const found = await openBenchEngine(["bash"]);
	if (!found)
		return {
			question,
			rows: [],
			targets: [],
			notes: ["not measured: there is no container engine here, and none can be started"],
		};
	const engine = opened.use(found);
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const containers = { engine: engine.address };
	const host = async (name: string, maxIdleContainers: number): Promise<Host> =>
		opened.use(
			await createHost({
				dataDirectory: join(directory, name),
				containers,
				limits: { maxIdleContainers, maxContainers: 2 * concurrentRuns, maxWorkers: 1 },
			}),
		);
	const cold = await host("cold", 0);
	const pooled = await host("pooled", 1);
	let containersMade = 0;
	const bare = await openBare(engine, join(directory, "bare"), () => ++containersMade);
	const candidate = (name: string, sample: () => Promise<number>): Candidate => ({
		name,
		unit: "ms",
		samplesPerRound: 1,
		sample,
	});
	const rows = await interleave(
		[
			candidate("engine alone: create, start → first line", bare),
			candidate("run, new container → first line", () => timeRun(cold, now)),
			candidate("run, new container → first helper answered", () =>
				timeRun(cold, `source cronium.sh; cronium_get_input >/dev/null; ${now}`),
			),
			candidate("run, waiting container → first line", () => timePooled(pooled, now)),
			candidate("run, waiting container → first helper answered", () =>
				timePooled(pooled, `source cronium.sh; cronium_get_input >/dev/null; ${now}`),
			),
			candidate(`${engine.kind} run --rm, same image, \`true\``, () => timeEngineRun(engine)),
		],
		effort.quick ? 5 : 20,
		effort,
	);
	const [alone, first, , , helper, whole] = rows as [Row, Row, Row, Row, Row, Row];
	const share = first.rounds.map((value, round) => value - (alone.rounds[round] ?? 0));
	const many = await timeMany(cold);
	return {
		question,
		rows: [...rows, createRow(`${concurrentRuns} runs at once, until all have ended`, "ms", [[many]])],
		targets: [
			atMostTarget("our share of the start of a new container", median(share), shareMs, "ms", share),
			ratioTarget(
				`start → first helper, waiting container ≤ ${poolShare * 100} % of ${engine.kind} run`,
				helper,
				whole,
				poolShare,
			),
		],
		notes: [
			`${engine.kind} ${engine.version} at ${engine.address}; every container with the options of a run`,
			"first line: Bash has been started and reads its clock; engine alone does that, too, without socket, credentials, files and store",
			`${concurrentRuns} runs at once: all of them succeed, or the bench breaks off`,
		],
	};
}

/** Creates and starts a container with the options of a run, whose command is the script itself. */
async function openBare(engine: ContainerEngine, directory: string, index: () => number): Promise<() => Promise<number>> {
	const [door, script] = [join(directory, "door"), join(directory, "script")];
	for (const path of [directory, door, script]) await mkdir(path, { mode: 0o700 });
	const files = engineFiles(engine, directory);
	const { isRootless } = await engine.info();
	const userNamespace = engine.kind === "docker" ? "engine" : isRootless ? "keep-id" : "auto";
	return async () => {
		const body = containerSpec(engine, {
			...{ image, door, script, ...files, userNamespace, network: "none" },
			user: { uid: 1_000, gid: 1_000 },
			command: ["bash", "-c", now],
			environment: containerEnvironment,
			labels: {},
			limits: containerLimits(defaultLimits),
		});
		const begun = Date.now();
		const id = await engine.createContainer(`cronium-bench-${process.pid}-${index()}`, body);
		try {
			await using streams = await engine.attach(id);
			await engine.startContainer(id);
			return (await firstNumber(streams.output)) - begun;
		} finally {
			await engine.removeContainer(id);
		}
	};
}

/** What is printed, in milliseconds since the Unix epoch. */
async function firstNumber(output: AsyncIterable<{ readonly bytes: Buffer }>): Promise<number> {
	let text = "";
	for await (const { bytes } of output) text += bytes.toString();
	return Number(text) * 1_000;
}

/** Milliseconds from the start of the run to what the script says. */
async function timeRun(host: Host, source: string, namespace = "default"): Promise<number> {
	const begun = Date.now();
	const { status, error, logs } = await host.run({ script: { name: "bench.sh", source }, input: "[1,2,3]", namespace });
	if (status !== "succeeded") throw new Error(`A run ended as ${status}: ${error?.message}`);
	return Number(logs.at(-1)?.message) * 1_000 - begun;
}

/** Once the container that waits for it has been made: the machine does nothing else then. */
async function timePooled(host: Host, source: string): Promise<number> {
	const taken = await timeRun(host, source);
	await wait(refillMs);
	return taken;
}

/** What an engine's own command takes for the same image, from its start to its end. */
async function timeEngineRun({ kind, address }: ContainerEngine): Promise<number> {
	const options = [
		"run",
		"--rm",
		"--network",
		"none",
		"--ulimit",
		"nofile=1024:1024",
		"--ulimit",
		"nproc=1024:1024",
		image,
		"true",
	];
	const begun = performance.now();
	await run(kind, kind === "docker" ? ["-H", address, ...options] : ["--remote", "--url", address, ...options]);
	return performance.now() - begun;
}

const run = promisify(execFile);

/** Two namespaces: one alone leaves places to others. */
async function timeMany(host: Host): Promise<number> {
	const begun = performance.now();
	const source = `source cronium.sh; cronium_get_input >/dev/null; ${now}`;
	await Promise.all(Array.from({ length: concurrentRuns }, (_, index) => timeRun(host, source, `bench-${index % 2}`)));
	return performance.now() - begun;
}
