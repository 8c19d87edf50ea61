import { Worker } from "node:worker_threads";
import type { Limits } from "../contract/limits.ts";
import { programFiles } from "../program-files.ts";
import { prepareTermination, type StoreConnection } from "../store/lmdb-connection.ts";
import { workerEnvironment } from "../worker-environment.ts";
import type { EngineName } from "./engine.ts";
import type { PreparedEngine } from "./guest-engine.ts";
import {
	type Job,
	type JobEnd,
	type ScriptWorker,
	type StartWorker,
	stopCells,
	untilEnded,
	type WorkerEvents,
	watchCpuTime,
} from "./script-worker.ts";
import type { WorkerConnection, WorkerData, WorkerMessage, WorkerRun, WorkerStop } from "./worker.ts";

export interface ThreadWorkerOptions {
	readonly engine: EngineName;
	readonly limits: Limits;
	/** Makes a fresh connection to the store for a new worker, as soon as the store is open. */
	readonly connect: () => Promise<StoreConnection>;
}

/** Workers that are threads of this process. They have the helpers of their runs, and read the store themselves. */
export function threadWorkers(options: ThreadWorkerOptions): StartWorker {
	const shared: Shared = {};
	return (events) => new ThreadWorker(options, shared, events);
}

/** What the first worker that needs it makes for all of them. */
interface Shared {
	prepared?: PreparedEngine | undefined;
	pythonModule?: WebAssembly.Module;
}

/** One worker thread and the job it has. */
class ThreadWorker implements ScriptWorker {
	state: ScriptWorker["state"] = "starting";
	readonly engines: Set<EngineName>;
	readonly #worker: Worker;
	readonly #stop = new Int32Array(new SharedArrayBuffer(4));
	readonly #cpuTimeAtStart = new Float64Array(new SharedArrayBuffer(8));
	readonly #graceMs: number;
	readonly #connection: Promise<StoreConnection>;
	readonly #events: WorkerEvents;
	readonly #shared: Shared;
	#onLog: Job["onLog"] | undefined;
	#settle: ((end: JobEnd) => void) | undefined;

	constructor(options: ThreadWorkerOptions, shared: Shared, events: WorkerEvents) {
		this.#shared = shared;
		this.engines = new Set([options.engine]);
		this.#graceMs = options.limits.cancelGraceMs;
		this.#events = events;
		this.#worker = new Worker(programFiles.scriptWorker, {
			name: "script",
			workerData: {
				engine: options.engine,
				prepared: shared.prepared,
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

	async run(job: Job): Promise<JobEnd> {
		Atomics.store(this.#stop, 0, 0);
		// Throws for what cannot be cloned, before anything has changed.
		const order = job.start();
		const { pythonModule } = this.#shared;
		// Only to a worker that needs it: a thread takes milliseconds to take a module in.
		const isNeeded = order.engine === "python" && !this.engines.has("python");
		const python = isNeeded && pythonModule ? { pythonModule } : {};
		this.#worker.postMessage({ type: "run", ...order, ...python } satisfies WorkerRun);
		this.state = "busy";
		this.#onLog = job.onLog;
		using _watch = watchCpuTime(job, this.engines, () => this.#usedMs());
		this.engines.add(job.engine);
		return await untilEnded<JobEnd>(job, {
			graceMs: this.#graceMs,
			begin: (settle) => {
				this.#settle = settle;
			},
			stop: (reason) => {
				Atomics.store(this.#stop, 0, stopCells[reason]);
				this.#worker.postMessage({ type: "stop", reason } satisfies WorkerStop);
			},
			terminate: () => void this.terminate(),
		});
	}

	async #usedMs(): Promise<number | undefined> {
		// Rejects when the thread is gone, and then there is nothing to watch.
		const usage = await this.#worker.cpuUsage().catch(() => undefined);
		return usage && (usage.user + usage.system) / 1_000 - (this.#cpuTimeAtStart[0] ?? 0);
	}

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
				this.#shared.prepared ??= message.prepared;
				this.#events.onIdle();
				break;
			case "compiled":
				this.#shared.pythonModule ??= message.module;
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
