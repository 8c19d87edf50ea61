// Generated from wit/ by `npm run generate`. Do not edit.
import type * as module from "../../cronium.d.ts";
import type { Operation } from "../operation.ts";

/** Every function of the contract, and how it is reached over HTTP. */
export const operations: readonly Operation[] = [
	{
		id: "io.get-input",
		name: "getInput",
		effect: false,
		parameters: [],
		result: "json",
		method: "GET",
		path: "/v1/input",
		places: [],
	},
	{
		id: "io.set-output",
		name: "setOutput",
		effect: true,
		parameters: [{ name: "value", kind: "json", required: true }],
		result: "none",
		method: "PUT",
		path: "/v1/output",
		places: [{ parameter: "value", in: "body" }],
	},
	{
		id: "variables.get",
		name: "getVariable",
		effect: false,
		parameters: [{ name: "key", kind: "plain", required: true }],
		result: "json",
		method: "GET",
		path: "/v1/variables/{key}",
		places: [{ parameter: "key", in: "path", name: "key" }],
		headers: [
			{ name: "etag", field: "metadata.version" },
			{ name: "cronium-created-at", field: "metadata.createdAt" },
			{ name: "cronium-updated-at", field: "metadata.updatedAt" },
			{ name: "cronium-updated-by", field: "metadata.updatedBy" },
			{ name: "cronium-expires-at", field: "metadata.expiresAt" },
		],
	},
	{
		id: "variables.get-entry",
		name: "getVariableEntry",
		effect: false,
		parameters: [{ name: "key", kind: "plain", required: true }],
		result: "entry",
		method: "GET",
		path: "/v1/variables/{key}",
		places: [{ parameter: "key", in: "path", name: "key" }],
		headers: [
			{ name: "etag", field: "metadata.version" },
			{ name: "cronium-created-at", field: "metadata.createdAt" },
			{ name: "cronium-updated-at", field: "metadata.updatedAt" },
			{ name: "cronium-updated-by", field: "metadata.updatedBy" },
			{ name: "cronium-expires-at", field: "metadata.expiresAt" },
		],
	},
	{
		id: "variables.set",
		name: "setVariable",
		effect: true,
		parameters: [
			{ name: "key", kind: "plain", required: true },
			{ name: "value", kind: "json", required: true },
			{ name: "options", kind: "plain", required: false },
		],
		result: "plain",
		method: "PUT",
		path: "/v1/variables/{key}",
		places: [
			{ parameter: "key", in: "path", name: "key" },
			{ parameter: "value", in: "body" },
			{ parameter: "options", field: "ifVersion", in: "header", name: "If-Match", as: "etag" },
			{ parameter: "options", field: "ifAbsent", in: "header", name: "If-None-Match", as: "star" },
			{ parameter: "options", field: "expiresInMs", in: "query", name: "expiresInMs" },
		],
		headers: [{ name: "etag", field: "" }],
	},
	{
		id: "variables.delete",
		name: "deleteVariable",
		effect: true,
		parameters: [{ name: "key", kind: "plain", required: true }, { name: "options", kind: "plain", required: false }],
		result: "plain",
		method: "DELETE",
		path: "/v1/variables/{key}",
		places: [
			{ parameter: "key", in: "path", name: "key" },
			{ parameter: "options", field: "ifVersion", in: "header", name: "If-Match", as: "etag" },
		],
	},
	{
		id: "variables.list",
		name: "listVariables",
		effect: false,
		parameters: [{ name: "options", kind: "plain", required: false }],
		result: "plain",
		method: "GET",
		path: "/v1/variables",
		places: [
			{ parameter: "options", field: "prefix", in: "query", name: "prefix" },
			{ parameter: "options", field: "cursor", in: "query", name: "cursor" },
			{ parameter: "options", field: "limit", in: "query", name: "limit" },
		],
	},
	{
		id: "variables.increment",
		name: "incrementVariable",
		effect: true,
		parameters: [{ name: "key", kind: "plain", required: true }, { name: "by", kind: "plain", required: false }],
		result: "plain",
		method: "POST",
		path: "/v1/variables/{key}/increment",
		places: [{ parameter: "key", in: "path", name: "key" }, { parameter: "by", in: "body" }],
	},
	{
		id: "condition.set",
		name: "setCondition",
		effect: true,
		parameters: [{ name: "value", kind: "plain", required: true }],
		result: "none",
		method: "PUT",
		path: "/v1/condition",
		places: [{ parameter: "value", in: "body" }],
	},
	{
		id: "condition.get",
		name: "getCondition",
		effect: false,
		parameters: [],
		result: "plain",
		method: "GET",
		path: "/v1/condition",
		places: [],
	},
	{
		id: "event.get-context",
		name: "getEventContext",
		effect: false,
		parameters: [],
		result: "plain",
		method: "GET",
		path: "/v1/context",
		places: [],
	},
	{
		id: "log.write",
		name: "writeLog",
		effect: true,
		parameters: [
			{ name: "level", kind: "plain", required: true },
			{ name: "message", kind: "plain", required: true },
			{ name: "fields", kind: "json", required: false },
		],
		result: "none",
		method: "POST",
		path: "/v1/logs",
		places: [
			{ parameter: "level", in: "body", name: "level" },
			{ parameter: "message", in: "body", name: "message" },
			{ parameter: "fields", in: "body", name: "fields" },
		],
	},
];

