import type { Job, JobEnd, ScriptWorker, StartWorker } from "./script-worker.ts";

export interface PoolOptions {
	readonly maxWorkers: number;
	readonly startWorker: StartWorker;
}

interface WaitingJob {
	readonly job: Job;
	readonly resolve: (end: JobEnd) => void;
}

/**
 * Script workers: one script at a time each, at most `maxWorkers`. A worker is made when there is work for it and kept; one that was
 * terminated or broke is replaced. Jobs wait in order; how many may wait is the caller's business.
 */
export class WorkerPool implements AsyncDisposable {
	readonly #options: PoolOptions;
	readonly #workers = new Set<ScriptWorker>();
	readonly #waiting: WaitingJob[] = [];
	#disposed = false;

	constructor(options: PoolOptions) {
		this.#options = options;
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
			this.#waiting.push(waiting);
			job.signal.addEventListener(
				"abort",
				() => {
					const place = this.#waiting.indexOf(waiting);
					if (place < 0) return;
					this.#waiting.splice(place, 1);
					resolve({ type: "terminated" });
				},
				{ once: true },
			);
			this.#assign();
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#disposed = true;
		for (const { resolve } of this.#waiting.splice(0)) resolve({ type: "terminated" });
		await Promise.all([...this.#workers].map((worker) => worker.terminate()));
	}

	#assign(): void {
		for (const worker of this.#workers) {
			if (this.#waiting.length === 0) return;
			if (worker.state !== "idle") continue;
			const next = this.#waiting.shift();
			if (next)
				worker.run(next.job).then(next.resolve, (cause: Error) => next.resolve({ type: "crashed", cause: cause.message }));
		}
		let starting = 0;
		for (const worker of this.#workers) if (worker.state === "starting") starting += 1;
		while (this.#waiting.length > starting && this.#workers.size < this.#options.maxWorkers && !this.#disposed) {
			this.#spawn();
			starting += 1;
		}
	}

	#spawn(): void {
		const worker = this.#options.startWorker({
			onIdle: () => this.#assign(),
			onGone: (cause) => {
				this.#workers.delete(worker);
				// A worker that cannot even start would be made again for ever: a job gets the cause instead.
				if (cause !== undefined) this.#waiting.shift()?.resolve({ type: "crashed", cause });
				this.#assign();
				// The one after a run that had to be terminated should not wait for a thread to start.
				if (cause === undefined && !this.#disposed) this.warm();
			},
		});
		this.#workers.add(worker);
	}
}
