import { httpStatus } from "../host/contract/errors.ts";
import type { ErrorCode } from "../host/contract/generated/types.ts";
import type { BoundOperation, BoundPlace } from "./bind.ts";
import type { JsonSchema } from "./constraints.ts";
import type { Contract, Type } from "./contract.ts";
import { examples, type OperationExample } from "./examples.ts";
import { pascalCase } from "./names.ts";
import { problemResponse, problemSchema, rateLimitHeaders, sharedComponents, tokenRoute } from "./openapi-components.ts";
import { SchemaWriter } from "./schemas.ts";
import { WitError } from "./syntax.ts";

const schemaReference = (typeName: string) => `#/components/schemas/${typeName}`;

/** Errors that a call over HTTP can end with besides those of its function: every route refuses query parameters that it does not have. */
const httpErrors = ["unauthenticated", "denied", "invalid", "unsupported"];

/** `guest-sdks/openapi.json`: OpenAPI 3.1 for every route of the contract. */
export function emitOpenapi(contract: Contract, operations: readonly BoundOperation[]): string {
	requireExamples(operations);
	const writer = new SchemaWriter(contract, operations, schemaReference);
	const routes = operations.filter(({ servedBy }) => servedBy === undefined);
	const paths: Record<string, Record<string, unknown>> = {};
	const used = new Set<string>();
	for (const operation of routes) {
		const also = operations.filter(({ servedBy }) => servedBy === operation.id);
		const errors = contract.errors.map(({ name }) => name).filter((code) => errorsOf(operation, also).has(code));
		for (const code of errors) used.add(code);
		paths[operation.http.path] ??= {};
		(paths[operation.http.path] as Record<string, unknown>)[operation.http.method.toLowerCase()] = describeRoute(
			writer,
			operation,
			also,
			errors,
		);
	}
	const { answer, ...token } = tokenRoute.operation;
	for (const code of tokenRoute.errors) used.add(code);
	paths[tokenRoute.path] = { post: { ...token, responses: { 200: answer, ...errorResponses(tokenRoute.errors) } } };
	const responses = Object.fromEntries(
		contract.errors
			.filter(({ name }) => used.has(name))
			.map(({ name, documentation }) => [pascalCase(name), problemResponse(name, documentation, httpStatus[name as ErrorCode])]),
	);
	const document = {
		openapi: "3.1.1",
		info: {
			title: "Cronium runtime",
			version: contract.version,
			summary: "The helpers of a script over HTTP.",
			description: `${contract.world.documentation}\n\nEvery call acts as one run, the one its token was made for. A JSON text (the value of a variable, input, output) is the bare body and is kept as received; errors are problem details (RFC 9457) with a stable \`code\`. Where HTTP has a more exact status than that of the code it is used: 405 (\`not-found\`), 408 (\`timed-out\`), 415 (\`invalid\`) and 431 (\`too-large\`).`,
			license: { name: "MIT", identifier: "MIT" },
		},
		servers: [
			{
				url: "https://{host}",
				description: "The bridge, at `CRONIUM_API_URL`: for scripts on remote machines.",
				variables: { host: { default: "localhost:8443", description: "Host and port of the bridge." } },
			},
			{ url: "https://localhost", description: "The sidecar, over the Unix socket named by `CRONIUM_SOCKET`, with mutual TLS." },
		],
		tags: [
			...contract.interfaces
				.filter((one) => one.functions.length > 0)
				.map(({ name, documentation }) => ({ name, description: documentation })),
			tokenRoute.tag,
		],
		paths,
		components: {
			schemas: {} as Record<string, JsonSchema>,
			responses,
			...sharedComponents,
		},
	};
	const types = new Map([...writer.types(), ["Problem", problemSchema(contract, writer.types().get("Problem") ?? {})]]);
	document.components.schemas = reachable(document, types);
	return `${JSON.stringify(document, null, "\t")}\n`;
}

