// Generated from wit/ by `npm run generate`. Do not edit.
import type { ErrorCode, Helpers, Scope } from "./types.ts";
import type { SchemaName } from "./schemas.ts";

/** How one parameter is written as JSON: `json` is a JSON text that stands for itself. */
export type ParameterKind = "json" | "plain";

export interface Parameter {
	readonly name: string;
	readonly kind: ParameterKind;
	readonly required: boolean;
	/** Its schema in schemas.ts. */
	readonly schema: SchemaName;
}

/** Where a parameter, or one field of a record that is spread over several places, is in an HTTP request. */
export interface HttpParameter {
	/** The parameter of the operation. */
	readonly parameter: string;
	/** The field of the parameter, if it is only that. */
	readonly field?: string;
	readonly in: "path" | "query" | "header" | "body";
	/** The name of the path or query parameter, header or member of the body; without it the whole body is meant. */
	readonly name?: string;
	/**
	 * How it is written: `json`: a JSON text, kept as received; `plain`: JSON; `text`: as it is; `number` and `boolean`: as in JSON;
	 * `etag`: a version in quotation marks; `star`: `*` for true, left out otherwise.
	 */
	readonly as: "json" | "plain" | "text" | "number" | "boolean" | "etag" | "star";
	readonly required: boolean;
}

/** A header of the answer, made of a field of the result (`metadata.version`); "" is the result itself. */
export interface HttpResponseHeader {
	readonly name: string;
	readonly field: string;
	readonly as: "etag" | "text";
}

/** How an operation is reached over HTTP. */
export interface HttpForm {
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	/** With `{name}` for the path parameters, which are percent-encoded. */
	readonly path: string;
	readonly parameters: readonly HttpParameter[];
	/** The status of success. */
	readonly status: 200 | 204;
	/** What the body of the answer is: the whole result, the JSON text in its field `value`, or nothing. */
	readonly body: "result" | "value" | "none";
	readonly headers: readonly HttpResponseHeader[];
	/** How none is answered: as `null`, or as the error `not-found`. Only with results that can be none. */
	readonly none?: "null" | "not-found";
	/** The operation that serves this route, when it is another one: it has the same parameters and returns more. */
	readonly servedBy?: OperationId;
}

export type OperationId =
	| "io.get-input"
	| "io.set-output"
	| "variables.get"
	| "variables.get-entry"
	| "variables.set"
	| "variables.delete"
	| "variables.list"
	| "variables.increment"
	| "condition.set"
	| "condition.get"
	| "event.get-context"
	| "log.write";

/** One function of the contract. */
export interface Operation {
	/** `interface.function` in WIT names, stable, used in journals: `variables.get-entry`. */
	readonly id: OperationId;
	readonly interface: keyof Helpers;
	/** The method's name in the TypeScript interface. */
	readonly method: string;
	/** The function's name in the JavaScript SDK and in sandboxed scripts. */
	readonly sdkName: string;
	/** The doc comment in the WIT, Markdown. */
	readonly documentation: string;
	readonly scope: Scope;
	/** Whether it changes something. */
	readonly effect: boolean;
	/** In order of the arguments. At most one has the kind `json`. */
	readonly parameters: readonly Parameter[];
	/** `entry` is a record with a JSON text inside. */
	readonly result: "none" | "json" | "plain" | "entry";
	/** The schema of the result in schemas.ts, unless it returns nothing. */
	readonly resultSchema?: SchemaName;
	/** The errors that its documentation names, and those that every operation can end with. */
	readonly errors: readonly ErrorCode[];
	readonly http: HttpForm;
}

/** Every interface with each of its methods: a row of the table that names another one does not compile. */
type HelperMethod = {
	readonly [Interface in keyof Helpers]: { readonly interface: Interface; readonly method: keyof Helpers[Interface] };
}[keyof Helpers];

