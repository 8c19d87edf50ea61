// The module "cronium" as scripts in the sandbox see it, for editors and type checkers. The records are those of the contract; that there is one
// function for every operation, with its parameters, is checked by test/cli/script-types.test.ts.
import type {
	DeleteOptions,
	ErrorCode,
	EventContext,
	KeyPage,
	Limit,
	ListOptions,
	Metadata,
	SetOptions,
	Version,
} from "../../host/contract/generated/types.ts";

export type { DeleteOptions, ErrorCode, EventContext, KeyPage, ListOptions, Metadata, SetOptions, Version };

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
	readonly details: { readonly limit?: Limit; readonly currentVersion?: Version; readonly retryAfterMs?: number };
	constructor(code: ErrorCode, message: string, details?: RuntimeError["details"]);
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
