import type { Helpers, Json } from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import type { Execution, Failure, LogLine } from "../execution.ts";
import { type OpeningKind, openRun, readRecord } from "../executions.ts";
import { createHelpers } from "../helpers/helpers.ts";
import type { Store } from "../store/store.ts";
import type { ExecutorEnd } from "./executor-end.ts";
import { failedStatus, stopFailure } from "./executor-end.ts";

/** What became of a script that ran elsewhere, as whoever ran it says. */
export interface ExternalReport {
	readonly status: "succeeded" | "failed";
	/** Why it failed, in words. */
	readonly message?: string;
	/** Counts as the last set-output. */
	readonly output?: Json;
}

/** A run whose script runs elsewhere, while it is under way: what a door serves. */
export interface ExternalRun {
	readonly execution: Execution;
	readonly helpers: Helpers;
	/** Calls that a door has taken for the run. */
	calls: number;
	/** Aborted when the run is over, before anything else of its end happens. */
	readonly ended: AbortSignal;
	/** Ends the run. The first report counts. */
	end(report: ExternalReport): void;
}

/** One run for this executor. */
export interface ExternalPlan {
	readonly input: Json | undefined;
	readonly limits: Limits;
	/** Aborted with a RuntimeError `cancelled` or `timed-out`. */
	readonly signal: AbortSignal;
	readonly onLog: (lines: readonly LogLine[]) => void;
	/** Fixes the run's clock. */
	readonly start: () => { readonly record: Json; readonly opening: OpeningKind | undefined; readonly audit: boolean };
	/** Called when the helpers are there. */
	readonly onOpen: (run: ExternalRun) => void;
}

/** Waits for runs whose scripts run elsewhere, and has their helpers: they are in this thread, because no guest code is. */
export class ExternalExecutor {
	readonly #store: Store;
	readonly #runs = new Map<string, ExternalRun>();

	constructor(store: Store) {
		this.#store = store;
	}

	/** The run, while it is under way. */
	get(id: string): ExternalRun | undefined {
		return this.#runs.get(id);
	}

	/** Resolves when somebody has ended the run, or its signal aborts. Never rejects. */
	async run({ input, limits, signal, onLog, start, onOpen }: ExternalPlan): Promise<ExecutorEnd> {
		const { record: text, opening, audit } = start();
		const record = readRecord(text);
		const { promise, resolve } = Promise.withResolvers<ExternalReport | undefined>();
		const bound = createHelpers(
			{ ...record, signal },
			{
				store: this.#store,
				input,
				opening: opening && openRun(opening, record, text, input),
				audit,
				onLog: (line) => onLog([line]),
			},
		);
		const ended = new AbortController();
		const end = (report: ExternalReport | undefined): void => {
			this.#runs.delete(record.id);
			ended.abort();
			resolve(report);
		};
		const run: ExternalRun = {
			execution: { ...record, signal },
			helpers: bound.helpers,
			calls: 0,
			ended: ended.signal,
			end,
		};
		this.#runs.set(record.id, run);
		if (signal.aborted) end(undefined);
		else signal.addEventListener("abort", () => end(undefined), { once: true });
		onOpen(run);
		const report = await promise;
		const remainder = await bound.settle(report?.output);
		const error = describeFailure(report, remainder.failure, limits, signal);
		return {
			status: error ? failedStatus(error) : "succeeded",
			...(error && { error }),
			usage: { cpuTimeMs: 0, memoryBytes: 0, hostCalls: run.calls },
			operations: remainder.operations,
			...(remainder.audit && { audit: remainder.audit }),
			left: remainder,
		};
	}
}

function describeFailure(
	report: ExternalReport | undefined,
	failure: Failure | undefined,
	limits: Limits,
	signal: AbortSignal,
): Failure | undefined {
	if (!report) return stopFailure(limits, signal);
	if (report.status === "succeeded") return failure;
	return { code: "script-error", message: report.message ?? "The script failed." };
}
