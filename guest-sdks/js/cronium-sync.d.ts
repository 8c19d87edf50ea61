// Generated from wit/ by `npm run generate`. Do not edit.
// The module "cronium/sync", for editors and type checkers.

/** The name of a variable: 1 to 255 characters, any Unicode but control characters. `.` and `..` are `invalid`. */
export type Key = string;

/** An opaque version. Two versions can only be compared for equality; none is used again after a delete. */
export type Version = string;

/** A time in UTC, RFC 3339 with milliseconds: `2026-11-22T19:58:36.123Z`. */
export type Timestamp = string;

/** What is known of a stored value besides the value. */
export interface Metadata {
	/** Changes with every write. */
	readonly version: Version;
	/** When the key came into being. A delete or an expiry ends it. */
	readonly createdAt: Timestamp;
	/** When the value was last written. */
	readonly updatedAt: Timestamp;
	/** The execution that wrote it last, or `operator` when no run did. */
	readonly updatedBy: string;
	/** When the value expires, if it does. */
	readonly expiresAt?: Timestamp;
	/** The length of the value in bytes of UTF-8. */
	readonly size: number;
}

/** Conditions and expiry of a write. */
export interface SetOptions {
	/** Write only if the key has this version now. */
	readonly ifVersion?: Version;
	/** With `true`: write only if the key does not exist. */
	readonly ifAbsent?: boolean;
	/** The value expires after this many milliseconds. A write without it clears an expiry that was set before. */
	readonly expiresInMs?: number;
}

/** The condition of a delete. */
export interface DeleteOptions {
	/** Delete only if the key has this version now. */
	readonly ifVersion?: Version;
}

/** Which keys to list. */
export interface ListOptions {
	/** Only keys that begin with this text. */
	readonly prefix?: string;
	/** Go on behind the page that returned this cursor. */
	readonly cursor?: string;
	/** At most this many keys: 1 to `maxPageSize`, 100 when not given. */
	readonly limit?: number;
}

/** A key with the metadata of its value. */
export interface KeyInfo {
	/** The key. */
	readonly key: Key;
	/** What is known of its value. */
	readonly metadata: Metadata;
}

/** One page of keys, in the order of their UTF-8 bytes. */
export interface KeyPage {
	/** The keys. */
	readonly items: readonly KeyInfo[];
	/** Where the next page begins; none on the last page. */
	readonly cursor?: string;
}

/** How scripts are run. */
export type ExecutionMode = "sandbox" | "container" | "ssh" | "external";

/** This run. */
export interface ExecutionContext {
	/** The id of the run. */
	readonly id: string;
	/** The owner of the run's variables. */
	readonly namespace: string;
	/** How it runs. */
	readonly mode: ExecutionMode;
	/** 1 for the first attempt. */
	readonly attempt: number;
	/** When it started. */
	readonly startedAt: Timestamp;
	/** When it is stopped at the latest. */
	readonly deadlineAt: Timestamp;
}

/** The server an event belongs to. */
export interface ServerContext {
	/** The id of the server. */
	readonly id: string;
	/** Its name. */
	readonly name?: string;
}

/** The event that a run belongs to. A field that the orchestrator does not know is none. */
export interface EventContext {
	/** The id of the event. */
	readonly id?: string;
	/** Its name. */
	readonly name?: string;
	/** Its description. */
	readonly description?: string;
	/** What kind of event it is. */
	readonly type?: string;
	/** Where the orchestrator meant it to run. */
	readonly runLocation?: string;
	/** When the event was made. */
	readonly createdAt?: Timestamp;
	/** When the event was last changed. */
	readonly updatedAt?: Timestamp;
	/** Who owns it. */
	readonly userId?: string;
	/** The server it belongs to. */
	readonly server?: ServerContext;
	/** How often it succeeded before. */
	readonly successCount?: number;
	/** How often it failed before. */
	readonly failureCount?: number;
	/** When it last ran. */
	readonly lastRunAt?: Timestamp;
	/** This run. */
	readonly execution: ExecutionContext;
}

/** How much a line matters. */
export type Level = "debug" | "info" | "warn" | "error";

