import type { Scope } from "./scopes.ts";

// What WIT cannot say about a function: its name in the SDKs, the right it takes, and its form in HTTP. The table is
// exhaustive: `npm run generate` fails for a function without a row, a row without a function, and a parameter, or a
// field of an options record, that the row forgets.

/** Where a parameter, or a field of a parameter that is a record, is in an HTTP request. */
export interface HttpPlace {
	readonly in: "path" | "query" | "header" | "body";
	/** The name of the path or query parameter or header; in the body, of the member. Without it the whole body is meant. */
	readonly name?: string;
	/** `etag`: a version in quotation marks. `star`: true is `*`, anything else is not sent. */
	readonly as?: "etag" | "star";
}

/** Which field of the result a response header holds; "" is the result itself. */
export interface HttpResponseHeader {
	readonly name: string;
	readonly field: string;
	readonly as: "etag" | "text";
	readonly description: string;
}

export interface HttpForm {
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	readonly path: string;
	/** By WIT name: `key`, `options.if-version`. */
	readonly parameters: Readonly<Record<string, HttpPlace>>;
	readonly answer: {
		readonly status: 200 | 204;
		/** What the body is: the result, one of its fields, or nothing. */
		readonly body: "result" | "none" | { readonly field: string };
		readonly headers?: readonly HttpResponseHeader[];
		/** What is sent when the result is none: `null` with the status above, or the error `not-found`. */
		readonly none?: "null" | "not-found";
	};
}

export interface OperationBinding {
	readonly sdkName: string;
	readonly scope: Scope;
	/** Whether it changes something: such a call takes an `Idempotency-Key`. */
	readonly effect: boolean;
	/** `sameAs`: reached through the route of another operation, which serves it. */
	readonly http: HttpForm | { readonly sameAs: string };
	/** Text for people: a lone surrogate in these parameters becomes U+FFFD and is no error. */
	readonly prose?: readonly string[];
}

const key: HttpPlace = { in: "path", name: "key" };
const ifMatch: HttpPlace = { in: "header", name: "If-Match", as: "etag" };
const wholeBody: HttpPlace = { in: "body" };

export const operationBindings: Readonly<Record<string, OperationBinding>> = {
	"io.get-input": {
		sdkName: "getInput",
		scope: "input:read",
		effect: false,
		http: { method: "GET", path: "/v1/input", parameters: {}, answer: { status: 200, body: "result" } },
	},
	"io.set-output": {
		sdkName: "setOutput",
		scope: "output:write",
		effect: true,
		http: { method: "PUT", path: "/v1/output", parameters: { value: wholeBody }, answer: { status: 204, body: "none" } },
	},
	"variables.get": {
		sdkName: "getVariable",
		scope: "variables:read",
		effect: false,
		http: { sameAs: "variables.get-entry" },
	},
	"variables.get-entry": {
		sdkName: "getVariableEntry",
		scope: "variables:read",
		effect: false,
		http: {
			method: "GET",
			path: "/v1/variables/{key}",
			parameters: { key },
			answer: {
				status: 200,
				body: { field: "value" },
				headers: [
					{ name: "ETag", field: "metadata.version", as: "etag", description: "The version of the value." },
					{ name: "Cronium-Created-At", field: "metadata.created-at", as: "text", description: "When the key came into being." },
					{
						name: "Cronium-Updated-At",
						field: "metadata.updated-at",
						as: "text",
						description: "When the value was last written.",
					},
					{
						name: "Cronium-Updated-By",
						field: "metadata.updated-by",
						as: "text",
						description: "The execution that wrote it last, or `operator`.",
					},
					{
						name: "Cronium-Expires-At",
						field: "metadata.expires-at",
						as: "text",
						description: "When the value expires. Not sent when it does not.",
					},
					{
						name: "Content-Length",
						field: "metadata.size",
						as: "text",
						description: "The length of the value in bytes of UTF-8.",
					},
				],
				none: "not-found",
			},
		},
	},
	"variables.set": {
		sdkName: "setVariable",
		scope: "variables:write",
		effect: true,
		http: {
			method: "PUT",
			path: "/v1/variables/{key}",
			parameters: {
				key,
				value: wholeBody,
				"options.if-version": ifMatch,
				"options.if-absent": { in: "header", name: "If-None-Match", as: "star" },
				"options.expires-in-ms": { in: "query", name: "expiresInMs" },
			},
			answer: {
				status: 200,
				body: "result",
				headers: [{ name: "ETag", field: "", as: "etag", description: "The new version of the value." }],
			},
		},
	},
	"variables.delete": {
		sdkName: "deleteVariable",
		scope: "variables:write",
		effect: true,
		http: {
			method: "DELETE",
			path: "/v1/variables/{key}",
			parameters: { key, "options.if-version": ifMatch },
			answer: { status: 200, body: "result" },
		},
	},
	"variables.list": {
		sdkName: "listVariables",
		scope: "variables:read",
		effect: false,
		http: {
			method: "GET",
			path: "/v1/variables",
			parameters: {
				"options.prefix": { in: "query", name: "prefix" },
				"options.cursor": { in: "query", name: "cursor" },
				"options.limit": { in: "query", name: "limit" },
			},
			answer: { status: 200, body: "result" },
		},
	},
	"variables.increment": {
		sdkName: "incrementVariable",
		scope: "variables:write",
		effect: true,
		http: {
			method: "POST",
			path: "/v1/variables/{key}/increment",
			parameters: { key, by: wholeBody },
			answer: { status: 200, body: "result" },
		},
	},
	"condition.set": {
		sdkName: "setCondition",
		scope: "condition:write",
		effect: true,
		http: { method: "PUT", path: "/v1/condition", parameters: { value: wholeBody }, answer: { status: 204, body: "none" } },
	},
	"condition.get": {
		sdkName: "getCondition",
		scope: "condition:read",
		effect: false,
		http: { method: "GET", path: "/v1/condition", parameters: {}, answer: { status: 200, body: "result", none: "null" } },
	},
	"event.get-context": {
		sdkName: "getEventContext",
		scope: "context:read",
		effect: false,
		http: { method: "GET", path: "/v1/context", parameters: {}, answer: { status: 200, body: "result" } },
	},
	"log.write": {
		sdkName: "writeLog",
		scope: "log:write",
		effect: true,
		prose: ["message"],
		http: {
			method: "POST",
			path: "/v1/logs",
			parameters: {
				level: { in: "body", name: "level" },
				message: { in: "body", name: "message" },
				fields: { in: "body", name: "fields" },
			},
			answer: { status: 204, body: "none" },
		},
	},
};