/** The functions of the contract. */
export type Calls = Pick<typeof module, "getInput" | "setOutput" | "getVariable" | "getVariableEntry" | "setVariable" | "deleteVariable" | "listVariables" | "incrementVariable" | "setCondition" | "getCondition" | "getEventContext" | "writeLog">;

/** The same without promises. */
export type SyncCalls = { readonly [Name in keyof Calls]: (...given: Parameters<Calls[Name]>) => Awaited<ReturnType<Calls[Name]>> };

/** Makes the functions of something that performs them. */
export function createCalls<Answer>(perform: (operation: Operation, given: readonly unknown[]) => Answer) {
	const [getInput, setOutput, getVariable, getVariableEntry, setVariable, deleteVariable, listVariables, incrementVariable, setCondition, getCondition, getEventContext, writeLog] = operations as readonly Operation[] & { readonly [index: number]: Operation };
	return {
		/**
		 * Returns the input of the run, or `null` when it has none.
		 *
		 * Errors: `denied` without the scope `input:read`.
		 */
		getInput: (): Answer => perform(getInput as Operation, []),
		/**
		 * Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.
		 * A value that the script returns, other than `undefined`, counts as the last call.
		 *
		 * Errors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;
		 * `too-large` over `maxOutputBytes`.
		 */
		setOutput: (value: unknown): Answer => perform(setOutput as Operation, [value]),
		/**
		 * Returns the value, or none when the key does not exist. Costs no retry.
		 *
		 * Errors: `denied` without the scope `variables:read`; `invalid` for a malformed key.
		 */
		getVariable: (key: unknown): Answer => perform(getVariable as Operation, [key]),
		/**
		 * Returns the value and its metadata, or none when the key does not exist: tells `null` from missing.
		 *
		 * Errors: as `get`.
		 */
		getVariableEntry: (key: unknown): Answer => perform(getVariableEntry as Operation, [key]),
		/**
		 * Writes the value and returns its new version. Durable and visible to every run when it returns.
		 *
		 * Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both
		 * conditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.
		 */
		setVariable: (key: unknown, value: unknown, options?: unknown): Answer => perform(setVariable as Operation, [key, value, options]),
		/**
		 * Deletes the key. Returns true, or false when there was none.
		 *
		 * Errors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the
		 * condition does not hold.
		 */
		deleteVariable: (key: unknown, options?: unknown): Answer => perform(deleteVariable as Operation, [key, options]),
		/**
		 * Lists keys and their metadata, a page at a time.
		 *
		 * Errors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.
		 */
		listVariables: (options?: unknown): Answer => perform(listVariables as Operation, [options]),
		/**
		 * Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.
		 * An expiry that was set before stays.
		 *
		 * Errors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the
		 * sum is not finite or is an integer beyond ±(2^53−1).
		 */
		incrementVariable: (key: unknown, by?: unknown): Answer => perform(incrementVariable as Operation, [key, by]),
		/**
		 * Sets the condition. It survives a script that fails afterwards.
		 *
		 * Errors: `denied` without the scope `condition:write`.
		 */
		setCondition: (value: unknown): Answer => perform(setCondition as Operation, [value]),
		/**
		 * Returns the condition, or none when it is unset.
		 *
		 * Errors: `denied` without the scope `condition:read`.
		 */
		getCondition: (): Answer => perform(getCondition as Operation, []),
		/**
		 * Returns the event and the run.
		 *
		 * Errors: `denied` without the scope `context:read`.
		 */
		getEventContext: (): Answer => perform(getEventContext as Operation, []),
		/**
		 * Writes a line to the log of the run. Lines keep their order; they become durable with the end of the
		 * run or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are
		 * dropped, and the run goes on.
		 *
		 * Errors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.
		 */
		writeLog: (level: unknown, message: unknown, fields?: unknown): Answer => perform(writeLog as Operation, [level, message, fields]),
	};
}
