import type { Json } from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import type { Failure } from "../execution.ts";
import { describeEnd, type ExecutorEnd, noUsage, stopFailure } from "./executor-end.ts";
import type { ServedPlan, ServedRun, ServedRuns } from "./served-runs.ts";

/** What became of a script that ran elsewhere, as whoever ran it says. */
export interface ExternalReport {
	readonly status: "succeeded" | "failed";
	/** Why it failed, in words. */
	readonly message?: string;
	/** Counts as the last set-output. */
	readonly output?: Json;
}

/** A run whose script somebody else runs, while it is under way. */
export interface ExternalRun extends ServedRun {
	/** Ends the run. The first report counts. */
	end(report: ExternalReport): void;
}

/** One run for this executor. */
export interface ExternalPlan extends ServedPlan {
	readonly limits: Limits;
	/** Called when the helpers are there. */
	readonly onOpen: (run: ExternalRun) => void;
}

/** Waits for runs whose scripts somebody else runs. */
export class ExternalExecutor {
	readonly #served: ServedRuns;
	readonly #runs = new Map<string, ExternalRun>();

	constructor(served: ServedRuns) {
		this.#served = served;
	}

	/** The run, while it is under way. */
	get(id: string): ExternalRun | undefined {
		return this.#runs.get(id);
	}

	/** Resolves when somebody has ended the run, or its signal aborts. Never rejects. */
	async run({ limits, onOpen, ...plan }: ExternalPlan): Promise<ExecutorEnd> {
		const { signal } = plan;
		const opened = this.#served.open(plan);
		const { promise, resolve } = Promise.withResolvers<ExternalReport | undefined>();
		const { id } = opened.run.execution;
		const end = (report: ExternalReport | undefined): void => {
			this.#runs.delete(id);
			opened.close();
			resolve(report);
		};
		// The same object, not a copy: doors count its calls.
		const run = Object.assign(opened.run, { end });
		this.#runs.set(id, run);
		if (signal.aborted) end(undefined);
		else signal.addEventListener("abort", () => end(undefined), { once: true });
		onOpen(run);
		const report = await promise;
		const remainder = await opened.settle(report?.output);
		const error = describeFailure(report, remainder.failure, limits, signal);
		return describeEnd(remainder, error, { ...noUsage, hostCalls: run.calls });
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