/** Why a call failed: a closed set, the same in every language. */
export type ErrorCode =
	/** No valid credential. */
	| "unauthenticated"
	/** The run lacks the right. */
	| "denied"
	/** There is no such thing. */
	| "not-found"
	/** The condition of a conditional write does not hold. */
	| "conflict"
	/** The idempotency key was used before for a different call. */
	| "idempotency-mismatch"
	/** The argument is malformed. */
	| "invalid"
	/** The argument is over a size limit. */
	| "too-large"
	/** Too many calls. */
	| "rate-limited"
	/** The deadline passed. */
	| "timed-out"
	/** The run has ended or was cancelled. */
	| "cancelled"
	/** The service cannot answer now; nothing was changed. */
	| "unavailable"
	/** A tool action failed. */
	| "tool-failed"
	/** This mode or this build does not have the operation. */
	| "unsupported"
	/** A fault of the runtime itself. */
	| "internal";

/** With an error: which limit or version it is about. */
export interface ErrorDetails {
	readonly limit?: { readonly name: string; readonly value: number; readonly unit: string };
	readonly currentVersion?: Version;
	readonly retryAfterMs?: number;
}

/** A value and what is known of it. */
export interface VariableEntry<T = unknown> {
	readonly value: T;
	readonly metadata: Metadata;
}

/**
 * Returns the input of the run, or `null` when it has none.
 *
 * Errors: `denied` without the scope `input:read`.
 */
export function getInput<T = unknown>(): T;
/**
 * Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.
 * A value that the script returns, other than `undefined`, counts as the last call.
 *
 * Errors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;
 * `too-large` over `maxOutputBytes`.
 */
export function setOutput(value: unknown): void;
/**
 * Returns the value, or none when the key does not exist. Costs no retry.
 *
 * Errors: `denied` without the scope `variables:read`; `invalid` for a malformed key.
 */
export function getVariable<T = unknown>(key: string): T | null;
/**
 * Returns the value and its metadata, or none when the key does not exist: tells `null` from missing.
 *
 * Errors: as `get`.
 */
export function getVariableEntry<T = unknown>(key: string): VariableEntry<T> | null;
/**
 * Writes the value and returns its new version. Durable and visible to every run when it returns.
 *
 * Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both
 * conditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.
 */
export function setVariable(key: string, value: unknown, options?: SetOptions): Version;
/**
 * Deletes the key. Returns true, or false when there was none.
 *
 * Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the
 * condition does not hold.
 */
export function deleteVariable(key: string, options?: DeleteOptions): boolean;
/**
 * Lists keys and their metadata, a page at a time.
 *
 * Errors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.
 */
export function listVariables(options?: ListOptions): KeyPage;
/**
 * Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.
 * An expiry that was set before stays.
 *
 * Errors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the
 * sum is not finite or is an integer beyond ±(2^53−1).
 */
export function incrementVariable(key: string, by?: number): number;
/**
 * Sets the condition. It survives a script that fails afterwards.
 *
 * Errors: `denied` without the scope `condition:write`.
 */
export function setCondition(value: boolean): void;
/**
 * Returns the condition, or none when it is unset.
 *
 * Errors: `denied` without the scope `condition:read`.
 */
export function getCondition(): boolean | null;
/**
 * Returns the event and the run.
 *
 * Errors: `denied` without the scope `context:read`.
 */
export function getEventContext(): EventContext;
/**
 * Writes a line to the log of the run. Lines keep their order; they become durable with the end of the
 * run or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are
 * dropped, and the run goes on.
 *
 * Errors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.
 */
export function writeLog(level: Level, message: string, fields?: object): void;

type WriteLine = (message: unknown, fields?: object) => void;

/** Writes structured lines to the log of the run. */
export const log: { readonly debug: WriteLine; readonly info: WriteLine; readonly warn: WriteLine; readonly error: WriteLine };

/** What every helper rejects with. `code` never changes its meaning. */
export class RuntimeError extends Error {
	readonly code: ErrorCode;
	readonly details: ErrorDetails;
	constructor(code: ErrorCode, message: string, details?: ErrorDetails);
}

declare const cronium: {
	readonly getInput: typeof getInput;
	readonly setOutput: typeof setOutput;
	readonly getVariable: typeof getVariable;
	readonly getVariableEntry: typeof getVariableEntry;
	readonly setVariable: typeof setVariable;
	readonly deleteVariable: typeof deleteVariable;
	readonly listVariables: typeof listVariables;
	readonly incrementVariable: typeof incrementVariable;
	readonly setCondition: typeof setCondition;
	readonly getCondition: typeof getCondition;
	readonly getEventContext: typeof getEventContext;
	readonly writeLog: typeof writeLog;
	readonly log: typeof log;
	readonly RuntimeError: typeof RuntimeError;
};
export default cronium;
