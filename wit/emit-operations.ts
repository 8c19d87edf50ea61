import type { BoundOperation, BoundPlace } from "./bind.ts";
import { isJson, type Type } from "./contract.ts";
import { parameterSchemaName } from "./emit-schemas.ts";
import { camelCase } from "./names.ts";
import type { HttpForm } from "./operations.ts";
import { banner, literal } from "./print.ts";

const types = `import type { ErrorCode, Helpers, Scope } from "./types.ts";
import type { SchemaName } from "./schemas.ts";

/** How one parameter is written as JSON: \`json\` is a JSON text that stands for itself. */
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
	 * How it is written: \`json\`: a JSON text, kept as received; \`plain\`: JSON; \`text\`: as it is; \`number\` and \`boolean\`: as in JSON;
	 * \`etag\`: a version in quotation marks; \`star\`: \`*\` for true, left out otherwise.
	 */
	readonly as: "json" | "plain" | "text" | "number" | "boolean" | "etag" | "star";
	readonly required: boolean;
}

/** A header of the answer, made of a field of the result (\`metadata.version\`); "" is the result itself. */
export interface HttpResponseHeader {
	readonly name: string;
	readonly field: string;
	readonly as: "etag" | "text";
}

/** How an operation is reached over HTTP. */
export interface HttpForm {
	readonly method: "GET" | "PUT" | "POST" | "DELETE";
	/** With \`{name}\` for the path parameters, which are percent-encoded. */
	readonly path: string;
	readonly parameters: readonly HttpParameter[];
	/** The status of success. */
	readonly status: 200 | 204;
	/** What the body of the answer is: the whole result, the JSON text in its field \`value\`, or nothing. */
	readonly body: "result" | "value" | "none";
	readonly headers: readonly HttpResponseHeader[];
	/** How none is answered: as \`null\`, or as the error \`not-found\`. Only with results that can be none. */
	readonly none?: "null" | "not-found";
	/** The operation that serves this route, when it is another one: it has the same parameters and returns more. */
	readonly servedBy?: OperationId;
}
`;

const table = `/** One function of the contract. */
export interface Operation {
	/** \`interface.function\` in WIT names, stable, used in journals: \`variables.get-entry\`. */
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
	/** In order of the arguments. At most one has the kind \`json\`. */
	readonly parameters: readonly Parameter[];
	/** \`entry\` is a record with a JSON text inside. */
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
`;

/** `host/contract/generated/operations.ts`: the table that every door and every SDK is driven by. */
export function emitOperations(operations: readonly BoundOperation[]): string {
	const ids = operations.map(({ id }) => `\t| ${JSON.stringify(id)}`).join("\n");
	const rows = operations.map((operation) => `\t${literal(row(operation), 1)},\n`).join("");
	return [
		banner + types,
		`export type OperationId =\n${ids};\n`,
		table,
		`/** Every function of the contract. The order is that of the WIT; guests call operations by their index. */
export const operations: readonly Operation[] = [\n${rows}] satisfies readonly (Operation & HelperMethod)[];\n`,
		`const byId: ReadonlyMap<string, Operation> = new Map(operations.map((operation) => [operation.id, operation]));

/** The operation with this id; undefined when there is none. */
export function operationById(id: OperationId): Operation;
export function operationById(id: string): Operation | undefined;
export function operationById(id: string): Operation | undefined {
	return byId.get(id);
}
`,
	].join("\n");
}

/**
 * `host/contract/generated/guest-operations.ts`: the part of the table that the prelude needs. It is in the memory image of every
 * sandbox, where documentation and HTTP forms would cost space and start time in each run.
 */
export function emitGuestOperations(operations: readonly BoundOperation[]): string {
	const rows = operations.map((operation) => {
		const parameters = operation.parameters.map(({ name, kind, required }) => ({ name: camelCase(name), kind, required }));
		return `\t${literal({ sdkName: operation.sdkName, parameters, result: operation.resultKind }, 1)},\n`;
	});
	return `${banner}import type { Operation, Parameter } from "./operations.ts";

/** What a guest knows of an operation. */
export interface GuestOperation extends Pick<Operation, "sdkName" | "result"> {
	readonly parameters: readonly Pick<Parameter, "name" | "kind" | "required">[];
}

/** Every operation, in the order of the table \`operations\`: a guest calls an operation by its index. */
export const guestOperations: readonly GuestOperation[] = [
${rows.join("")}];
`;
}

function row(operation: BoundOperation) {
	return {
		id: operation.id,
		interface: camelCase(operation.interface),
		method: operation.method,
		sdkName: operation.sdkName,
		documentation: operation.documentation,
		scope: operation.scope,
		effect: operation.effect,
		parameters: operation.parameters.map((parameter) => ({
			name: camelCase(parameter.name),
			kind: parameter.kind,
			required: parameter.required,
			schema: parameterSchemaName(operation, parameter),
		})),
		result: operation.resultKind,
		resultSchema: operation.result && `${operation.id}.result`,
		errors: operation.errors,
		http: {
			method: operation.http.method,
			path: operation.http.path,
			parameters: operation.places.map(place),
			status: operation.http.answer.status,
			body: bodyOf(operation.http),
			headers: (operation.http.answer.headers ?? []).map(({ name, field, as }) => ({ name, field: dottedCamelCase(field), as })),
			none: operation.http.answer.none,
			servedBy: operation.servedBy,
		},
	};
}

function place(one: BoundPlace) {
	return {
		parameter: camelCase(one.parameter.name),
		field: one.field && camelCase(one.field.name),
		in: one.in,
		name: one.name,
		as: one.as ?? writtenAs(one),
		required: one.required,
	};
}

function writtenAs(one: BoundPlace): string {
	const type = one.field?.type ?? one.parameter.type;
	if (isJson(type)) return "json";
	if (one.in === "body") return "plain";
	const name = primitiveName(type);
	return name === "string" ? "text" : name === "bool" ? "boolean" : "number";
}

function primitiveName(type: Type): string {
	if (type.kind === "primitive") return type.name;
	if (type.kind === "named" && type.definition.kind === "alias") return primitiveName(type.definition.type);
	return "string";
}

function bodyOf(http: HttpForm): string {
	return typeof http.answer.body === "object" ? camelCase(http.answer.body.field) : http.answer.body;
}

function dottedCamelCase(path: string): string {
	return path.split(".").map(camelCase).join(".");
}
