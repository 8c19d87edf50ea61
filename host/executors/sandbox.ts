import type { Json } from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import type { Failure, LogLine } from "../execution.ts";
import type { EngineName, Script } from "../sandbox/engine.ts";
import { type PoolOptions, WorkerPool } from "../sandbox/pool.ts";
import type { JobEnd } from "../sandbox/script-worker.ts";
import { drawSeed } from "../sandbox/seed.ts";
import type { WorkerRun } from "../sandbox/worker.ts";
import { describeEnd, type ExecutorEnd, endWithout, noUsage, stopFailure, withExitCode } from "./executor-end.ts";

/** One run for an executor. */
export interface ExecutorRun {
	readonly namespace: string;
	readonly script: Script;
	readonly input: Json | undefined;
	readonly engine: EngineName;
	/** The file with the image of Python, for a run that needs it. */
	readonly pythonImage?: string;
	readonly limits: Limits;
	/** Aborted with a RuntimeError `cancelled` or `timed-out`. */
	readonly signal: AbortSignal;
	readonly onLog: (lines: readonly LogLine[]) => void;
	/** Called when the script has used more than its processor time; the caller aborts the signal. */
	readonly onCpuTimeExceeded: () => void;
	/** Called when the script is about to run: fixes its clock. */
	readonly start: () => Pick<WorkerRun, "record" | "opening" | "audit">;
}

export interface SandboxOptions extends PoolOptions {
	/** Ports of this machine that no script's request reaches; read when a run starts. */
	readonly forbiddenPorts: readonly number[];
}

/** Puts scripts into the sandbox mode: WebAssembly in workers. */
export class SandboxExecutor implements AsyncDisposable {
	readonly #pool: WorkerPool;
	readonly #forbiddenPorts: readonly number[];

	constructor(options: SandboxOptions) {
		this.#forbiddenPorts = options.forbiddenPorts;
		this.#pool = new WorkerPool(options);
	}

	/** Starts a worker ahead of the first run. */
	warm(): void {
		this.#pool.warm();
	}

	/** Runs the script to its end. Never rejects: what goes wrong is in the answer. */
	async run({
		namespace,
		script,
		input,
		engine,
		pythonImage,
		limits,
		signal,
		onLog,
		onCpuTimeExceeded,
		start,
	}: ExecutorRun): Promise<ExecutorEnd> {
		const end = await this.#pool.run({
			namespace,
			engine,
			signal,
			maxCpuTimeMs: limits.maxCpuTimeMs,
			onCpuTimeExceeded,
			onLog,
			start: () => ({
				...start(),
				script,
				input,
				engine,
				...(pythonImage !== undefined && { pythonImage }),
				seed: drawSeed(),
				forbiddenPorts: this.#forbiddenPorts,
			}),
		});
		if (end.type !== "ended") return describeLoss(end, limits, signal);
		const { result, remainder } = end;
		// A script usually dies of the call that the full journal refused: the journal is the cause, the error what came of it.
		const failure = remainder.failure?.code === "journal-exceeded" ? remainder.failure : (result.failure ?? remainder.failure);
		return withExitCode(describeEnd(remainder, failure, result.usage), result.exitCode);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#pool[Symbol.asyncDispose]();
	}
}

function describeLoss(end: Exclude<JobEnd, { type: "ended" }>, limits: Limits, signal: AbortSignal): ExecutorEnd {
	if (end.type === "crashed") process.emitWarning(`A script worker broke: ${end.cause}`, "CroniumWarning");
	const error: Failure = signal.aborted
		? stopFailure(limits, signal)
		: { code: "internal", message: "The worker that ran the script broke." };
	return end.remainder ? describeEnd(end.remainder, error, noUsage) : endWithout(error);
}
