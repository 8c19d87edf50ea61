import { constants } from "node:os";
import type { RuntimeError } from "../contract/errors.ts";
import type { Limits } from "../contract/limits.ts";
import type { Failure, FinalStatus, Usage } from "../execution.ts";
import type { Remainder } from "../helpers/helpers.ts";
import type { LastAudit } from "../helpers/run-audit.ts";
import { exitFailure, limitFailure } from "../sandbox/guest-failures.ts";
import type { StoreOperation } from "../store/store.ts";

/** How a run ended in its executor. */
export interface ExecutorEnd {
	readonly status: FinalStatus;
	readonly error?: Failure;
	/** The script's own, when it failed by one. */
	readonly exitCode?: number;
	readonly usage: Omit<Usage, "wallTimeMs" | "logBytes">;
	/** What the run left to be written together with its final status. */
	readonly operations: readonly StoreOperation[];
	/** And into the audit log. */
	readonly audit?: LastAudit;
	/**
	 * The output and the condition as the script left them. Absent when its worker was taken from under it: then the store has
	 * what was acknowledged.
	 */
	readonly left?: Pick<Remainder, "opened" | "output" | "condition" | "logBytes">;
}

/** The end of a run that has left something: `error` is why it did not succeed. */
export function describeEnd(remainder: Remainder, error: Failure | undefined, usage: ExecutorEnd["usage"]): ExecutorEnd {
	return {
		status: error ? failedStatus(error) : "succeeded",
		...(error && { error }),
		usage,
		operations: remainder.operations,
		...(remainder.audit && { audit: remainder.audit }),
		left: remainder,
	};
}

/** The same for a script with an exit code. `failure` is its own, which counts unless it was stopped from outside. */
export function describeScriptEnd(
	remainder: Remainder,
	{ limits, signal }: { readonly limits: Limits; readonly signal: AbortSignal },
	failure: Failure | undefined,
	exitCode: number | undefined,
	usage: ExecutorEnd["usage"],
): ExecutorEnd {
	const error = signal.aborted ? stopFailure(limits, signal) : (failure ?? remainder.failure);
	return withExitCode(describeEnd(remainder, error, usage), exitCode);
}

/** The end of a script with an exit code, which says something of one that failed by itself only. */
export function withExitCode(end: ExecutorEnd, exitCode: number | undefined): ExecutorEnd {
	return { ...end, ...(end.error?.code === "script-error" && exitCode !== undefined && exitCode !== 0 && { exitCode }) };
}

/** The end of a run whose script was never begun, or of which only the store knows something. */
export function endWithout(error: Failure): ExecutorEnd {
	return { status: failedStatus(error), error, usage: noUsage, operations: [] };
}

/** Of a run of which nobody can say what it used. */
export const noUsage: ExecutorEnd["usage"] = { cpuTimeMs: 0, memoryBytes: 0, hostCalls: 0 };

/** The failure of a run that was stopped from outside. */
export function stopFailure(limits: Limits, signal: AbortSignal): Failure {
	const { code, details } = signal.reason as RuntimeError;
	if (code === "timed-out")
		return limitFailure(limits, details.limit?.name === "maxCpuTimeMs" ? "maxCpuTimeMs" : "maxWallTimeMs");
	return { code: "cancelled", message: "The run was cancelled." };
}

/** Why a script failed that ended with this exit code, as a shell would have it: 128 and its number for one that was ended by a signal. */
export function scriptFailure(exitCode: number): Failure | undefined {
	const name = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)?.[0];
	if (name === undefined) return exitFailure(exitCode);
	return { code: "script-error", message: `The script was ended by ${name}, exit code ${exitCode}.` };
}

/** The final status that a failure means. */
function failedStatus({ code }: Failure): FinalStatus {
	if (code === "wall-time-exceeded" || code === "cpu-time-exceeded") return "timed-out";
	return code === "cancelled" ? "cancelled" : "failed";
}