function describeRoute(
	writer: SchemaWriter,
	operation: BoundOperation,
	also: readonly BoundOperation[],
	errors: readonly string[],
) {
	const all = [...also, operation];
	const example = examples[operation.id] as OperationExample;
	const parameters = operation.places
		.filter((place) => place.in !== "body")
		.map((place) => describeParameter(writer, operation, place, example.parameters?.[place.path]));
	const shared = ["Traceparent", ...(operation.effect ? ["IdempotencyKey"] : [])];
	const body = describeBody(writer, operation, example);
	const conditional = describeConditionalRead(operation, example);
	const responses: Record<string, unknown> = {
		[operation.http.answer.status]: describeAnswer(writer, operation, example),
		...conditional?.responses,
	};
	Object.assign(responses, errorResponses(errors));
	return {
		operationId: (all[0] as BoundOperation).sdkName,
		tags: [operation.interface],
		summary: firstSentence((all[0] as BoundOperation).documentation),
		description: describe(operation, also),
		"x-cronium-operations": all.map(({ id }) => id),
		"x-cronium-scope": operation.scope,
		security: [{ executionToken: [operation.scope] }, { executionToken: [operation.scope], clientCertificate: [] }],
		parameters: [
			...parameters,
			...(conditional?.parameters ?? []),
			...shared.map((name) => ({ $ref: `#/components/parameters/${name}` })),
		],
		...(body ? { requestBody: body } : {}),
		responses,
	};
}

function errorResponses(errors: readonly string[]): Record<string, unknown> {
	return Object.fromEntries(
		errors.map((code) => [httpStatus[code as ErrorCode], { $ref: `#/components/responses/${pascalCase(code)}` }]),
	);
}

/** What every door does for a GET whose answer has a version (RFC 9110, section 13.1.2). */
function describeConditionalRead({ http }: BoundOperation, { answer }: OperationExample) {
	const tag = http.answer.headers?.find(({ as }) => as === "etag");
	if (http.method !== "GET" || !tag || answer === undefined) return undefined;
	const schema = { type: "string", pattern: '^"[^"]+"$' };
	return {
		parameters: [
			{
				name: "If-None-Match",
				in: "header",
				required: false,
				description:
					"Answer with 304 and no body when the value still has this version. A version in quotation marks, as in `ETag`.",
				schema: { type: "string" },
				example: '"1041"',
			},
		],
		responses: {
			304: {
				description: "The value still has this version.",
				headers: { [tag.name]: { description: tag.description, schema }, ...rateLimitHeaders },
			},
		},
	};
}

function describe(operation: BoundOperation, also: readonly BoundOperation[]): string {
	const own = operation.documentation;
	const none =
		operation.http.answer.none === "not-found"
			? "\n\nOver HTTP a missing one is the error `not-found` (404), which SDKs turn back into none."
			: operation.http.answer.none === "null"
				? "\n\nOver HTTP none is `null`."
				: "";
	if (also.length === 0) return own + none;
	const several = [...also, operation].map((one) => `**\`${one.sdkName}\`**: ${one.documentation}`);
	return several.join("\n\n") + none;
}

function describeParameter(writer: SchemaWriter, operation: BoundOperation, place: BoundPlace, example: unknown) {
	const description = place.field?.documentation ?? documentationOf(place.parameter.type);
	const schema =
		place.as === "etag"
			? { type: "string", pattern: '^"[^"]+"$' }
			: place.as === "star"
				? { type: "string", const: "*" }
				: writer.use(place.field?.type ?? place.parameter.type, pathOf(operation, place));
	const note =
		place.as === "etag"
			? " A version in quotation marks, as in `ETag`."
			: place.as === "star"
				? " `*` stands for `true`; nothing else is allowed."
				: "";
	const written = place.as === "etag" ? `"${example}"` : place.as === "star" ? "*" : example;
	return {
		name: place.name,
		in: place.in,
		required: place.required,
		description: `${description}${note}`,
		schema,
		example: written,
	};
}

function describeBody(writer: SchemaWriter, operation: BoundOperation, example: OperationExample) {
	const places = operation.places.filter((place) => place.in === "body");
	const first = places[0];
	if (!first) return undefined;
	if (first.name === undefined) {
		const schema = writer.parameter(operation, first.parameter);
		return { required: first.required, content: json(schema, example.parameters?.[first.path]) };
	}
	const schema = {
		type: "object",
		properties: Object.fromEntries(places.map((place) => [place.name, writer.parameter(operation, place.parameter)])),
		required: places.filter(({ required }) => required).map(({ name }) => name),
		additionalProperties: false,
	};
	const value = Object.fromEntries(places.map((place) => [place.name, example.parameters?.[place.path]]));
	return { required: true, content: json(schema, value) };
}

