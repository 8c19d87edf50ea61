import { decodeArguments } from "../contract/encode.ts";
import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { HttpParameter, Operation } from "../contract/generated/operations.ts";
import { jsonMembers } from "../contract/json-members.ts";
import { requireJson } from "../contract/json-text.ts";
import type { LimitName, Limits } from "../contract/limits.ts";

/** Where the parts of a call are in a request, as Fastify has taken it apart. */
export interface RequestParts {
	readonly params: Readonly<Record<string, string>>;
	readonly query: Readonly<Record<string, string | string[] | undefined>>;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	/** The body as text; undefined when there is none. */
	readonly body: string | undefined;
}

/** The limit of an operation's body. */
export function bodyLimit({ id }: Operation): LimitName {
	return id === "io.set-output" ? "maxOutputBytes" : "maxValueBytes";
}

/**
 * Makes the reader of an operation's requests: it returns the arguments for the helper, in their shape as the generated codec checks it. Throws
 * `invalid` for anything that the operation does not take, naming it.
 */
export function requestReader(operation: Operation): (request: RequestParts, limits: Limits) => unknown[] {
	const { parameters: places } = operation.http;
	const known = new Set(places.flatMap((place) => (place.in === "query" && place.name !== undefined ? [place.name] : [])));
	const bodyPlaces = places.filter((place) => place.in === "body");
	const hasMembers = bodyPlaces.some(({ name }) => name !== undefined);
	const plain = operation.parameters.filter(({ kind }) => kind === "plain");
	const sources = plain.map(({ name }) => places.filter(({ parameter }) => parameter === name));
	const jsonPlace = bodyPlaces.find(({ as }) => as === "json");

	return (request, limits) => {
		for (const name of Object.keys(request.query)) if (!known.has(name)) throw unknownQuery(name, operation, known);
		const body = readBody(operation, request.body, bodyPlaces, hasMembers, limits);
		const values = sources.map((of) => readParameter(of, request, body));
		return decodeArguments(operation, values, jsonPlace && body.get(jsonPlace.name ?? ""));
	};
}

/** The texts of the body by member; the whole of it by "". Absent when there is none. */
type BodyTexts = ReadonlyMap<string, string>;

const empty: BodyTexts = new Map();

function readBody(
	operation: Operation,
	body: string | undefined,
	places: readonly HttpParameter[],
	hasMembers: boolean,
	limits: Limits,
): BodyTexts {
	const [first] = places;
	if (body === undefined || body === "") {
		if (first?.required && hasMembers) throw new RuntimeError("invalid", `${operation.sdkName} needs a body: a JSON object.`);
		return empty;
	}
	if (!first) throw new RuntimeError("invalid", `${operation.sdkName} takes no body.`);
	// The helper checks a text that stands for itself.
	if (first.as === "json" && !hasMembers) return new Map([["", body]]);
	requireJson(body, limits, { name: hasMembers ? "the body" : first.parameter, maxBytesLimit: bodyLimit(operation) });
	if (!hasMembers) return new Map([["", body]]);
	const members = jsonMembers(body);
	if (!members) throw new RuntimeError("invalid", `The body of ${operation.sdkName} must be a JSON object.`);
	const names = places.map(({ name }) => name as string);
	for (const name of members.keys())
		if (!names.includes(name))
			throw new RuntimeError("invalid", `The body has the member ${excerpt(name)}; it may have ${names.join(", ")}.`);
	return members;
}

/** One parameter: as it is, or a record of the fields that were given; undefined when none was. */
function readParameter(places: readonly HttpParameter[], request: RequestParts, body: BodyTexts): unknown {
	let fields: Record<string, unknown> | undefined;
	for (const place of places) {
		const value = readPlace(place, request, body);
		if (place.field === undefined) return value;
		if (value !== undefined) fields = { ...fields, [place.field]: value };
	}
	return fields;
}

function readPlace(place: HttpParameter, request: RequestParts, body: BodyTexts): unknown {
	const name = place.name ?? "";
	if (place.in === "body") {
		const text = body.get(name);
		return text === undefined ? undefined : JSON.parse(text);
	}
	if (place.in === "path") return request.params[name];
	const given = place.in === "query" ? request.query[name] : request.headers[name.toLowerCase()];
	if (given === undefined) return undefined;
	if (typeof given !== "string") throw new RuntimeError("invalid", `${name} is given more than once.`);
	return readText(place, name, given);
}

const versionTag = /^"([^"]+)"$/;
const decimal = /^-?(?:0|[1-9][0-9]{0,20})(?:\.[0-9]{1,20})?$/;

function readText({ as }: HttpParameter, name: string, text: string): unknown {
	switch (as) {
		case "text":
			return text;
		case "number":
			if (!decimal.test(text)) throw wrong(name, text, "a number");
			return Number(text);
		case "boolean":
			if (text !== "true" && text !== "false") throw wrong(name, text, "true or false");
			return text === "true";
		case "etag": {
			const version = versionTag.exec(text)?.[1];
			if (version === undefined) throw wrong(name, text, "one version in quotation marks, as in an ETag");
			return version;
		}
		case "star":
			if (text !== "*") throw wrong(name, text, "*");
			return true;
		default:
			return JSON.parse(text);
	}
}

function wrong(name: string, text: string, wanted: string): RuntimeError {
	return new RuntimeError("invalid", `${name} is ${excerpt(text)}; it must be ${wanted}.`);
}

function unknownQuery(name: string, { sdkName }: Operation, known: ReadonlySet<string>): RuntimeError {
	const allowed = known.size === 0 ? "it takes none" : `it takes ${[...known].join(", ")}`;
	return new RuntimeError("invalid", `${sdkName} has no query parameter ${excerpt(name)}; ${allowed}.`);
}
