import type { Helpers } from "../host/contract/generated/types.ts";
import { limitDefinitions, resolveLimits } from "../host/contract/limits.ts";
import type { Execution } from "../host/execution.ts";
import type { GuestResult, Surroundings } from "../host/sandbox/engine.ts";
import type { GuestEngine } from "../host/sandbox/guest-engine.ts";
import { drawSeed } from "../host/sandbox/seed.ts";

/** Runs scripts in an engine of this thread, without host, worker and store around it. */
export type RunInEngine = (source: string, helpers?: Helpers) => Promise<GuestResult>;

/** Throws when a script fails: its time would mean nothing. */
export function createRunInEngine(engine: GuestEngine, execution = createExecution(), print = printToErrors): RunInEngine {
	const stop = new Int32Array(new SharedArrayBuffer(4));
	const name = engine.name === "python" ? "bench.py" : "bench.js";
	return async (source, helpers = emptyHelpers) => {
		const result = await engine.run({ name, source }, execution, helpers, { seed: drawSeed(), print }, stop);
		engine.tidy();
		if (result.failure) throw new Error(`${engine.name}: ${result.failure.code}: ${result.failure.message}`);
		return result;
	};
}

const printToErrors: Surroundings["print"] = (_, text) => void process.stderr.write(text);

/** An execution that may do everything, for an hour, under limits that a benchmark does not meet. */
export function createExecution(): Execution {
	const now = Date.now();
	return {
		id: "00000000-0000-7000-8000-000000000000",
		namespace: "bench",
		hostId: "bench",
		event: {},
		mode: "sandbox",
		attempt: 1,
		scopes: [
			"input:read",
			"output:write",
			"variables:read",
			"variables:write",
			"condition:read",
			"condition:write",
			"context:read",
			"log:write",
		],
		limits: resolveLimits({
			maxHostCalls: 100_000_000,
			maxWallTimeMs: 3_600_000,
			maxCpuTimeMs: 3_600_000,
			maxJournalBytes: limitDefinitions.maxJournalBytes.maximum,
		}),
		allowedHosts: [],
		startedAt: now,
		deadlineAt: now + 3_600_000,
		signal: new AbortController().signal,
	};
}

/** Answers at once and does nothing, so that only the engine and its glue are measured. */
export const emptyHelpers: Helpers = {
	io: { getInput: () => "null", setOutput: () => undefined },
	variables: {
		get: () => undefined,
		getEntry: () => undefined,
		set: () => "1",
		delete: () => false,
		list: () => ({ items: [] }),
		increment: () => 1,
	},
	condition: { set: () => undefined, get: () => undefined },
	event: {
		getContext: () => ({ execution: { id: "", namespace: "", mode: "sandbox", attempt: 1, startedAt: "", deadlineAt: "" } }),
	},
	log: { write: () => undefined },
};