function describeAnswer(writer: SchemaWriter, operation: BoundOperation, example: OperationExample) {
	const { answer } = operation.http;
	const headers = Object.fromEntries(
		(answer.headers ?? []).map((header) => {
			const type = fieldType(operation, header.field);
			const path = `${operation.id}.${header.field}`;
			const schema = header.as === "etag" ? { type: "string", pattern: '^"[^"]+"$' } : writer.use(type, path);
			return [header.name, { description: header.description, schema }];
		}),
	);
	const described = {
		description: answer.status === 204 ? "Done." : "The answer.",
		headers: { ...headers, ...rateLimitHeaders },
	};
	if (answer.body === "none") return described;
	const schema =
		answer.body === "result"
			? (writer.result(operation) ?? {})
			: writer.use(fieldType(operation, answer.body.field), `${operation.id}.${answer.body.field}`);
	return { ...described, content: json(schema, example.answer) };
}

function json(schema: JsonSchema, example: unknown) {
	return { "application/json": { schema, examples: { example: { value: example } } } };
}

/** The type of a dotted field of the result; "" is the result. */
function fieldType(operation: BoundOperation, path: string): Type {
	let type = operation.result;
	for (const name of path === "" ? [] : path.split(".")) {
		const fields = type?.kind === "named" && type.definition.kind === "record" ? type.definition.fields : [];
		type = fields.find((field) => field.name === name)?.type;
	}
	if (!type) throw new WitError(undefined, `wit/operations.ts: the result of ${operation.id} has no field "${path}"`);
	return type;
}

/** The WIT name that constraints of a place go by. */
function pathOf(operation: BoundOperation, place: BoundPlace): string {
	const { type } = place.parameter;
	if (!place.field || type.kind !== "named") return `${operation.id}.${place.parameter.name}`;
	return `${type.definition.interface}.${type.definition.name}.${place.field.name}`;
}

function errorsOf(operation: BoundOperation, also: readonly BoundOperation[]): ReadonlySet<string> {
	const errors = new Set([...httpErrors, ...operation.errors, ...also.flatMap((one) => one.errors)]);
	if (operation.http.answer.none === "not-found") errors.add("not-found");
	if (operation.effect) errors.add("idempotency-mismatch");
	return errors;
}

function documentationOf(type: Type): string {
	return type.kind === "named" ? type.definition.documentation : "";
}

function firstSentence(text: string): string {
	return (/^[^.]*(?:\.(?!\s|$)[^.]*)*\./.exec(text)?.[0] ?? text).replaceAll("\n", " ");
}

/** Only the schemas that the document refers to, in the order of the contract. */
function reachable(document: unknown, types: ReadonlyMap<string, JsonSchema>): Record<string, JsonSchema> {
	const found = new Set<string>();
	const visit = (value: unknown): void => {
		if (typeof value !== "object" || value === null) return;
		for (const [name, member] of Object.entries(value)) {
			const typeName =
				name === "$ref" && typeof member === "string" ? /^#\/components\/schemas\/(.*)$/.exec(member)?.[1] : undefined;
			if (typeName === undefined) visit(member);
			else if (!found.has(typeName)) {
				found.add(typeName);
				visit(types.get(typeName));
			}
		}
	};
	visit(document);
	return Object.fromEntries([...types].filter(([name]) => found.has(name)));
}

function requireExamples(operations: readonly BoundOperation[]): void {
	for (const { id, position, places, http } of operations) {
		const example = examples[id];
		if (!example) throw new WitError(position, `the function ${id} has no row in wit/examples.ts`);
		for (const { path } of places)
			if (!Object.hasOwn(example.parameters ?? {}, path))
				throw new WitError(undefined, `wit/examples.ts: ${id} has no example for "${path}"`);
		if ((http.answer.body !== "none") !== Object.hasOwn(example, "answer"))
			throw new WitError(undefined, `wit/examples.ts: the answer of ${id} does not fit its result`);
	}
	for (const id of Object.keys(examples))
		if (!operations.some((one) => one.id === id))
			throw new WitError(undefined, `wit/examples.ts has a row "${id}", but the WIT has no such function`);
}
