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
}

export type Json = string;
export type Key = string;
export type Version = string;
export type Timestamp = string;

export interface Metadata {
	readonly version: Version;
	readonly createdAt: Timestamp;
	readonly updatedAt: Timestamp;
	readonly updatedBy: string;
	readonly expiresAt?: Timestamp;
	readonly size: number;
}
export interface Limit {
	readonly name: string;
	readonly value: number;
	readonly unit: string;
}
export interface Problem {
	readonly message: string;
	readonly limit?: Limit;
	readonly currentVersion?: Version;
	readonly retryAfterMs?: number;
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

export interface Entry {
	readonly value: Json;
	readonly metadata: Metadata;
}
export interface SetOptions {
	readonly ifVersion?: Version;
	readonly ifAbsent?: boolean;
	readonly expiresInMs?: number;
}
export interface DeleteOptions {
	readonly ifVersion?: Version;
}
export interface ListOptions {
	readonly prefix?: string;
	readonly cursor?: string;
	readonly limit?: number;
}
export interface KeyInfo {
	readonly key: Key;
	readonly metadata: Metadata;
}
export interface KeyPage {
	readonly items: readonly KeyInfo[];
	readonly cursor?: string;
}
export type ExecutionMode = "sandbox" | "container" | "ssh";
export interface ExecutionContext {
	readonly id: string;
	readonly namespace: string;
	readonly mode: ExecutionMode;
	readonly attempt: number;
	readonly startedAt: Timestamp;
	readonly deadlineAt: Timestamp;
}
export interface ServerContext {
	readonly id: string;
	readonly name?: string;
}
export interface EventContext {
	readonly id?: string;
	readonly name?: string;
	readonly description?: string;
	readonly type?: string;
	readonly runLocation?: string;
	readonly createdAt?: Timestamp;
	readonly updatedAt?: Timestamp;
	readonly userId?: string;
	readonly server?: ServerContext;
	readonly successCount?: number;
	readonly failureCount?: number;
	readonly lastRunAt?: Timestamp;
	readonly execution: ExecutionContext;
}
export type Level = "debug" | "info" | "warn" | "error";

export interface Io {
	getInput(call: CallContext): Answer<Json>;
	setOutput(value: Json, call: CallContext): Answer<void>;
}
export interface Variables {
	get(key: Key, call: CallContext): Answer<Json | undefined>;
	getEntry(key: Key, call: CallContext): Answer<Entry | undefined>;
	set(key: Key, value: Json, options: SetOptions | undefined, call: CallContext): Answer<Version>;
	delete(key: Key, options: DeleteOptions | undefined, call: CallContext): Answer<boolean>;
	list(options: ListOptions | undefined, call: CallContext): Answer<KeyPage>;
	increment(key: Key, by: number | undefined, call: CallContext): Answer<number>;
}
export interface Condition {
	set(value: boolean, call: CallContext): Answer<void>;
	get(call: CallContext): Answer<boolean | undefined>;
}
export interface Event {
	getContext(call: CallContext): Answer<EventContext>;
}
export interface Log {
	write(level: Level, message: string, fields: Json | undefined, call: CallContext): Answer<void>;
}

/** The world `script`: the contract bound to one execution. */
export interface Helpers {
	readonly io: Io;
	readonly variables: Variables;
	readonly condition: Condition;
	readonly event: Event;
	readonly log: Log;
}

/** The rights a run can have, one per kind of operation. */
export type Scope =
	| "input:read"
	| "output:write"
	| "variables:read"
	| "variables:write"
	| "condition:read"
	| "condition:write"
	| "context:read"
	| "log:write";
