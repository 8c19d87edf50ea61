import { describeLimit, type Limits } from "../../contract/limits.ts";
import type { Failure } from "../../execution.ts";
import { unlessAborted, within } from "../../within.ts";
import { describeScriptEnd, type ExecutorEnd, endWithout, scriptFailure, stopFailure } from "../executor-end.ts";
import { PlaceQueue } from "../place-queue.ts";
import { describeJob, type PlacedScript } from "../script-job.ts";
import type { ServedPlan, ServedRuns } from "../served-runs.ts";
import { type ContainerLimits, containerPaths } from "./container-spec.ts";
import { EngineError } from "./engine-error.ts";
import type { OpenedEngine, UsableImage } from "./opened-engine.ts";
import { credentialEnvironment, type ReachedDoors, type RunDoor, type RunDoors } from "./run-door.ts";
import { type ContainerExit, killedExitCode, type Slot, type SlotPlan } from "./slot.ts";
import type { SlotPool } from "./slot-pool.ts";
import { UsageMeter } from "./usage-meter.ts";

/** One run for this executor. */
export interface ContainerRun extends ServedPlan {
	readonly namespace: string;
	readonly script: PlacedScript;
	/** Undefined: that of the script's language. */
	readonly image: string | undefined;
	readonly limits: Limits;
	/** Called when the script has used more than its processor time; the caller aborts the signal. */
	readonly onCpuTimeExceeded: () => void;
}

export interface ContainerExecutorParts {
	/** The limits of the host. */
	readonly limits: Limits;
	readonly served: ServedRuns;
	/** Connects to the engine, and checks what it can keep. Throws EngineError. */
	readonly openEngine: (options: { readonly mayStart: boolean }) => Promise<OpenedEngine>;
	readonly openDoors: () => Promise<ReachedDoors>;
}

/** How long the last of its output is waited for when a container has ended, in milliseconds. */
const lastOutputMs = 2_000;

/** When the next containers are made: the one that was just taken gets the machine first. In milliseconds. */
const refillAfterMs = 1_000;

/** Puts scripts into the container mode. */
export class ContainerExecutor implements AsyncDisposable {
	readonly #parts: ContainerExecutorParts;
	readonly #places: PlaceQueue;
	readonly #defaults: ContainerLimits;
	#engine: Promise<OpenedEngine> | undefined;
	#doors: Promise<ReachedDoors> | undefined;

	constructor(parts: ContainerExecutorParts) {
		this.#parts = parts;
		const { maxContainers, maxNamespaceRuns } = parts.limits;
		this.#places = new PlaceQueue({ places: maxContainers, maxOwnerPlaces: maxNamespaceRuns });
		this.#defaults = containerLimits(parts.limits);
	}

	/** Looks for an engine that listens, ahead of the first run: removes what dead hosts have left, and checks what it can keep. Throws EngineError. */
	async prepare(): Promise<void> {
		await (await this.#openEngine({ mayStart: false })).check();
	}

	/** Runs the script to its end. Never rejects: what goes wrong is in the answer. */
	async run(run: ContainerRun): Promise<ExecutorEnd> {
		const { namespace, limits, signal } = run;
		const end = await this.#places.within(namespace, signal, () => this.#runInPlace(run));
		return end ?? endWithout(stopFailure(limits, signal));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#places.close();
		await (await this.#engine?.catch(() => undefined))?.[Symbol.asyncDispose]();
		await (await this.#doors?.catch(() => undefined))?.doors[Symbol.asyncDispose]();
	}

	async #runInPlace(run: ContainerRun): Promise<ExecutorEnd> {
		const { limits, signal } = run;
		let engine: OpenedEngine;
		let reached: ReachedDoors;
		let image: UsableImage;
		let plan: SlotPlan;
		let taken: Slot;
		try {
			[engine, reached] = await Promise.all([this.#openEngine({ mayStart: true }), this.#openDoors()]);
			image = await unlessAborted(signal, engine.requireImage(run.script.language, run.image));
			plan = {
				image: image.id,
				limits: containerLimits(limits),
				environment: { ...containerEnvironment, ...credentialEnvironment, ...reached.environment },
				network: reached.network,
			};
			taken = await image.pool.take(plan);
		} catch (cause) {
			return endWithout(signal.aborted ? stopFailure(limits, signal) : describeEngineFailure(cause));
		}
		await using slot = taken;
		if (signal.aborted) return endWithout(stopFailure(limits, signal));
		return await this.#runInSlot(run, slot, reached.doors, () => this.#refill(image.pool, plan));
	}

	async #runInSlot(run: ContainerRun, slot: Slot, doors: RunDoors, refill: () => void): Promise<ExecutorEnd> {
		const { limits, signal } = run;
		const opened = this.#parts.served.open(run);
		using meter = new UsageMeter(slot.pid, limits.maxCpuTimeMs, run.onCpuTimeExceeded);
		const refilling = setTimeout(refill, refillAfterMs);
		const printing = slot.print(opened.print);
		let exit: ContainerExit | undefined;
		let problem: Failure | undefined;
		let door: RunDoor | undefined;
		const close = async (): Promise<void> => {
			opened.close();
			await door?.[Symbol.asyncDispose]();
		};
		try {
			door = await doors.open(opened.run, {
				directory: slot.doorDirectory,
				...(slot.groupId !== undefined && { groupId: slot.groupId }),
			});
			slot.begin(describeJob(run.script, containerPaths.script));
			exit = await untilExit(slot, signal, this.#parts.limits.containerGraceMs, close);
		} catch (cause) {
			problem = describeEngineFailure(cause);
			await slot.kill();
		}
		await within(printing, lastOutputMs);
		await close();
		clearTimeout(refilling);
		refill();
		const remainder = await opened.settle();
		const failure = problem ?? describeExit(exit, limits, meter.usage.memoryBytes);
		return describeScriptEnd(remainder, run, failure, exit?.exitCode, { ...meter.usage, hostCalls: opened.run.calls });
	}

	/** One that is to be kept waiting is made only for runs with the host's own limits: the next run may have others. */
	#refill(pool: SlotPool, plan: SlotPlan): void {
		if (JSON.stringify(plan.limits) === JSON.stringify(this.#defaults)) pool.refill(plan);
	}

	/** Connected once; a run that finds no engine does not keep the next from looking again. */
	async #openEngine(options: { readonly mayStart: boolean }): Promise<OpenedEngine> {
		// What only looked may have found nothing.
		if (options.mayStart) await this.#engine?.catch(() => undefined);
		this.#engine ??= this.#parts.openEngine(options).catch((cause) => {
			this.#engine = undefined;
			throw cause;
		});
		return await this.#engine;
	}

	#openDoors(): Promise<ReachedDoors> {
		this.#doors ??= this.#parts.openDoors().catch((cause) => {
			this.#doors = undefined;
			throw cause;
		});
		return this.#doors;
	}
}

