// The module "cronium" as scripts in the sandbox see it, for editors and type checkers. It imports nothing, so that it can be copied. That it has
// the records of the contract, and one function with its parameters for every operation, is checked by test/cli/script-types.test.ts.

/** A time in UTC, RFC 3339 with milliseconds: `2026-11-22T19:58:36.123Z`. */
export type Timestamp = string;

/** Opaque: versions are compared for equality only. */
export type Version = string;

/** What is known of a stored value besides the value. */
export interface Metadata {
	readonly version: Version;
	readonly createdAt: Timestamp;
	readonly updatedAt: Timestamp;
	/** The execution that wrote it last, or `operator`. */
	readonly updatedBy: string;
	readonly expiresAt?: Timestamp;
	/** Bytes of UTF-8. */
	readonly size: number;
}

export interface SetOptions {
	/** Write only if the variable has this version now. */
	readonly ifVersion?: Version;
	/** Write only if there is no such variable. */
	readonly ifAbsent?: boolean;
	/** Milliseconds until it expires. A write without it clears an expiry that was set before. */
	readonly expiresInMs?: number;
}

export interface DeleteOptions {
	/** Delete only if the variable has this version now. */
	readonly ifVersion?: Version;
}

export interface ListOptions {
	readonly prefix?: string;
	/** Go on behind the page that had this cursor. */
	readonly cursor?: string;
	/** 100 when not given. */
	readonly limit?: number;
}

export interface KeyPage {
	readonly items: readonly { readonly key: string; readonly metadata: Metadata }[];
	/** Absent on the last page. */
	readonly cursor?: string;
}

/** The event that started the run, and the run itself. */
export interface EventContext {
	readonly id?: string;
	readonly name?: string;
	readonly description?: string;
	readonly type?: string;
	readonly runLocation?: string;
	readonly createdAt?: Timestamp;
	readonly updatedAt?: Timestamp;
	readonly userId?: string;
	readonly server?: { readonly id: string; readonly name?: string };
	readonly successCount?: number;
	readonly failureCount?: number;
	readonly lastRunAt?: Timestamp;
	readonly execution: {
		readonly id: string;
		readonly namespace: string;
		readonly mode: "sandbox" | "container" | "ssh" | "external";
		readonly attempt: number;
		readonly startedAt: Timestamp;
		readonly deadlineAt: Timestamp;
	};
}

export type ErrorCode =
	| "unauthenticated"
	| "denied"
	| "not-found"
	| "conflict"
	| "idempotency-mismatch"
	| "invalid"
	| "too-large"
	| "rate-limited"
	| "timed-out"
	| "cancelled"
	| "unavailable"
	| "tool-failed"
	| "unsupported"
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

/** Returns the input of the run, or `null` when it has none. */
export function getInput<T = unknown>(): Promise<T>;
/** Sets the output of the run. The last call wins; a value that the script's default function returns is the last call. */
export function setOutput(value: unknown): Promise<void>;
/** Returns the value of a variable, or `null` when there is none. */
export function getVariable<T = unknown>(key: string): Promise<T | null>;
/** Returns a variable with its metadata, or `null` when there is none: tells a variable that is `null` from a missing one. */
export function getVariableEntry<T = unknown>(key: string): Promise<VariableEntry<T> | null>;
/** Sets a variable and returns its new version. Durable, and visible to every run, when it resolves. */
export function setVariable(key: string, value: unknown, options?: SetOptions): Promise<Version>;
/** Deletes a variable. Returns whether there was one. */
export function deleteVariable(key: string, options?: DeleteOptions): Promise<boolean>;
/** Lists keys and their metadata, a page at a time. */
export function listVariables(options?: ListOptions): Promise<KeyPage>;
/** Adds to a number atomically and returns the sum. A missing variable starts at 0; `by` is 1 when not given. */
export function incrementVariable(key: string, by?: number): Promise<number>;
/** Sets the condition of the run, which decides where a workflow goes on. */
export function setCondition(value: boolean): Promise<void>;
/** Returns the condition of the run, or `null` when it is not set. */
export function getCondition(): Promise<boolean | null>;
/** Returns the event that started the run, and the run itself. */
export function getEventContext(): Promise<EventContext>;
/** Writes a line to the log of the run; `log.info` and its siblings are shorter. */
export function writeLog(level: "debug" | "info" | "warn" | "error", message: string, fields?: object): Promise<void>;

type WriteLine = (message: unknown, fields?: object) => Promise<void>;

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
