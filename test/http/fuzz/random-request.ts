import fc from "fast-check";
import type { DescribedOperation, DescribedParameter } from "./described-operations.ts";
import { anyValue, goodValue, hostileText, nearValue, type ValueSources } from "./hostile-values.ts";

/** Something that only the campaign knows, when the request is sent. */
export interface Reference {
	readonly reference: "run" | "ended-run" | "token-id" | "bundle" | "version" | "cursor";
}

export type Piece = string | Reference;

/** With whose credential a request comes. */
export type CredentialKind = "good" | "narrow" | "slow" | "none" | "ended" | "other-door" | "bound" | "other-server" | "forged";

export interface RandomRequest {
	readonly operation: DescribedOperation;
	readonly method: string;
	readonly credential: CredentialKind;
	/** Joined as they are. */
	readonly path: readonly Piece[];
	/** Whether the path leads to the operation, whatever its parameters hold. */
	readonly isRouted: boolean;
	readonly headers: readonly (readonly [string, Piece])[];
	readonly body: string | Uint8Array | undefined;
}

const methods = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND", "QUERY"];
const brokenSegments = ["%", "%zz", "%c0%af", "%ed%a0%80", "%80", "a%2", "%u002e"];

/** Requests for one operation: good ones, nearly good ones and hostile ones. */
export function randomRequest(operation: DescribedOperation, sources: ValueSources): fc.Arbitrary<RandomRequest> {
	const queries = operation.parameters.filter((one) => one.in === "query");
	return fc
		.record({
			method: rarely(1 / 20, fc.constant(operation.method), fc.constantFrom(...methods)),
			credential: credentials,
			path: randomPath(operation, sources),
			query: randomQuery(queries, sources),
			headers: randomHeaders(operation, sources),
			body: randomBody(operation, sources),
			contentType: rarely(1 / 12, fc.constant("application/json"), contentTypes),
		})
		.map(({ method, credential, path, query, headers, body, contentType }) => ({
			operation,
			method,
			credential,
			path: [...path.pieces, ...query],
			isRouted: path.isRouted && method === operation.method,
			headers: [...headers, ...(body === undefined || contentType === "" ? [] : [["content-type", contentType] as const])],
			body,
		}));
}

