import { RuntimeError } from "../contract/errors.ts";
import { describeLimit, type Limits } from "../contract/limits.ts";
import type { WorkerStop } from "./worker.ts";

/** What the calls of a run are told that has to stop. */
export function stopError(reason: WorkerStop["reason"], limits: Limits): RuntimeError {
	if (reason === "cancelled") return new RuntimeError("cancelled", "The run was cancelled.");
	const limit = describeLimit(limits, reason === "cpu-time" ? "maxCpuTimeMs" : "maxWallTimeMs");
	return new RuntimeError("timed-out", `The run is over its limit ${limit.name} of ${limit.value} milliseconds.`, { limit });
}
