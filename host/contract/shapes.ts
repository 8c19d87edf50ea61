import { RuntimeError } from "./errors.ts";
import { excerpt } from "./excerpt.ts";
import { kindOf } from "./key.ts";

// The checks that generated/codec.ts is made of. They look at the shape of a value (what the WIT types say); what a value
// means (a legal key, a page size in range) is checked once, in the helper. Values come from hostile code: a message
// describes the type of what was wrong, never its text.

/** A longer array of parameters is looked through before it is parsed. */
const maxUncheckedCharacters = 64 * 1024;
/** More values than any operation takes, options included. */
const maxStructure = 256;

const none: readonly unknown[] = Object.freeze([]);

/** Before a text that is the first parameter and the only one given: the text as it is, which needs no JSON to cross. */
const textMark = "=";

/** Reads the parameters of a call: at most `count` values, as they are, as a JSON array, or as a text with its mark. */
export function readParameters(operation: string, params: string | readonly unknown[], count: number): readonly unknown[] {
	if (typeof params !== "string") return params;
	if (params === "[]") return none;
	if (count > 0 && params.startsWith(textMark)) return [params.slice(textMark.length)];
	if (params.length > maxUncheckedCharacters) requireFewValues(operation, params);
	let values: unknown;
	try {
		values = JSON.parse(params);
	} catch {
		throw new RuntimeError("invalid", `The parameters of ${operation} are not JSON.`);
	}
	if (!Array.isArray(values)) throw new RuntimeError("invalid", `The parameters of ${operation} are not a JSON array.`);
	if (values.length > count)
		throw new RuntimeError("invalid", `${operation} got ${values.length} parameters; it takes at most ${count}.`);
	return values;
}

/** The JSON text of a required parameter, as received: the helper checks it. */
export function requiredJson(body: string | undefined, name: string): string {
	if (typeof body !== "string") throw new RuntimeError("invalid", `${name} is missing; it must be a JSON value.`);
	return body;
}

/** Refuses a JSON text for an operation that takes none: dropping it silently would hide a mistake of the caller. */
export function refuseBody(operation: string, body: string | undefined): void {
	if (body !== undefined) throw new RuntimeError("invalid", `${operation} takes no JSON value.`);
}

/** A WIT `string`: Unicode text, so without lone surrogates. */
export function string(value: unknown, name: string): string {
	if (typeof value !== "string") throw wrong(value, name, "a string");
	if (!value.isWellFormed()) throw new RuntimeError("invalid", `${name} has a lone surrogate; it must be valid Unicode.`);
	return value;
}

/** Text for people: a lone surrogate (half an emoji, left by a cut) becomes U+FFFD, as it would when printed. */
export function prose(value: unknown, name: string): string {
	if (typeof value !== "string") throw wrong(value, name, "a string");
	return value.toWellFormed();
}

/** A WIT `bool`. */
export function flag(value: unknown, name: string): boolean {
	if (typeof value !== "boolean") throw wrong(value, name, "true or false");
	return value;
}

/** A WIT integer from `minimum` to `maximum`; 64 bit ones end at ±(2^53−1), beyond which a number is no longer exact. */
export function whole(value: unknown, name: string, minimum: number, maximum: number): number {
	if (typeof value !== "number") throw wrong(value, name, "a whole number");
	if (!Number.isInteger(value) || value < minimum || value > maximum)
		throw new RuntimeError("invalid", `${name} is ${value}; it must be a whole number from ${minimum} to ${maximum}.`);
	return value;
}

/** A WIT `f64` that JSON can carry. `1e999` is JSON, but no finite number. */
export function finite(value: unknown, name: string): number {
	if (typeof value !== "number") throw wrong(value, name, "a finite number");
	if (!Number.isFinite(value)) throw new RuntimeError("invalid", `${name} is too large for a number.`);
	return value;
}

/** A WIT `enum`. */
export function oneOf<T extends string>(value: unknown, name: string, cases: readonly T[]): T {
	if (typeof value !== "string") throw wrong(value, name, `one of ${cases.join(", ")}`);
	for (const one of cases) if (one === value) return one;
	throw new RuntimeError("invalid", `${name} must be one of ${cases.join(", ")}.`);
}

/** A WIT record. Its fields are read with `Object.keys` only, so that nothing inherited counts as given. */
export function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
	if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(value, name, "an object");
	return value as Record<string, unknown>;
}

/** The error for a field that a record has not. */
export function unknownField(field: string, name: string, fields: readonly string[]): RuntimeError {
	return new RuntimeError("invalid", `${name} has the unknown field ${excerpt(field)}; it may have ${fields.join(", ")}.`);
}

function wrong(value: unknown, name: string, expected: string): RuntimeError {
	if (value === undefined) return new RuntimeError("invalid", `${name} is missing; it must be ${expected}.`);
	if (value === null)
		return new RuntimeError(
			"invalid",
			`${name} is null (which is also what NaN and Infinity become in JSON); it must be ${expected}.`,
		);
	return new RuntimeError("invalid", `${name} is ${kindOf(value)}; it must be ${expected}.`);
}

/**
 * Refuses a long text with more values than any operation takes. `[{},{},…` of 64 MB would cost the host gigabytes
 * once parsed, and running out of heap ends the whole process; a long string costs no more than its length.
 */
export function requireFewValues(operation: string, params: string, maximum: number = maxStructure): void {
	let structure = 0;
	for (let at = 0; at < params.length; at++) {
		const character = params.charCodeAt(at);
		if (character === 0x22) at = endOfString(params, at);
		else if (character === 0x2c || character === 0x5b || character === 0x7b) structure++;
		if (structure > maximum) throw new RuntimeError("invalid", `The parameters of ${operation} hold too many values.`);
	}
}

/** The place of the quotation mark that ends the string that begins at `start`. */
function endOfString(text: string, start: number): number {
	let end = text.indexOf('"', start + 1);
	while (end !== -1) {
		let backslashes = 0;
		while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
		if (backslashes % 2 === 0) return end;
		end = text.indexOf('"', end + 1);
	}
	return text.length;
}
