import type { RuntimeError } from "../contract/errors.ts";
import type { LogLine } from "../execution.ts";
import type { Remainder } from "../helpers/helpers.ts";
import type { EngineName, GuestResult } from "./engine.ts";
import type { WorkerRun, WorkerStop } from "./worker.ts";

/** What became of a job: the script came to an end, or its worker was taken from under it. */
export type JobEnd =
	| { readonly type: "ended"; readonly result: GuestResult; readonly remainder: Remainder }
	/** The worker did not stop by itself within `cancelGraceMs`. `remainder` is there when the helpers were not in it. */
	| { readonly type: "terminated"; readonly remainder?: Remainder }
	/** The worker broke: out of its own memory, or a fault of the engine. `cause` is for the operator: it may name files of the host. */
	| { readonly type: "crashed"; readonly cause: string; readonly remainder?: Remainder };

export interface Job {
	/** Namespaces take turns. */
	readonly namespace: string;
	/** The engine that it needs: a worker that has it ready begins sooner. */
	readonly engine: EngineName;
	/** Aborted with a RuntimeError `cancelled` or `timed-out`. */
	readonly signal: AbortSignal;
	/** Processor time that the job may use, in milliseconds. */
	readonly maxCpuTimeMs: number;
	/** Called when the job has used more than that, before it is stopped. */
	readonly onCpuTimeExceeded: () => void;
	readonly onLog: (lines: readonly LogLine[]) => void;
	/** Called when a worker takes the job; makes what is sent to it, so that the run's clock starts now. */
	readonly start: () => Omit<WorkerRun, "type">;
}

/** What runs one script at a time: a thread, or a process. */
export interface ScriptWorker {
	/** `stopping`: about to be terminated; it takes no job any more, whatever it still says. */
	readonly state: "starting" | "idle" | "busy" | "stopping" | "gone";
	/** Those that it has made, and keeps. */
	readonly engines: ReadonlySet<EngineName>;
	/** Rejects when the job cannot be handed over; the worker is as it was then. */
	run(job: Job): Promise<JobEnd>;
	/** Ends it, wherever its script is. */
	terminate(): Promise<void>;
}

export interface WorkerEvents {
	readonly onIdle: () => void;
	/** `cause` is given when the worker went before it was ready. */
	readonly onGone: (cause: string | undefined) => void;
}

/** Starts a worker. */
export type StartWorker = (events: WorkerEvents) => ScriptWorker;

/** A look at a worker's processor time comes this much later than it could be due, in milliseconds: the script's own check goes first. */
const cpuCheckMs = 50;

/** What a worker may use to make an engine that it does not have, in milliseconds: that is not the script's own. */
const engineCpuMs = 2_000;

/**
 * Looks at a worker's processor time from outside: the script's own check does not come round inside a built-in that does not poll. No look is
 * needed before that much time has passed at all. `usedMs` says what the job has used, and undefined when there is nothing to watch any more.
 */
export function watchCpuTime(
	{ engine, maxCpuTimeMs, onCpuTimeExceeded }: Job,
	engines: ScriptWorker["engines"],
	usedMs: () => Promise<number | undefined>,
): Disposable {
	const mostMs = maxCpuTimeMs + (engines.has(engine) ? 0 : engineCpuMs);
	let timer = setTimeout(look, mostMs + cpuCheckMs);
	let ended = false;
	async function look(): Promise<void> {
		const used = await usedMs();
		if (used === undefined || ended) return;
		if (used > mostMs) onCpuTimeExceeded();
		else timer = setTimeout(look, mostMs - used + cpuCheckMs);
	}
	return {
		[Symbol.dispose]() {
			ended = true;
			clearTimeout(timer);
		},
	};
}

/** What `untilEnded` does with a worker. */
export interface JobControl<End> {
	/** How long the worker may take to stop by itself, in milliseconds. */
	readonly graceMs: number;
	/** Begins the job; `settle` is to be called at its end. */
	begin(settle: (end: End) => void): void;
	/** Tells the worker to stop. */
	stop(reason: WorkerStop["reason"]): void;
	/** Ends a worker that has not. */
	terminate(): void;
}

/** Resolves with the end of the job, which is stopped when its signal aborts. */
export async function untilEnded<End>({ signal }: Job, { graceMs, ...worker }: JobControl<End>): Promise<End> {
	let grace: NodeJS.Timeout | undefined;
	const onAbort = (): void => {
		worker.stop(stopReason(signal.reason as RuntimeError));
		grace = setTimeout(worker.terminate, graceMs);
	};
	const end = await new Promise<End>((resolve) => {
		worker.begin(resolve);
		if (signal.aborted) onAbort();
		else signal.addEventListener("abort", onAbort, { once: true });
	});
	clearTimeout(grace);
	signal.removeEventListener("abort", onAbort);
	return end;
}

/** Why a job has to stop, in the words that a worker is told. */
function stopReason({ code, details }: RuntimeError): WorkerStop["reason"] {
	if (code !== "timed-out") return "cancelled";
	return details.limit?.name === "maxCpuTimeMs" ? "cpu-time" : "timed-out";
}

/** What the cell that a script's engine polls holds for each reason to stop; 0 is to go on. */
export const stopCells: Readonly<Record<WorkerStop["reason"], number>> = { cancelled: 1, "timed-out": 2, "cpu-time": 3 };
