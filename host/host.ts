import { createHash, randomUUID } from "node:crypto";
import { RuntimeError } from "./contract/errors.ts";
import { utf8Length } from "./contract/json-text.ts";
import { describeLimit, type Limits } from "./contract/limits.ts";
import type { Failure, LogLine, Outcome } from "./execution.ts";
import { describeOutcome, type Ending, type ExecutionRecord, type Executions, logOperations } from "./executions.ts";
import { type ExecutorEnd, type ExecutorRun, type SandboxExecutor, stopFailure } from "./executors/sandbox.ts";
import { type JournalEntry, readJournal } from "./helpers/journal-reader.ts";
import { createOperatorVariables, type OperatorVariables } from "./helpers/operator.ts";
import { keepAlive } from "./keep-alive.ts";
import { RunLogs } from "./run-logs.ts";
import { type RunOptions, type RunPlan, requireNamespace, resolveRunOptions } from "./run-options.ts";
import { RunRecord } from "./run-record.ts";
import type { EngineName } from "./sandbox/engine.ts";
import { mapStack, prepareSource } from "./sandbox/source.ts";
import type { Store } from "./store/store.ts";

/** What a Host is made of; `createHost` puts it together. */
export interface HostParts {
	readonly id: string;
	readonly store: Store;
	readonly executions: Executions;
	readonly executor: SandboxExecutor;
	readonly limits: Limits;
	readonly engine: EngineName;
	/** Resolves when the runs that dead hosts left behind have been ended. */
	readonly recovered: Promise<readonly string[]>;
	/** Lets go of everything; called once, after the last run. */
	readonly close: () => Promise<void>;
}

/** Reads the runs in the store. An unknown id is `not-found`, except for `get`. */
export interface ExecutionArchive {
	/** The newest first; 50 when no limit is given. */
	list(filter?: Parameters<Executions["list"]>[0]): Promise<ExecutionRecord[]>;
	get(id: string): Promise<ExecutionRecord | undefined>;
	/** Rejects with `unavailable` while the run has not ended. */
	outcome(id: string): Promise<Outcome>;
	/** Every helper call of the run, in order. */
	journal(id: string): Promise<readonly JournalEntry[]>;
	logs(id: string): Promise<readonly LogLine[]>;
}

/** Runs scripts and answers for them: one per process and data directory, made by `createHost`. */
export class Host implements AsyncDisposable {
	readonly #parts: HostParts;
	readonly #running = new Map<Promise<Outcome>, AbortController>();
	#disposed: Promise<void> | undefined;

	constructor(parts: HostParts) {
		this.#parts = parts;
	}

	/** The name of this process in the data directory. */
	get id(): string {
		return this.#parts.id;
	}

	/** The limits in force. */
	get limits(): Limits {
		return this.#parts.limits;
	}

