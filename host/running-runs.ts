import { randomUUID } from "node:crypto";
import { RuntimeError } from "./contract/errors.ts";
import { describeLimit } from "./contract/limits.ts";
import type { Outcome } from "./execution.ts";
import { describeOutcome, type Ending, type ExecutionRecord, type Executions, logOperations } from "./executions.ts";
import type { ExecutorEnd } from "./executors/executor-end.ts";
import type { ExecutorRun } from "./executors/sandbox.ts";
import { RunLogs } from "./run-logs.ts";
import type { RunOptions, RunTerms } from "./run-options.ts";
import type { RunPlaces } from "./run-places.ts";
import { RunRecord } from "./run-record.ts";

/** A run that is in the store and on its way. */
export interface StartedRun {
	readonly id: string;
	/** Rejects with `unavailable` when not even the end of the run can be written. */
	readonly outcome: Promise<Outcome>;
}

/** A run of this process. */
export interface RunningRun {
	readonly abort: AbortController;
	readonly logs: RunLogs;
	readonly outcome: Promise<Outcome>;
}

/** What an executor is given of a run. */
export interface RunUnderWay extends Pick<ExecutorRun, "signal" | "onLog" | "onCpuTimeExceeded" | "start"> {
	/** Writes the run down now. */
	readonly create: () => Promise<void>;
}

/** What completes the record of a run. */
export type RunFacts = Pick<ExecutionRecord, "mode" | "host" | "allowedHosts" | "engine" | "script"> & {
	readonly id: string | undefined;
};

export interface RunningRunsParts {
	/** The name of this process in the data directory. */
	readonly hostId: string;
	readonly executions: Executions;
	/** Whether the runs tell an audit log of what they do. */
	readonly hasAudit: boolean;
}

/** The runs of this process that are under way, each from its record to its final status, wherever its script runs. */
export class RunningRuns {
	readonly #parts: RunningRunsParts;
	readonly #running = new Map<string, RunningRun>();

	constructor(parts: RunningRunsParts) {
		this.#parts = parts;
	}

	get(id: string): RunningRun | undefined {
		return this.#running.get(id);
	}

	all(): readonly RunningRun[] {
		return [...this.#running.values()];
	}

	/** Begins a run, which has one of the places until it has ended: `known` completes its record, `execute` is what its executor does. */
	begin(
		places: RunPlaces,
		terms: RunTerms,
		options: Pick<RunOptions, "signal" | "onLog">,
		{ id, ...known }: RunFacts,
		execute: (run: RunUnderWay) => Promise<ExecutorEnd>,
	): StartedRun {
		const { limits, traceparent } = terms;
		const place = places.take(terms.namespace);
		const now = Date.now();
		const record: ExecutionRecord = {
			id: id ?? createExecutionId(now),
			namespace: terms.namespace,
			hostId: this.#parts.hostId,
			event: terms.event,
			attempt: terms.attempt,
			scopes: terms.scopes,
			limits,
			startedAt: now,
			deadlineAt: now + limits.maxWallTimeMs,
			...(traceparent !== undefined && { traceparent }),
			status: "created",
			...known,
			createdAt: now,
		};
		const abort = new AbortController();
		const stored = new RunRecord(this.#parts.executions, record, terms.input);
		const logs = new RunLogs(limits.logFlushMs, (lines) => stored.appendLogs(lines), options.onLog);
		const outcome = this.#conduct(record, stored, terms, logs, options.signal, abort, execute).finally(() => {
			place[Symbol.dispose]();
			this.#running.delete(record.id);
		});
		this.#running.set(record.id, { abort, logs, outcome });
		return { id: record.id, outcome };
	}

	async #conduct(
		record: ExecutionRecord,
		given: RunRecord,
		{ limits, writes }: RunTerms,
		logs: RunLogs,
		signal: AbortSignal | undefined,
		abort: AbortController,
		execute: (run: RunUnderWay) => Promise<ExecutorEnd>,
	): Promise<Outcome> {
		const { executions } = this.#parts;
		using stored = given;
		using _cancel = forwardAbort(signal, abort);
		let { startedAt, deadlineAt } = record;
		let deadline: NodeJS.Timeout | undefined;
		const stop = (name: "maxWallTimeMs" | "maxCpuTimeMs"): void => {
			const limit = describeLimit(limits, name);
			abort.abort(new RuntimeError("timed-out", `The run is over its limit ${name} of ${limit.value} milliseconds.`, { limit }));
		};
		const end = await execute({
			signal: abort.signal,
			onLog: logs.add,
			onCpuTimeExceeded: () => stop("maxCpuTimeMs"),
			create: () => stored.create(writes),
			start: () => {
				startedAt = Date.now();
				deadlineAt = startedAt + limits.maxWallTimeMs;
				deadline = setTimeout(stop, limits.maxWallTimeMs, "maxWallTimeMs");
				return { ...stored.start(startedAt, deadlineAt), audit: this.#parts.hasAudit };
			},
		});
		clearTimeout(deadline);
		const { error } = end;
		const remainingLogs = await logs.close();
		const ending: Ending = {
			status: end.status,
			...(error && { error }),
			...(end.exitCode !== undefined && { exitCode: end.exitCode }),
			usage: { ...end.usage, wallTimeMs: Date.now() - startedAt, logBytes: end.left?.logBytes ?? logs.bytes },
			startedAt,
			deadlineAt,
			operations: [...end.operations, ...logOperations(record.id, remainingLogs)],
			...(end.audit && { audit: end.audit }),
		};
		const { record: ended, complete } = await stored.end(ending, end.left?.opened ?? false);
		// The store knows more when a worker was taken from under its script, or when not everything could be written.
		if (!complete || !end.left) return executions.outcome(record.id);
		return describeOutcome({ ...ended, status: end.status }, end.left.output, end.left.condition ?? null, logs.lines);
	}
}

function forwardAbort(signal: AbortSignal | undefined, abort: AbortController): Disposable {
	const cancel = (): void => abort.abort(new RuntimeError("cancelled", "The run was cancelled."));
	if (signal?.aborted) cancel();
	signal?.addEventListener("abort", cancel, { once: true });
	return { [Symbol.dispose]: () => signal?.removeEventListener("abort", cancel) };
}

/** A UUID of version 7 (RFC 9562): its first 48 bits are the time, so ids sort by creation. */
export function createExecutionId(now: number): string {
	const time = now.toString(16).padStart(12, "0");
	// Its random bits, which Node draws for many at once, and its variant are those of a UUID of version 4.
	return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
