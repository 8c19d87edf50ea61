import { RuntimeError } from "./errors.ts";
import { toJsonText } from "./json.ts";
import type { Operation, Place } from "./operation.ts";
import type { Call, Reply } from "./transport.ts";

/** The request of a call. Throws `invalid` for arguments that have no form in one. */
export function toCall(operation: Operation, given: readonly unknown[]): Call {
	const { method, effect, parameters, places } = operation;
	const values = new Map<string, unknown>();
	for (const [index, { name, required }] of parameters.entries()) {
		const value = given[index];
		if (value === undefined && required) throw new RuntimeError("invalid", `${name} is missing.`);
		values.set(name, value);
	}
	let { path } = operation;
	let query = "";
	let body: string | undefined;
	const headers: Record<string, string> = {};
	const members: string[] = [];
	for (const place of places) {
		const value = fieldOf(values.get(place.parameter), place);
		if (value === undefined) continue;
		const name = place.name ?? place.parameter;
		if (place.in === "body") {
			const text = toJsonText(value, name);
			if (place.name === undefined) body = text;
			else members.push(`${JSON.stringify(name)}:${text}`);
		} else if (place.in === "header") {
			const text = toHeader(place, name, value);
			if (text !== undefined) headers[name] = text;
		} else {
			const text = encode(toText(name, value));
			if (place.in === "path") path = path.replace(`{${name}}`, () => text);
			else query += `${query === "" ? "?" : "&"}${name}=${text}`;
		}
	}
	if (members.length > 0) body = `{${members.join(",")}}`;
	requireKnownFields(operation, values);
	return { method, path: path + query, headers, body, effect };
}

/** What a call returns, made of its answer. */
export function toResult({ result, headers: fields }: Operation, { status, headers, text }: Reply): unknown {
	if (status === 404) {
		if (isProblem(headers)) return null;
		throw new RuntimeError("unavailable", "The server does not have the runtime API at this URL (404).");
	}
	if (result === "none") return undefined;
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		throw new RuntimeError("unavailable", "The answer of the server is not JSON.");
	}
	if (result !== "entry") return value;
	const metadata: Record<string, unknown> = { size: Buffer.byteLength(text) };
	for (const { name, field } of fields ?? []) {
		const header = headers[name];
		if (typeof header === "string") metadata[field.replace("metadata.", "")] = name === "etag" ? header.slice(1, -1) : header;
	}
	return { value, metadata };
}

const isProblem = (headers: Reply["headers"]): boolean =>
	headers["content-type"]?.startsWith("application/problem+json") === true;

function fieldOf(value: unknown, { field, parameter }: Place): unknown {
	if (field === undefined || value === undefined || value === null) return field === undefined ? value : undefined;
	if (typeof value !== "object" || Array.isArray(value)) throw new RuntimeError("invalid", `${parameter} must be an object.`);
	return (value as Record<string, unknown>)[field];
}

/** A member that no place takes is a mistake, and would be lost silently. */
function requireKnownFields({ places }: Operation, values: ReadonlyMap<string, unknown>): void {
	for (const [parameter, value] of values) {
		const known = places.filter((place) => place.parameter === parameter).map(({ field }) => field);
		if (known.includes(undefined) || typeof value !== "object" || value === null) continue;
		for (const name of Object.keys(value))
			if (!known.includes(name) && (value as Record<string, unknown>)[name] !== undefined)
				throw new RuntimeError("invalid", `${parameter} has no member ${JSON.stringify(name)}; there are ${known.join(", ")}.`);
	}
}

/** A header has no characters that could end it. */
function toHeader({ as }: Place, name: string, value: unknown): string | undefined {
	if (as === "star") {
		if (typeof value !== "boolean") throw new RuntimeError("invalid", `${name} must be true or false.`);
		return value ? "*" : undefined;
	}
	if (typeof value !== "string" || !/^[\x21\x23-\x7e]+$/.test(value))
		throw new RuntimeError("invalid", `${name} must be a version, as a call has returned it.`);
	return `"${value}"`;
}

function toText(name: string, value: unknown): string {
	if (typeof value === "number" && Number.isFinite(value)) return String(value);
	if (typeof value !== "string")
		throw new RuntimeError("invalid", `${name} must be a ${typeof value === "number" ? "finite number" : "text"}.`);
	return value;
}

/** Everything but unreserved characters. The keys `.` and `..` are encoded, too, as far as that helps: the server refuses them. */
function encode(text: string): string {
	try {
		return encodeURIComponent(text)
			.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
			.replace(/^\.{1,2}$/, (dots) => dots.replaceAll(".", "%2E"));
	} catch {
		throw new RuntimeError("invalid", "A key must not have a lone surrogate.");
	}
}
