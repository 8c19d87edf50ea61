import type { Limits } from "../contract/limits.ts";
import { FairQueue } from "../fair-queue.ts";
import { engineNames } from "./engine.ts";
import type { Job, JobEnd, ScriptWorker, StartWorker } from "./script-worker.ts";

export interface PoolOptions {
	readonly limits: Pick<Limits, "maxWorkers" | "maxNamespaceRuns">;
	readonly startWorker: StartWorker;
}

/** When no worker can be started, it is tried again after this time, in milliseconds. */
const retryMs = 1_000;

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
		const idle = new Set([...this.#workers].filter(({ state }) => state === "idle"));
		while (idle.size > 0) {
			const next = this.#waiting.next();
			if (!next) return;
			const { job, resolve } = next;
			const worker = mostSuitable(idle, job);
			idle.delete(worker);
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
			if (!this.#spawn()) break;
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

	/** Tells whether a worker is on its way. */
	#spawn(): boolean {
		try {
			this.#workers.add(this.#startWorker());
			return true;
		} catch (cause) {
			// The system has no room for one more now. Who waits gets one of those that there are; when there are none whoever has the turn is told.
			if (this.#workers.size > 0) return false;
			this.#fail((cause as Error).message);
			if (this.#waiting.size > 0) setTimeout(() => this.#assign(), retryMs).unref();
			return false;
		}
	}

	#startWorker(): ScriptWorker {
		const worker = this.#options.startWorker({
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
		return worker;
	}
}

/**
 * One that has the job's engine ready, and of these the one with the fewest others: engines are heavy, and so one worker keeps what few runs need, while
 * the others stay as they are.
 */
function mostSuitable(workers: ReadonlySet<ScriptWorker>, { engine }: Job): ScriptWorker {
	const rank = ({ engines }: ScriptWorker): number => engines.size + (engines.has(engine) ? 0 : engineNames.length);
	return [...workers].reduce((best, worker) => (rank(worker) < rank(best) ? worker : best));
}