/** What every script finds in its environment. Nothing of the host, and no secrets: an engine shows it to everyone who may ask. */
export const containerEnvironment: Readonly<Record<string, string>> = {
	LANG: "C.UTF-8",
	// What is printed is in the log when it is printed.
	PYTHONUNBUFFERED: "1",
	PYTHONDONTWRITEBYTECODE: "1",
	// A signal of the engine reaches what the script has started, too.
	TINI_KILL_PROCESS_GROUP: "1",
};

/** What a container of a run with these limits may use. */
export function containerLimits(limits: Limits): ContainerLimits {
	const disk = { bytes: limits.maxContainerDiskBytes, inodes: limits.maxContainerDiskFiles };
	return {
		memoryBytes: limits.maxContainerMemoryBytes,
		cpuThousandths: limits.maxContainerMillicpus,
		maxProcesses: limits.maxContainerProcesses,
		maxOpenFiles: limits.maxContainerOpenFiles,
		temporary: disk,
		work: disk,
	};
}

/** Waits for the end of the container, which is brought about when the signal aborts. Nothing takes effect from then on. */
async function untilExit(slot: Slot, signal: AbortSignal, graceMs: number, close: () => Promise<void>): Promise<ContainerExit> {
	const stop = (): void => {
		void close();
		void slot.stop(graceMs);
	};
	if (signal.aborted) stop();
	else signal.addEventListener("abort", stop, { once: true });
	try {
		return await slot.exited;
	} finally {
		signal.removeEventListener("abort", stop);
	}
}

function describeExit(exit: ContainerExit | undefined, limits: Limits, peakBytes: number): Failure | undefined {
	if (!exit || exit.exitCode === 0) return undefined;
	const { exitCode } = exit;
	// An engine may look too late at what the kernel has counted. Then a script that was killed with its memory full says enough.
	const isFull = exitCode === killedExitCode && peakBytes > fullShare * limits.maxContainerMemoryBytes;
	const isOutOfMemory = exit.isOutOfMemory || isFull;
	const limit = describeLimit(limits, "maxContainerMemoryBytes");
	if (isOutOfMemory && exitCode === killedExitCode)
		return {
			code: "memory-exceeded",
			message: `The script needs more than ${limit.value} bytes of memory (${limit.name}).`,
			limit,
		};
	const failure = scriptFailure(exitCode) as Failure;
	if (!isOutOfMemory) return failure;
	return {
		...failure,
		message: `${failure.message} A process of it needed more than ${limit.value} bytes of memory (${limit.name}).`,
	};
}

function describeEngineFailure(cause: unknown): Failure {
	if (cause instanceof EngineError) {
		const isOfImage = cause.code === "image-missing" || cause.code === "image-unusable";
		return { code: isOfImage ? "image-unavailable" : "engine-unavailable", message: cause.message };
	}
	process.emitWarning(`A container could not be run: ${(cause as Error).message}`, "CroniumWarning");
	const isFull = [cause, (cause as Error).cause].some((one) =>
		fullDisk.includes((one as NodeJS.ErrnoException | undefined)?.code ?? ""),
	);
	const reason = isFull ? ": the disk of the data directory is full" : "";
	return { code: "internal", message: `The container of the run could not be prepared${reason}.` };
}

/** Of the memory: what is counted last is somewhat less than all of it. */
const fullShare = 0.95;

/** What the system says when there is no room, or no room for this user. */
const fullDisk = ["ENOSPC", "EDQUOT"];