const rarely = <T>(probability: number, usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
	fc.oneof({ weight: Math.round(1 / probability) - 1, arbitrary: usual }, { weight: 1, arbitrary: rare });

const credentials: fc.Arbitrary<CredentialKind> = fc.oneof(
	{ weight: 14, arbitrary: fc.constant<CredentialKind>("good") },
	{ weight: 2, arbitrary: fc.constantFrom<CredentialKind>("narrow", "slow") },
	{ weight: 2, arbitrary: fc.constantFrom<CredentialKind>("none", "ended", "other-door", "bound", "other-server", "forged") },
);

const contentTypes = fc.constantFrom(
	"",
	"text/plain",
	"application/x-www-form-urlencoded",
	"multipart/form-data; boundary=a",
	"application/json; charset=utf-16",
	"APPLICATION/JSON",
	"application/jsonp",
	"application/problem+json",
	"json",
	"*/*",
);

interface RandomPath {
	readonly pieces: readonly Piece[];
	readonly isRouted: boolean;
}

function randomPath({ path, parameters }: DescribedOperation, sources: ValueSources): fc.Arbitrary<RandomPath> {
	const segments = path.split("/").slice(1);
	const made = segments.map((segment): fc.Arbitrary<{ readonly piece: Piece; readonly isRouted: boolean }> => {
		const name = /^\{(\w+)\}$/.exec(segment)?.[1];
		if (name === undefined) return fc.constant({ piece: segment, isRouted: true });
		const parameter = parameters.find((one) => one.in === "path" && one.name === name) as DescribedParameter;
		const value = rarely(1 / 4, goodValue(parameter.schema, sources, name), hostileText);
		return fc.oneof(
			{
				weight: 12,
				arbitrary: value.map((one) =>
					isReference(one) ? { piece: one, isRouted: true } : { piece: encode(String(one)), isRouted: true },
				),
			},
			{ weight: 1, arbitrary: value.map((one) => ({ piece: encode(encode(String(one))), isRouted: true })) },
			{ weight: 1, arbitrary: fc.constantFrom(...brokenSegments).map((piece) => ({ piece, isRouted: true })) },
			// Slashes, question marks and dots as they are: it may lead anywhere.
			{ weight: 1, arbitrary: value.map((one) => ({ piece: legal(String(one)), isRouted: false })) },
		);
	});
	return rarely(
		1 / 40,
		fc.tuple(...made).map((all) => ({
			pieces: all.flatMap(({ piece }) => ["/", piece]),
			isRouted: all.every(({ isRouted }) => isRouted),
		})),
		hostileText.map((text) => ({ pieces: ["/", legal(text)], isRouted: false })),
	);
}

function randomQuery(queries: readonly DescribedParameter[], sources: ValueSources): fc.Arbitrary<readonly Piece[]> {
	const one = fc.oneof(
		...queries.map(({ name, schema }) => ({
			weight: 3,
			arbitrary: fc.tuple(fc.constant(name), rarely(1 / 3, goodValue(schema, sources, name), nearValue(schema, sources, name))),
		})),
		{ weight: 1, arbitrary: fc.tuple(fc.oneof(hostileText, fc.constant("__proto__")), anyValue) },
	);
	const some = fc
		.array(one, { minLength: 1, maxLength: 3 })
		.map((all) =>
			all.flatMap(([name, value], index): Piece[] => [
				`${index === 0 ? "?" : "&"}${encode(name)}=`,
				isReference(value) ? value : encode(typeof value === "string" ? value : JSON.stringify(value)),
			]),
		);
	return rarely(queries.length > 0 ? 1 / 2 : 1 / 15, fc.constant<readonly Piece[]>([]), some);
}

function randomHeaders(
	{ parameters }: DescribedOperation,
	sources: ValueSources,
): fc.Arbitrary<readonly (readonly [string, Piece])[]> {
	const described = parameters
		.filter((one) => one.in === "header")
		.map(({ name, schema }) =>
			rarely(1 / 3, goodValue(schema, sources, name), nearValue(schema, sources)).map((value): [string, Piece] => [
				name,
				isReference(value) ? value : headerText(typeof value === "string" ? value : JSON.stringify(value)),
			]),
		);
	const others = fc.constantFrom<[string, Piece]>(
		["accept", "text/event-stream"],
		["accept", "text/html"],
		["accept-encoding", "gzip, br"],
		["content-encoding", "gzip"],
		["last-event-id", "1"],
		["last-event-id", "-1"],
		["range", "bytes=0-1"],
		["if-modified-since", "Sat, 29 Oct 1994 19:43:31 GMT"],
		["x-http-method-override", "DELETE"],
		["x-forwarded-for", "127.0.0.1"],
		["expect", "miracles"],
		["upgrade", "websocket"],
		["cookie", "a=b"],
	);
	const some = fc.array(fc.oneof(...described.map((arbitrary) => ({ weight: 3, arbitrary })), { weight: 1, arbitrary: others }), {
		maxLength: 3,
	});
	return rarely<readonly (readonly [string, Piece])[]>(1 / 60, some, fc.constant([["x-long", "x".repeat(20_000)]]));
}

function randomBody(
	{ id, body, method }: DescribedOperation,
	sources: ValueSources,
): fc.Arbitrary<string | Uint8Array | undefined> {
	if (!body) return rarely(1 / 20, fc.constant(undefined), method === "GET" ? fc.constant("{}") : malformedText);
	return fc.oneof(
		{ weight: 6, arbitrary: goodValue(body, sources, id).map(textOf) },
		{ weight: 5, arbitrary: nearValue(body, sources).map(textOf) },
		{ weight: 2, arbitrary: malformedText },
		{ weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
		{ weight: 1, arbitrary: fc.constant(undefined) },
	);
}

const malformedText: fc.Arbitrary<string> = fc.oneof(
	fc.constantFrom(
		"",
		"{",
		"[1,]",
		"nul",
		'{"a":1,"a":2}',
		'"\\ud800"',
		"[".repeat(129) + "]".repeat(129),
		"[".repeat(5_000),
		'{"__proto__":{"a":1}}',
	),
	fc.constantFrom(2_000_000, 1_048_574, 1_048_575).map((length) => `"${"a".repeat(length)}"`),
	fc.string({ unit: "binary", maxLength: 50 }),
);

/** A member that is called `__proto__` is written like others. */
const textOf = (value: unknown): string => JSON.stringify(value) ?? "null";
const isReference = (value: unknown): value is Reference => typeof value === "object" && value !== null && "reference" in value;
/** Percent-encoded as UTF-8, lone surrogates as their replacement. */
const encode = (text: string): string => encodeURIComponent(text.toWellFormed());
/** As it is, but for what an HTTP client cannot send in a path. */
const legal = (text: string): string => text.replace(/[^\x21-\x7e]/gu, (character) => encode(character));
/** As it is, but for what an HTTP client cannot send in a header. */
const headerText = (text: string): string => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "?").trim();
