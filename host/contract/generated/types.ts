// Generated from wit/ by `npm run generate`. Do not edit.

/** A value now, or a promise of it: a store in this process answers at once, a remote one later. */
export type Answer<T> = T | Promise<T>;

/** What every call carries besides its arguments. */
export interface CallContext {
	/** Unique within the run. */
	readonly callId: string;
	/** W3C trace context of the caller. */
	readonly traceparent?: string;
	/** Makes a repeated call return the first one's result. Scoped to the run. */
	readonly idempotencyKey?: string;
	/** What the credential that the call came with allows of the run's scopes; all of them when it does not say. */
	readonly scopes?: readonly Scope[];
}

/**
 * A JSON text (RFC 8259), kept as received. Duplicate member names, lone surrogates and more than
 * 128 levels of nesting are `invalid`. How long it may be depends on what it is for: see the function that takes it.
 */
export type Json = string;

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

/** The limit that a call went over. */
export interface Limit {
	/** Its name in the limits table, such as `maxValueBytes`. */
	readonly name: string;
	/** Its value. */
	readonly value: number;
	/** Its unit: `bytes`, `characters`, `milliseconds`, `calls`, `levels`, … */
	readonly unit: string;
}

/** What happened, in words and in the facts that a program can act on. */
export interface Problem {
	/** Names the value that was wrong and what is allowed. */
	readonly message: string;
	/** The limit that was exceeded, if one was. */
	readonly limit?: Limit;
	/** With `conflict`: the version the key has now; none when the key does not exist. */
	readonly currentVersion?: Version;
	/** With `rate-limited` and `unavailable`: how many milliseconds to wait before trying again. */
	readonly retryAfterMs?: number;
}

/** The closed set of errors: the cases of the WIT variant `error`. */
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

/** Every error code, in the order of the WIT. */
export const errorCodes: readonly ErrorCode[] = [
	"unauthenticated",
	"denied",
	"not-found",
	"conflict",
	"idempotency-mismatch",
	"invalid",
	"too-large",
	"rate-limited",
	"timed-out",
	"cancelled",
	"unavailable",
	"tool-failed",
	"unsupported",
	"internal",
];
/** What each code means, in a sentence. */
export const errorTitles: Readonly<Record<ErrorCode, string>> = {
	"unauthenticated": "No valid credential.",
	"denied": "The run lacks the right.",
	"not-found": "There is no such thing.",
	"conflict": "The condition of a conditional write does not hold.",
	"idempotency-mismatch": "The idempotency key was used before for a different call.",
	"invalid": "The argument is malformed.",
	"too-large": "The argument is over a size limit.",
	"rate-limited": "Too many calls.",
	"timed-out": "The deadline passed.",
	"cancelled": "The run has ended or was cancelled.",
	"unavailable": "The service cannot answer now; nothing was changed.",
	"tool-failed": "A tool action failed.",
	"unsupported": "This mode or this build does not have the operation.",
	"internal": "A fault of the runtime itself.",
};