/** Every function of the contract. The order is that of the WIT; guests call operations by their index. */
export const operations: readonly Operation[] = [
	{
		id: "io.get-input",
		interface: "io",
		method: "getInput",
		sdkName: "getInput",
		documentation: "Returns the input of the run, or `null` when it has none.\n\nErrors: `denied` without the scope `input:read`.",
		scope: "input:read",
		effect: false,
		parameters: [],
		result: "json",
		resultSchema: "io.get-input.result",
		errors: ["denied", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: { method: "GET", path: "/v1/input", parameters: [], status: 200, body: "result", headers: [] },
	},
	{
		id: "io.set-output",
		interface: "io",
		method: "setOutput",
		sdkName: "setOutput",
		documentation: "Sets the output of the run. The last call wins, and the output is kept when the script fails afterwards.\nA value that the script returns, other than `undefined`, counts as the last call.\n\nErrors: `denied` without the scope `output:write`; `invalid` when the value is not JSON;\n`too-large` over `maxOutputBytes`.",
		scope: "output:write",
		effect: true,
		parameters: [{ name: "value", kind: "json", required: true, schema: "Json" }],
		result: "none",
		errors: ["denied", "invalid", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "PUT",
			path: "/v1/output",
			parameters: [{ parameter: "value", in: "body", as: "json", required: true }],
			status: 204,
			body: "none",
			headers: [],
		},
	},
	{
		id: "variables.get",
		interface: "variables",
		method: "get",
		sdkName: "getVariable",
		documentation: "Returns the value, or none when the key does not exist. Costs no retry.\n\nErrors: `denied` without the scope `variables:read`; `invalid` for a malformed key.",
		scope: "variables:read",
		effect: false,
		parameters: [{ name: "key", kind: "plain", required: true, schema: "Key" }],
		result: "json",
		resultSchema: "variables.get.result",
		errors: ["denied", "invalid", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "GET",
			path: "/v1/variables/{key}",
			parameters: [{ parameter: "key", in: "path", name: "key", as: "text", required: true }],
			status: 200,
			body: "value",
			headers: [
				{ name: "ETag", field: "metadata.version", as: "etag" },
				{ name: "Cronium-Created-At", field: "metadata.createdAt", as: "text" },
				{ name: "Cronium-Updated-At", field: "metadata.updatedAt", as: "text" },
				{ name: "Cronium-Updated-By", field: "metadata.updatedBy", as: "text" },
				{ name: "Cronium-Expires-At", field: "metadata.expiresAt", as: "text" },
				{ name: "Content-Length", field: "metadata.size", as: "text" },
			],
			none: "not-found",
			servedBy: "variables.get-entry",
		},
	},
	{
		id: "variables.get-entry",
		interface: "variables",
		method: "getEntry",
		sdkName: "getVariableEntry",
		documentation: "Returns the value and its metadata, or none when the key does not exist: tells `null` from missing.\n\nErrors: as `get`.",
		scope: "variables:read",
		effect: false,
		parameters: [{ name: "key", kind: "plain", required: true, schema: "Key" }],
		result: "entry",
		resultSchema: "variables.get-entry.result",
		errors: ["denied", "invalid", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "GET",
			path: "/v1/variables/{key}",
			parameters: [{ parameter: "key", in: "path", name: "key", as: "text", required: true }],
			status: 200,
			body: "value",
			headers: [
				{ name: "ETag", field: "metadata.version", as: "etag" },
				{ name: "Cronium-Created-At", field: "metadata.createdAt", as: "text" },
				{ name: "Cronium-Updated-At", field: "metadata.updatedAt", as: "text" },
				{ name: "Cronium-Updated-By", field: "metadata.updatedBy", as: "text" },
				{ name: "Cronium-Expires-At", field: "metadata.expiresAt", as: "text" },
				{ name: "Content-Length", field: "metadata.size", as: "text" },
			],
			none: "not-found",
		},
	},
	{
		id: "variables.set",
		interface: "variables",
		method: "set",
		sdkName: "setVariable",
		documentation: "Writes the value and returns its new version. Durable and visible to every run when it returns.\n\nErrors: `denied` without the scope `variables:write`; `invalid` for a malformed key or value, or when both\nconditions are given; `too-large` over `maxValueBytes`; `conflict` when the condition does not hold.",
		scope: "variables:write",
		effect: true,
		parameters: [
			{ name: "key", kind: "plain", required: true, schema: "Key" },
			{ name: "value", kind: "json", required: true, schema: "Json" },
			{ name: "options", kind: "plain", required: false, schema: "SetOptions" },
		],
		result: "plain",
		resultSchema: "variables.set.result",
		errors: [
			"denied",
			"conflict",
			"invalid",
			"too-large",
			"rate-limited",
			"timed-out",
			"cancelled",
			"unavailable",
			"internal",
		],
		http: {
			method: "PUT",
			path: "/v1/variables/{key}",
			parameters: [
				{ parameter: "key", in: "path", name: "key", as: "text", required: true },
				{ parameter: "value", in: "body", as: "json", required: true },
				{
					parameter: "options",
					field: "ifVersion",
					in: "header",
					name: "If-Match",
					as: "etag",
					required: false,
				},
				{
					parameter: "options",
					field: "ifAbsent",
					in: "header",
					name: "If-None-Match",
					as: "star",
					required: false,
				},
				{
					parameter: "options",
					field: "expiresInMs",
					in: "query",
					name: "expiresInMs",
					as: "number",
					required: false,
				},
			],
			status: 200,
			body: "result",
			headers: [{ name: "ETag", field: "", as: "etag" }],
		},
	},
	{
		id: "variables.delete",
		interface: "variables",
		method: "delete",
		sdkName: "deleteVariable",
		documentation: "Deletes the key. Returns true, or false when there was none.\n\nErrors: `denied` without the scope `variables:write`; `invalid` for a malformed key; `conflict` when the\ncondition does not hold.",
		scope: "variables:write",
		effect: true,
		parameters: [
			{ name: "key", kind: "plain", required: true, schema: "Key" },
			{ name: "options", kind: "plain", required: false, schema: "DeleteOptions" },
		],
		result: "plain",
		resultSchema: "variables.delete.result",
		errors: [
			"denied",
			"conflict",
			"invalid",
			"too-large",
			"rate-limited",
			"timed-out",
			"cancelled",
			"unavailable",
			"internal",
		],
		http: {
			method: "DELETE",
			path: "/v1/variables/{key}",
			parameters: [
				{ parameter: "key", in: "path", name: "key", as: "text", required: true },
				{
					parameter: "options",
					field: "ifVersion",
					in: "header",
					name: "If-Match",
					as: "etag",
					required: false,
				},
			],
			status: 200,
			body: "result",
			headers: [],
		},
	},
	{
		id: "variables.list",
		interface: "variables",
		method: "list",
		sdkName: "listVariables",
		documentation: "Lists keys and their metadata, a page at a time.\n\nErrors: `denied` without the scope `variables:read`; `invalid` for a malformed cursor or limit.",
		scope: "variables:read",
		effect: false,
		parameters: [{ name: "options", kind: "plain", required: false, schema: "ListOptions" }],
		result: "plain",
		resultSchema: "variables.list.result",
		errors: ["denied", "invalid", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "GET",
			path: "/v1/variables",
			parameters: [
				{ parameter: "options", field: "prefix", in: "query", name: "prefix", as: "text", required: false },
				{ parameter: "options", field: "cursor", in: "query", name: "cursor", as: "text", required: false },
				{ parameter: "options", field: "limit", in: "query", name: "limit", as: "number", required: false },
			],
			status: 200,
			body: "result",
			headers: [],
		},
	},
	{
		id: "variables.increment",
		interface: "variables",
		method: "increment",
		sdkName: "incrementVariable",
		documentation: "Adds to a number atomically and returns the sum. A missing key starts at 0; 1 is added when `by` is not given.\nAn expiry that was set before stays.\n\nErrors: `denied` without the scope `variables:write`; `invalid` when the value is not a number, or when the\nsum is not finite or is an integer beyond ±(2^53−1).",
		scope: "variables:write",
		effect: true,
		parameters: [
			{ name: "key", kind: "plain", required: true, schema: "Key" },
			{ name: "by", kind: "plain", required: false, schema: "variables.increment.by" },
		],
		result: "plain",
		resultSchema: "variables.increment.result",
		errors: ["denied", "invalid", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "POST",
			path: "/v1/variables/{key}/increment",
			parameters: [
				{ parameter: "key", in: "path", name: "key", as: "text", required: true },
				{ parameter: "by", in: "body", as: "plain", required: false },
			],
			status: 200,
			body: "result",
			headers: [],
		},
	},
	{
		id: "condition.set",
		interface: "condition",
		method: "set",
		sdkName: "setCondition",
		documentation: "Sets the condition. It survives a script that fails afterwards.\n\nErrors: `denied` without the scope `condition:write`.",
		scope: "condition:write",
		effect: true,
		parameters: [{ name: "value", kind: "plain", required: true, schema: "condition.set.value" }],
		result: "none",
		errors: ["denied", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "PUT",
			path: "/v1/condition",
			parameters: [{ parameter: "value", in: "body", as: "plain", required: true }],
			status: 204,
			body: "none",
			headers: [],
		},
	},
	{
		id: "condition.get",
		interface: "condition",
		method: "get",
		sdkName: "getCondition",
		documentation: "Returns the condition, or none when it is unset.\n\nErrors: `denied` without the scope `condition:read`.",
		scope: "condition:read",
		effect: false,
		parameters: [],
		result: "plain",
		resultSchema: "condition.get.result",
		errors: ["denied", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: { method: "GET", path: "/v1/condition", parameters: [], status: 200, body: "result", headers: [], none: "null" },
	},
	{
		id: "event.get-context",
		interface: "event",
		method: "getContext",
		sdkName: "getEventContext",
		documentation: "Returns the event and the run.\n\nErrors: `denied` without the scope `context:read`.",
		scope: "context:read",
		effect: false,
		parameters: [],
		result: "plain",
		resultSchema: "event.get-context.result",
		errors: ["denied", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: { method: "GET", path: "/v1/context", parameters: [], status: 200, body: "result", headers: [] },
	},
	{
		id: "log.write",
		interface: "log",
		method: "write",
		sdkName: "writeLog",
		documentation: "Writes a line to the log of the run. Lines keep their order; they become durable with the end of the\nrun or after `logFlushMs`, whichever comes first. Over `maxLogBytes` one marker is left, later lines are\ndropped, and the run goes on.\n\nErrors: `denied` without the scope `log:write`; `invalid` when `fields` is not a JSON object.",
		scope: "log:write",
		effect: true,
		parameters: [
			{ name: "level", kind: "plain", required: true, schema: "Level" },
			{ name: "message", kind: "plain", required: true, schema: "log.write.message" },
			{ name: "fields", kind: "json", required: false, schema: "log.write.fields" },
		],
		result: "none",
		errors: ["denied", "invalid", "too-large", "rate-limited", "timed-out", "cancelled", "unavailable", "internal"],
		http: {
			method: "POST",
			path: "/v1/logs",
			parameters: [
				{ parameter: "level", in: "body", name: "level", as: "plain", required: true },
				{ parameter: "message", in: "body", name: "message", as: "plain", required: true },
				{ parameter: "fields", in: "body", name: "fields", as: "json", required: false },
			],
			status: 204,
			body: "none",
			headers: [],
		},
	},
] satisfies readonly (Operation & HelperMethod)[];

const byId: ReadonlyMap<string, Operation> = new Map(operations.map((operation) => [operation.id, operation]));

/** The operation with this id; undefined when there is none. */
export function operationById(id: OperationId): Operation;
export function operationById(id: string): Operation | undefined;
export function operationById(id: string): Operation | undefined {
	return byId.get(id);
}
