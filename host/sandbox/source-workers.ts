import { Worker } from "node:worker_threads";
import { FairQueue } from "../fair-queue.ts";
import { programFiles } from "../program-files.ts";
import { workerEnvironment } from "../worker-environment.ts";
import type { SourceAnswer, SourceJob } from "./source-worker.ts";

/** `broken`: the thread overflowed, ran out of memory or time, or could not start. */
export type SourceResult = SourceAnswer | { readonly type: "broken"; readonly reason: string };

interface WaitingJob {
	readonly job: SourceJob;
	readonly owner: string | undefined;
	readonly resolve: (result: SourceResult) => void;
}

/** Threads at one time. A source that takes its whole time limit leaves room for others of its owner, and an owner for other owners. */
const maxThreads = 4;
/** Time for one job, the start of its thread included. */
const jobTimeMs = 10_000;

/**
 * Disposable threads that parse untrusted text. Owners take turns. A thread has one job at a time, serves one owner, and is dropped after any failure: an overflow
 * leaves Node's parser broken for good in its thread. One unused thread is kept warm once there has been work. Threads never keep the process alive
 * while they have no job.
 */
export class SourceWorkers implements Disposable {
	readonly #waiting = new FairQueue<WaitingJob>({ places: maxThreads, maxOwnerPlaces: maxThreads });
	/** Idle threads by the owner they have served. */
	readonly #idle = new Map<string, Worker>();
	#spare: Worker | undefined;

	/** Runs the job as soon as a thread is free. Never rejects. Jobs without an owner are those of nobody, and share their turns. */
	run(job: SourceJob, owner?: string): Promise<SourceResult> {
		return new Promise((resolve) => {
			this.#waiting.add(owner ?? "", { job, owner, resolve });
			this.#assign();
		});
	}

	/** Starts a spare thread, its parser loaded. */
	warm(): void {
		if (this.#spare) return;
		const worker = spawn();
		this.#spare = worker;
		worker.unref();
		worker.postMessage({ type: "warm" } satisfies SourceJob);
		const forget = (): void => {
			if (this.#spare === worker) this.#spare = undefined;
		};
		worker.once("error", forget);
		worker.once("exit", forget);
	}

	[Symbol.dispose](): void {
		for (const worker of [...this.#idle.values(), this.#spare]) void worker?.terminate();
		this.#idle.clear();
		this.#spare = undefined;
	}

	#assign(): void {
		for (let next = this.#waiting.next(); next; next = this.#waiting.next()) {
			const { owner = "" } = next;
			void this.#serve(next).finally(() => {
				this.#waiting.release(owner);
				this.#assign();
			});
		}
	}

	async #serve({ job, owner, resolve }: WaitingJob): Promise<void> {
		let worker: Worker;
		try {
			worker = this.#take(owner);
		} catch (cause) {
			return resolve({ type: "broken", reason: cause instanceof Error ? cause.message : String(cause) });
		}
		const result = await ask(worker, job);
		resolve(result);
		const reusable = owner !== undefined && result.type !== "broken" && !this.#idle.has(owner);
		if (!reusable) {
			await worker.terminate();
			// Only parsing types costs a start worth hiding; reading a source map does not.
			if (job.type === "strip") this.warm();
			return;
		}
		worker.unref();
		this.#idle.set(owner, worker);
		for (const [oldest, idle] of this.#idle) {
			if (this.#idle.size <= maxThreads) break;
			this.#idle.delete(oldest);
			void idle.terminate();
		}
	}

	#take(owner: string | undefined): Worker {
		const own = owner === undefined ? undefined : this.#idle.get(owner);
		if (own && owner !== undefined) this.#idle.delete(owner);
		const worker = own ?? this.#spare ?? spawn();
		if (worker === this.#spare) this.#spare = undefined;
		worker.ref();
		return worker;
	}
}

function spawn(): Worker {
	return new Worker(programFiles.sourceWorker, {
		name: "source",
		env: workerEnvironment(),
		argv: [],
		execArgv: [],
		stdin: false,
		resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 },
	});
}

/** One question to one thread. Nothing that the thread does afterwards reaches anyone. */
function ask(worker: Worker, job: SourceJob): Promise<SourceResult> {
	return new Promise((resolve) => {
		const finish = (result: SourceResult): void => {
			clearTimeout(timer);
			worker.removeAllListeners("message");
			worker.removeAllListeners("error");
			worker.removeAllListeners("exit");
			// An error after the answer must not become an uncaught one; the thread is used no more if it has exited.
			worker.on("error", () => undefined);
			resolve(result);
		};
		const timer = setTimeout(() => finish({ type: "broken", reason: `no answer within ${jobTimeMs} milliseconds` }), jobTimeMs);
		worker.on("message", (answer: SourceAnswer) => finish(answer));
		worker.on("error", (error: Error & { code?: string }) => finish({ type: "broken", reason: error.code ?? error.name }));
		worker.on("exit", () => finish({ type: "broken", reason: "the thread ended" }));
		worker.postMessage(job);
	});
}