/** A value with its metadata. */
export interface Entry {
	/** The value. */
	readonly value: Json;
	/** What is known of it. */
	readonly metadata: Metadata;
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
export type ExecutionMode =
	/** WebAssembly inside the host. */
	| "sandbox"
	/** An OCI container. */
	| "container"
	/** A remote host. */
	| "ssh"
	/** A process that somebody else has started: it was given a token of the run. */
	| "external";

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
export type Level =
	/** For the author of the script. */
	| "debug"
	/** Normal. */
	| "info"
	/** Something to look at. */
	| "warn"
	/** Something failed. */
	| "error";

/** What goes into a run and what comes out of it. */
export interface Io {
	/**
	 * Returns the input of the run, or `null` when it has none.
	 *
	 * Errors: `denied` without the scope `input:read`.
	 */
	getInput(call: CallContext): Answer<Json>;
	/**
	 * Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.
	 * A value that the script returns, other than `undefined`, counts as the last call.
	 *
	 * Errors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;
	 * `too-large` over `maxOutputBytes`.
	 */
	setOutput(value: Json, call: CallContext): Answer<void>;
}

/** Values that outlive a run. They belong to the namespace of the run; namespaces never see each other. */
export interface Variables {
	/**
	 * Returns the value, or none when the key does not exist. Costs no retry.
	 *
	 * Errors: `denied` without the scope `variables:read`; `invalid` for a malformed key.
	 */
	get(key: Key, call: CallContext): Answer<Json | undefined>;
	/**
	 * Returns the value and its metadata, or none when the key does not exist: tells `null` from missing.
	 *
	 * Errors: as `get`.
	 */
	getEntry(key: Key, call: CallContext): Answer<Entry | undefined>;
	/**
	 * Writes the value and returns its new version. Durable and visible to every run when it returns.
	 *
	 * Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both
	 * conditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.
	 */
	set(key: Key, value: Json, options: SetOptions | undefined, call: CallContext): Answer<Version>;
	/**
	 * Deletes the key. Returns true, or false when there was none.
	 *
	 * Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the
	 * condition does not hold.
	 */
	delete(key: Key, options: DeleteOptions | undefined, call: CallContext): Answer<boolean>;
	/**
	 * Lists keys and their metadata, a page at a time.
	 *
	 * Errors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.
	 */
	list(options: ListOptions | undefined, call: CallContext): Answer<KeyPage>;
	/**
	 * Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.
	 * An expiry that was set before stays.
	 *
	 * Errors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the
	 * sum is not finite or is an integer beyond ±(2^53−1).
	 */
	increment(key: Key, by: number | undefined, call: CallContext): Answer<number>;
}

/** The condition of a run: true, false, or unset. A workflow branches on it. */
export interface Condition {
	/**
	 * Sets the condition. It survives a script that fails afterwards.
	 *
	 * Errors: `denied` without the scope `condition:write`.
	 */
	set(value: boolean, call: CallContext): Answer<void>;
	/**
	 * Returns the condition, or none when it is unset.
	 *
	 * Errors: `denied` without the scope `condition:read`.
	 */
	get(call: CallContext): Answer<boolean | undefined>;
}

/** Why and where the script runs. */
export interface Event {
	/**
	 * Returns the event and the run.
	 *
	 * Errors: `denied` without the scope `context:read`.
	 */
	getContext(call: CallContext): Answer<EventContext>;
}

/** Structured log lines. Standard output and standard error of a script are captured beside them. */
export interface Log {
	/**
	 * Writes a line to the log of the run. Lines keep their order; they become durable with the end of the
	 * run or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are
	 * dropped, and the run goes on.
	 *
	 * Errors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.
	 */
	write(level: Level, message: string, fields: Json | undefined, call: CallContext): Answer<void>;
}

/** The world `script`, bound to one execution. What every script can reach, whatever runs it. */
export interface Helpers {
	/** What goes into a run and what comes out of it. */
	readonly io: Io;
	/** Values that outlive a run. They belong to the namespace of the run; namespaces never see each other. */
	readonly variables: Variables;
	/** The condition of a run: true, false, or unset. A workflow branches on it. */
	readonly condition: Condition;
	/** Why and where the script runs. */
	readonly event: Event;
	/** Structured log lines. Standard output and standard error of a script are captured beside them. */
	readonly log: Log;
}

/** The rights a run can have, one per kind of operation. */
export type Scope =
	/** Read the input of the run. */
	| "input:read"
	/** Set the output of the run. */
	| "output:write"
	/** Read and list variables of the run's namespace. */
	| "variables:read"
	/** Write, delete and increment variables of the run's namespace. */
	| "variables:write"
	/** Read the condition of the run. */
	| "condition:read"
	/** Set the condition of the run. */
	| "condition:write"
	/** Read the event and the run's own data. */
	| "context:read"
	/** Write to the log of the run. */
	| "log:write";

/** Every scope there is. */
export const scopes: readonly Scope[] = [
	"input:read",
	"output:write",
	"variables:read",
	"variables:write",
	"condition:read",
	"condition:write",
	"context:read",
	"log:write",
];
