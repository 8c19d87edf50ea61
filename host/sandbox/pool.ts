import { Worker } from "node:worker_threads";
import type { RuntimeError } from "../contract/errors.ts";
import type { Limits } from "../contract/limits.ts";
import type { LogLine } from "../execution.ts";
import type { Remainder } from "../helpers/helpers.ts";
import { programFiles } from "../program-files.ts";
import { prepareTermination, type StoreConnection } from "../store/lmdb-connection.ts";
import { workerEnvironment } from "../worker-environment.ts";
import type { EngineName, GuestResult } from "./engine.ts";
import { FairQueue } from "./fair-queue.ts";
import type { PreparedEngine } from "./guest-engine.ts";
import type { WorkerConnection, WorkerData, WorkerMessage, WorkerRun, WorkerStop } from "./worker.ts";

/** What became of a job: the script came to an end, or its worker was taken from under it. */
export type JobEnd =
	| { readonly type: "ended"; readonly result: GuestResult; readonly remainder: Remainder }
	/** The worker did not stop by itself within `cancelGraceMs`. */
	| { readonly type: "terminated" }
	/** The worker broke: out of its own memory, or a fault of the engine. `cause` is for the operator: it may name files of the host. */
	| { readonly type: "crashed"; readonly cause: string };

export interface Job {
	/** Namespaces take turns. */
	readonly namespace: string;
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

export interface PoolOptions {
	readonly engine: EngineName;
	readonly limits: Limits;
	/** Makes a fresh connection to the store for a new worker, as soon as the store is open. */
	readonly connect: () => Promise<StoreConnection>;
}

interface WaitingJob {
	readonly job: Job;
	readonly resolve: (end: JobEnd) => void;
}

/**
 * Script workers: one script at a time each, at most `maxWorkers`. A worker is made when there is work for it and kept; one that was
 * terminated or broke is replaced. Namespaces take turns, and leave workers to each other; how many jobs may wait is the caller's business.
 */
export class WorkerPool implements AsyncDisposable {
	readonly #options: PoolOptions;
	readonly #workers = new Set<ScriptWorker>();
	readonly #waiting: FairQueue<WaitingJob>;
	#prepared: PreparedEngine | undefined;
	#disposed = false;

	constructor(options: PoolOptions) {
		this.#options = options;
		const { maxWorkers, maxNamespaceRuns } = options.limits;
		this.#waiting = new FairQueue({ places: maxWorkers, maxOwnerPlaces: maxNamespaceRuns });
	}

	/** How many workers there are. */
	get size(): number {
		return this.#workers.size;
	}

