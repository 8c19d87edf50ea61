import type { EventContext, ExecutionMode, Json, Level, Scope, Timestamp } from "./contract/generated/types.ts";
import type { Limits } from "./contract/limits.ts";

/**
 * One run and all of its authority, fixed when it starts. No helper takes an execution id: whoever holds an
 * Execution acts as that run, and nobody else can.
 */
export interface Execution {
	readonly id: string;
	/** The owner of the run's variables. */
	readonly namespace: string;
	/** The host process that runs it. */
	readonly hostId: string;
	readonly event: Omit<EventContext, "execution">;
	readonly mode: ExecutionMode;
	readonly attempt: number;
	readonly scopes: readonly Scope[];
	readonly limits: Limits;
	/** Hosts that `fetch` may reach, as given to `--allow-host`. */
	readonly allowedHosts: readonly string[];
	/** Milliseconds since the Unix epoch. */
	readonly startedAt: number;
	/** Milliseconds since the Unix epoch. */
	readonly deadlineAt: number;
	/** W3C trace context of whoever started the run. */
	readonly traceparent?: string;
	/** Aborted when the run is cancelled or over its deadline; `reason` is a RuntimeError. */
	readonly signal: AbortSignal;
}

export type ExecutionStatus = "created" | "running" | FinalStatus;
export type FinalStatus = "succeeded" | "failed" | "timed-out" | "cancelled" | "lost";

/** Why a run did not succeed: a closed set. Codes that end in `-exceeded` come with the limit they name. */
export type FailureCode =
	/** The script threw, or its promise was rejected. */
	| "script-error"
	/** The source does not parse. */
	| "syntax-error"
	/** An import that the sandbox does not have. */
	| "import-error"
	/** The script waits for a promise that nothing can settle any more. */
	| "never-settled"
	/** The returned value is not JSON: cyclic, a BigInt, a function, … */
	| "invalid-output"
	| "output-exceeded"
	| "wall-time-exceeded"
	| "cpu-time-exceeded"
	| "memory-exceeded"
	| "stack-exceeded"
	| "host-calls-exceeded"
	| "pending-calls-exceeded"
	| "journal-exceeded"
	/** What the run left does not fit into its namespace. */
	| "storage-exceeded"
	| "cancelled"
	| "lost"
	/** There is no container engine, it is too old, it has gone, or it cannot keep a run as isolated as it must be; or the sandbox's Python could not be made ready. */
	| "engine-unavailable"
	/** The engine does not have the image, or the image may not be used. */
	| "image-unavailable"
	/** The SSH host was not reached: its name, its address, its port or the network. */
	| "host-unreachable"
	/** The SSH host has shown a key that is not known, or not the one that is. */
	| "host-key-refused"
	/** The SSH host has refused the account or its key. */
	| "host-login-refused"
	/** Something is missing on the SSH host: an interpreter, room on its disk, a directory that can be written. */
	| "host-unsuitable"
	/** The connection to the SSH host broke while the script was running. */
	| "host-connection-lost"
	/** The run may not be where it was to run. */
	| "denied"
	/** The engine or the host failed. */
	| "internal";

export interface Failure {
	readonly code: FailureCode;
	readonly message: string;
	/** With the code `script-error`: the name of the error thrown (`TypeError`, `RuntimeError`), if it was one. */
	readonly name?: string;
	/** When the error thrown was a RuntimeError: its code. */
	readonly errorCode?: string;
	readonly limit?: { readonly name: string; readonly value: number; readonly unit: string };
	/** Frames of the script's own files, one a line: `at total (orders.ts:12:5)`. */
	readonly stack?: string;
}

/** One line of a run's log. */
export interface LogLine {
	/** 1 for the first line of the run. */
	readonly sequence: number;
	readonly at: Timestamp;
	readonly level: Level;
	readonly source: "log" | "stdout" | "stderr" | "system";
	readonly message: string;
	/** A JSON object. */
	readonly fields?: Json;
}

/** What a run used. */
export interface Usage {
	/** Time from the start to the end. */
	readonly wallTimeMs: number;
	readonly cpuTimeMs: number;
	/** Peak WebAssembly memory; in a container, the most that was seen of its memory. */
	readonly memoryBytes: number;
	readonly hostCalls: number;
	readonly logBytes: number;
}

/** What became of a run. */
export interface Outcome {
	readonly executionId: string;
	readonly status: FinalStatus;
	/** 0 succeeded, 1 failed or lost, 124 timed out, 130 cancelled; of a script that failed in Python, in a container or on an SSH host, its own. */
	readonly exitCode: number;
	/** The output; absent when none was set. */
	readonly output?: unknown;
	/** The output as the JSON text that was set: keeps numbers that a JavaScript value cannot hold. */
	readonly outputText?: Json;
	readonly condition: boolean | null;
	readonly logs: readonly LogLine[];
	readonly usage: Usage;
	readonly error?: Failure;
}