	/**
	 * Runs a script to its end. A script that fails is an Outcome, not an exception.
	 *
	 * Rejects with RuntimeError `invalid` or `too-large` when the options are wrong, `unavailable` when `maxQueuedRuns` runs wait
	 * already or when the host is disposed: then the script did not run. Rejects with `unavailable`, too, when the store cannot be written, not
	 * even that the run has ended: then it is found as lost, or, when nothing of it could be written, has left nothing.
	 *
	 * @example
	 * await using host = await createHost();
	 * const outcome = await host.run({ script: { name: "double.js", source: "export default (n) => n * 2" }, input: "21" });
	 * console.log(outcome.output); // 42
	 */
	async run(options: RunOptions): Promise<Outcome> {
		const { limits: hostLimits } = this.#parts;
		if (this.#disposed) throw new RuntimeError("unavailable", "The host has been disposed.");
		if (this.#running.size >= hostLimits.maxWorkers + hostLimits.maxQueuedRuns)
			throw new RuntimeError(
				"unavailable",
				`${hostLimits.maxQueuedRuns} runs wait for a worker already; the limit is ${hostLimits.maxQueuedRuns} (maxQueuedRuns).`,
				{ limit: describeLimit(hostLimits, "maxQueuedRuns"), retryAfterMs: 1_000 },
			);
		using _alive = keepAlive();
		const plan = resolveRunOptions(options, hostLimits, this.#parts.engine);
		const abort = new AbortController();
		const outcome = this.#execute(plan, options, abort);
		this.#running.set(outcome, abort);
		try {
			return await outcome;
		} finally {
			this.#running.delete(outcome);
		}
	}

	/** The runs in the store. */
	get executions(): ExecutionArchive {
		const { store, executions, recovered } = this.#parts;
		return {
			async list(filter) {
				await recovered;
				return executions.list(filter);
			},
			async get(id) {
				await recovered;
				return executions.get(id);
			},
			async outcome(id) {
				await recovered;
				return executions.outcome(id);
			},
			async journal(id) {
				await executions.require(id);
				return readJournal(store, id);
			},
			async logs(id) {
				await executions.require(id);
				return executions.logs(id);
			},
		};
	}

	/** The variables of a namespace, with the operator's rights. */
	variables(namespace = "default"): OperatorVariables {
		return createOperatorVariables(this.#parts.store, requireNamespace(namespace), this.#parts.limits);
	}

	/** Cancels what runs, waits for it to end, and lets go of threads, files and sockets. */
	dispose(): Promise<void> {
		this.#disposed ??= (async () => {
			using _alive = keepAlive();
			for (const abort of this.#running.values()) abort.abort(new RuntimeError("cancelled", "The host is shutting down."));
			await Promise.allSettled(this.#running.keys());
			await this.#parts.close();
		})();
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	async #execute(plan: RunPlan, options: RunOptions, abort: AbortController): Promise<Outcome> {
		const { id: hostId, executions, executor } = this.#parts;
		const { limits, script, engine, input } = plan;
		const now = Date.now();
		const record: ExecutionRecord = {
			id: createExecutionId(now),
			namespace: plan.namespace,
			hostId,
			event: plan.event,
			mode: "sandbox",
			attempt: plan.attempt,
			scopes: plan.scopes,
			limits,
			allowedHosts: plan.allowedHosts,
			startedAt: now,
			deadlineAt: now + limits.maxWallTimeMs,
			...(plan.traceparent !== undefined && { traceparent: plan.traceparent }),
			status: "created",
			engine,
			script: { name: script.name, sha256: sha256(script.source), bytes: utf8Length(script.source) },
			createdAt: now,
		};
		using stored = new RunRecord(executions, record, input);
		const logs = new RunLogs(limits.logFlushMs, (lines) => stored.appendLogs(lines), options.onLog);
		using _cancel = forwardAbort(options.signal, abort);
		const preparing = prepareSource(script, plan.namespace);
		// What the script will find, and that it may reach the outside, is in the store before it starts.
		if (plan.writes.length > 0 || plan.allowedHosts.length > 0) await stored.create(plan.writes);

		let { startedAt, deadlineAt } = record;
		let deadline: NodeJS.Timeout | undefined;
		const stop = (name: "maxWallTimeMs" | "maxCpuTimeMs"): void => {
			const limit = describeLimit(limits, name);
			abort.abort(new RuntimeError("timed-out", `The run is over its limit ${name} of ${limit.value} milliseconds.`, { limit }));
		};
		const start: ExecutorRun["start"] = () => {
			startedAt = Date.now();
			deadlineAt = startedAt + limits.maxWallTimeMs;
			deadline = setTimeout(stop, limits.maxWallTimeMs, "maxWallTimeMs");
			return stored.start(startedAt, deadlineAt);
		};

		let end: ExecutorEnd;
		const prepared = await preparing;
		if ("failure" in prepared) end = { status: "failed", error: prepared.failure, usage: noUsage, operations: [] };
		else if (abort.signal.aborted)
			end = { status: "cancelled", error: stopFailure(limits, abort.signal), usage: noUsage, operations: [] };
		else
			end = await executor.run({
				script: prepared.script,
				input,
				engine,
				limits,
				signal: abort.signal,
				onLog: logs.add,
				onCpuTimeExceeded: () => stop("maxCpuTimeMs"),
				start,
			});
		clearTimeout(deadline);
		const error = end.error && (await locate(end.error, script.sourceMap));
		const remainingLogs = await logs.close();
		const ending: Ending = {
			status: end.status,
			...(error && { error }),
			usage: { ...end.usage, wallTimeMs: Date.now() - startedAt, logBytes: end.left?.logBytes ?? logs.bytes },
			startedAt,
			deadlineAt,
			operations: [...end.operations, ...logOperations(record.id, remainingLogs)],
		};
		const { record: ended, complete } = await stored.end(ending, end.left?.opened ?? false);
		// The store knows more when a worker was taken from under its script, or when not everything could be written.
		if (!complete || !end.left) return executions.outcome(record.id);
		return describeOutcome({ ...ended, status: end.status }, end.left.output, end.left.condition ?? null, logs.lines);
	}
}

const noUsage: ExecutorEnd["usage"] = { cpuTimeMs: 0, memoryBytes: 0, hostCalls: 0 };

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function forwardAbort(signal: AbortSignal | undefined, abort: AbortController): Disposable {
	const cancel = (): void => abort.abort(new RuntimeError("cancelled", "The run was cancelled."));
	if (signal?.aborted) cancel();
	signal?.addEventListener("abort", cancel, { once: true });
	return { [Symbol.dispose]: () => signal?.removeEventListener("abort", cancel) };
}

/** Puts the author's own files and lines into a failure's stack. */
async function locate(failure: Failure, sourceMap: string | undefined): Promise<Failure> {
	if (failure.stack === undefined || sourceMap === undefined) return failure;
	return { ...failure, stack: await mapStack(failure.stack, sourceMap) };
}

/** A UUID of version 7 (RFC 9562): its first 48 bits are the time, so ids sort by creation. */
function createExecutionId(now: number): string {
	const time = now.toString(16).padStart(12, "0");
	// Its random bits, which Node draws for many at once, and its variant are those of a UUID of version 4.
	return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