	/** Starts a worker ahead of the first job. */
	warm(): void {
		if (this.#workers.size === 0) this.#spawn();
	}

	/** Runs the job as soon as a worker is free. Never rejects. A job whose signal aborts while it waits ends as `terminated`. */
	run(job: Job): Promise<JobEnd> {
		return new Promise((resolve) => {
			if (this.#disposed || job.signal.aborted) return resolve({ type: "terminated" });
			const waiting: WaitingJob = { job, resolve };
			this.#waiting.add(job.namespace, waiting);
			job.signal.addEventListener(
				"abort",
				() => {
					if (this.#waiting.delete(job.namespace, waiting)) resolve({ type: "terminated" });
				},
				{ once: true },
			);
			this.#assign();
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#disposed = true;
		for (const { resolve } of this.#waiting.clear()) resolve({ type: "terminated" });
		await Promise.all([...this.#workers].map((worker) => worker.terminate()));
	}

	#assign(): void {
		for (const worker of this.#workers) {
			if (worker.state !== "idle") continue;
			const next = this.#waiting.next();
			if (!next) return;
			const { job, resolve } = next;
			worker
				.run(job)
				.catch((cause: Error): JobEnd => ({ type: "crashed", cause: cause.message }))
				.then((end) => {
					resolve(end);
					this.#release(job);
				});
		}
		let starting = 0;
		for (const worker of this.#workers) if (worker.state === "starting") starting += 1;
		const { maxWorkers } = this.#options.limits;
		while (this.#waiting.hasNext && this.#waiting.size > starting && this.#workers.size < maxWorkers && !this.#disposed) {
			this.#spawn();
			starting += 1;
		}
	}

	#release({ namespace }: Job): void {
		this.#waiting.release(namespace);
		this.#assign();
	}

	/** The job whose turn it is gets the cause instead of a worker. */
	#fail(cause: string): void {
		const next = this.#waiting.next();
		if (!next) return;
		next.resolve({ type: "crashed", cause });
		this.#waiting.release(next.job.namespace);
	}

	#spawn(): void {
		const worker = new ScriptWorker(this.#options, this.#prepared, {
			onReady: (prepared) => {
				this.#prepared ??= prepared;
			},
			onIdle: () => this.#assign(),
			onGone: (cause) => {
				this.#workers.delete(worker);
				// A worker that cannot even start would be made again for ever: a job gets the cause instead.
				if (cause !== undefined) this.#fail(cause);
				this.#assign();
				// The one after a run that had to be terminated should not wait for a thread to start.
				if (cause === undefined && !this.#disposed) this.warm();
			},
		});
		this.#workers.add(worker);
	}
}

interface WorkerEvents {
	/** `prepared` comes from a worker that was started without. */
	readonly onReady: (prepared: PreparedEngine | undefined) => void;
	readonly onIdle: () => void;
	/** `cause` is given when the worker went before it was ready. */
	readonly onGone: (cause: string | undefined) => void;
}

/** What the cell that a script's engine polls holds for each reason to stop; 0 is to go on. */
const stopCells: Readonly<Record<WorkerStop["reason"], number>> = { cancelled: 1, "timed-out": 2, "cpu-time": 3 };

/** A look at a thread's processor time comes this much later than it could be due, in milliseconds: the script's own check goes first. */
const cpuCheckMs = 50;

function stopReason({ code, details }: RuntimeError): WorkerStop["reason"] {
	if (code !== "timed-out") return "cancelled";
	return details.limit?.name === "maxCpuTimeMs" ? "cpu-time" : "timed-out";
}

/** One worker thread and the job it has. */
class ScriptWorker {
	/** `stopping`: about to be terminated; it takes no job any more, whatever it still posts. */
	state: "starting" | "idle" | "busy" | "stopping" | "gone" = "starting";
	readonly #worker: Worker;
	readonly #stop = new Int32Array(new SharedArrayBuffer(4));
	readonly #cpuTimeAtStart = new Float64Array(new SharedArrayBuffer(8));
	readonly #graceMs: number;
	readonly #connection: Promise<StoreConnection>;
	readonly #events: WorkerEvents;
	#onLog: Job["onLog"] | undefined;
	#settle: ((end: JobEnd) => void) | undefined;

	constructor(options: PoolOptions, prepared: PreparedEngine | undefined, events: WorkerEvents) {
		this.#graceMs = options.limits.cancelGraceMs;
		this.#events = events;
		this.#worker = new Worker(programFiles.scriptWorker, {
			name: "script",
			workerData: {
				engine: options.engine,
				prepared,
				stop: this.#stop,
				cpuTimeAtStart: this.#cpuTimeAtStart,
			} satisfies WorkerData,
			env: workerEnvironment(),
			argv: [],
			// Flags of the host process (`--input-type`, `--require`) are none of a worker's.
			execArgv: [],
			// The guest's memory is WebAssembly memory with a maximum of its own; this bounds what the host side of a run can take.
			resourceLimits: { maxOldGenerationSizeMb: 256, stackSizeMb: 8 },
		});
		let failure: string | undefined;
		this.#connection = options.connect();
		this.#connection.then(
			(store) => this.#worker.postMessage({ type: "connect", store } satisfies WorkerConnection, [store.port]),
			() => this.#worker.terminate(),
		);
		// Whoever waits for a run keeps the process alive; a worker does not.
		this.#worker.unref();
		this.#worker.on("message", (message: WorkerMessage) => this.#receive(message));
		this.#worker.on("error", (error: Error & { code?: string }) => {
			failure = error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "The worker ran out of memory." : error.message;
		});
		this.#worker.on("exit", () => {
			const early = this.state === "starting" ? (failure ?? "The worker ended before it was ready.") : undefined;
			this.state = "gone";
			this.#finish(failure === undefined ? { type: "terminated" } : { type: "crashed", cause: failure });
			this.#events.onGone(early);
		});
	}

	/** Rejects when the job cannot be handed over; the worker is as it was then. */
	async run(job: Job): Promise<JobEnd> {
		Atomics.store(this.#stop, 0, 0);
		// Throws for what cannot be cloned, before anything has changed.
		this.#worker.postMessage({ type: "run", ...job.start() } satisfies WorkerRun);
		this.state = "busy";
		this.#onLog = job.onLog;
		using _watch = this.#watchCpuTime(job);
		let grace: NodeJS.Timeout | undefined;
		const onAbort = (): void => {
			const reason = stopReason(job.signal.reason as RuntimeError);
			Atomics.store(this.#stop, 0, stopCells[reason]);
			this.#worker.postMessage({ type: "stop", reason } satisfies WorkerStop);
			grace = setTimeout(() => void this.terminate(), this.#graceMs);
		};
		const end = await new Promise<JobEnd>((resolve) => {
			this.#settle = resolve;
			if (job.signal.aborted) onAbort();
			else job.signal.addEventListener("abort", onAbort, { once: true });
		});
		clearTimeout(grace);
		job.signal.removeEventListener("abort", onAbort);
		return end;
	}

	/**
	 * Looks at the thread's processor time from outside: the script's own check does not come round inside a built-in that does not poll. No
	 * look is needed before that much time has passed at all.
	 */
	#watchCpuTime({ maxCpuTimeMs, onCpuTimeExceeded }: Job): Disposable {
		let timer = setTimeout(look, maxCpuTimeMs + cpuCheckMs, this.#worker, this.#cpuTimeAtStart);
		async function look(worker: Worker, atStart: Float64Array): Promise<void> {
			// Rejects when the thread is gone, and then there is nothing to watch.
			const usage = await worker.cpuUsage().catch(() => undefined);
			if (!usage || watched.ended) return;
			const used = (usage.user + usage.system) / 1_000 - (atStart[0] ?? 0);
			if (used > maxCpuTimeMs) onCpuTimeExceeded();
			else timer = setTimeout(look, maxCpuTimeMs - used + cpuCheckMs, worker, atStart);
		}
		const watched = {
			ended: false,
			[Symbol.dispose]: () => {
				watched.ended = true;
				clearTimeout(timer);
			},
		};
		return watched;
	}

	/** Ends the thread, wherever its script is. */
	async terminate(): Promise<void> {
		if (this.state !== "gone") this.state = "stopping";
		// A thread that is ended while it opens or closes the store would take the process with it.
		await this.#connection.then(prepareTermination, () => undefined);
		await this.#worker.terminate();
	}

	#receive(message: WorkerMessage): void {
		switch (message.type) {
			case "ready":
				this.state = "idle";
				this.#events.onReady(message.prepared);
				this.#events.onIdle();
				break;
			case "log":
				this.#onLog?.(message.lines);
				break;
			case "ended":
				this.#release(message);
				break;
			case "broken":
				// The engine is in an unknown state: the thread goes, and its exit frees the place in the pool.
				this.#finish({ type: "crashed", cause: message.message });
				void this.terminate();
				break;
			default:
				message satisfies never;
		}
	}

	#release(end: JobEnd): void {
		// A thread that is being terminated may still post its end; it must not be given another job.
		if (this.state === "busy") this.state = "idle";
		this.#finish(end);
		if (this.state === "idle") this.#events.onIdle();
	}

	#finish(end: JobEnd): void {
		const settle = this.#settle;
		this.#settle = undefined;
		this.#onLog = undefined;
		settle?.(end);
	}
}
