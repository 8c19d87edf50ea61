import { RuntimeError } from "./errors.ts";
import { excerpt } from "./excerpt.ts";
import type { Json } from "./generated/types.ts";
import { describeLimit, type LimitName, type Limits } from "./limits.ts";
import { MemberNames } from "./member-names.ts";

/** The length of a text in bytes of UTF-8. A lone surrogate counts as the three bytes of its replacement character. */
export function utf8Length(text: string): number {
	return Buffer.byteLength(text, "utf8");
}

/** What a JSON text is for. */
export interface JsonPurpose {
	/** How messages call it: `value`, `output`, `fields`. */
	readonly name: string;
	/** The limit of its size in bytes of UTF-8. */
	readonly maxBytesLimit: LimitName;
}

/**
 * Returns the text unchanged if it is one JSON value (RFC 8259) without duplicate member names (compared after their escapes are
 * resolved), without lone surrogates (as characters or as escapes) and within `maxJsonDepth`. Throws `too-large` over the size and
 * `invalid` otherwise; the message says what is wrong and where.
 *
 * One pass over the characters that builds nothing: no recursion that nesting could exhaust, no objects whose hash tables a sender
 * of chosen names could degrade.
 */
export function requireJson(text: unknown, limits: Limits, purpose: JsonPurpose): Json {
	if (typeof text !== "string") throw new RuntimeError("invalid", `${purpose.name} must be a JSON text.`);
	requireSize(text, limits, purpose);
	scan(text, limits, purpose.name);
	return text;
}

function requireSize(text: string, limits: Limits, { name, maxBytesLimit }: JsonPurpose): void {
	const maxBytes = limits[maxBytesLimit];
	// No UTF-16 unit takes more than three bytes, so that short texts need not be measured.
	if (text.length * 3 <= maxBytes) return;
	const bytes = utf8Length(text);
	if (bytes > maxBytes)
		throw new RuntimeError("too-large", `${name} has ${bytes} bytes; the limit ${maxBytesLimit} is ${maxBytes}.`, {
			limit: describeLimit(limits, maxBytesLimit),
		});
}

/** What the scanner is about to read. */
const value = 0;
const valueOrEnd = 1;
const member = 2;
const memberOrEnd = 3;
const separator = 4;

function scan(text: string, limits: Limits, name: string): void {
	const length = text.length;
	// Whether each open container is an object; as deep as the nesting is now.
	const containers: boolean[] = [];
	let names: MemberNames | undefined;
	let expected = value;
	let index = 0;
	for (;;) {
		let unit = text.charCodeAt(index);
		while (unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09) unit = text.charCodeAt(++index);
		if (expected === separator) {
			if (containers.length === 0) {
				if (index < length) throw unexpected(text, index, name, "the end of the text");
				return;
			}
			const inObject = containers[containers.length - 1] as boolean;
			if (unit === 0x2c) {
				expected = inObject ? member : value;
				index++;
				continue;
			}
			if (unit !== (inObject ? 0x7d : 0x5d)) throw unexpected(text, index, name, inObject ? '"," or "}"' : '"," or "]"');
			containers.pop();
			if (inObject) names?.close();
			index++;
			continue;
		}
		if (expected === member || expected === memberOrEnd) {
			if (unit === 0x22) {
				const start = index + 1;
				do unit = text.charCodeAt(++index);
				while (unit !== 0x22 && unit !== 0x5c && unit >= 0x20 && unit < 0xd800);
				const plain = unit === 0x22;
				index = plain ? index + 1 : skipString(text, index, name);
				if (names?.add(start, index - 1, plain) === false) throw duplicate(text, start, index - 1, name);
				unit = text.charCodeAt(index);
				while (unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09) unit = text.charCodeAt(++index);
				if (unit !== 0x3a) throw unexpected(text, index, name, '":"');
				index++;
				expected = value;
				continue;
			}
			if (unit !== 0x7d || expected === member)
				throw unexpected(text, index, name, expected === member ? "a member name" : 'a member name or "}"');
			containers.pop();
			names?.close();
			index++;
			expected = separator;
			continue;
		}
		if (unit === 0x22) {
			index = skipString(text, index + 1, name);
			expected = separator;
		} else if (unit === 0x7b || unit === 0x5b) {
			if (containers.length >= limits.maxJsonDepth) throw tooDeep(text, index, limits, name);
			containers.push(unit === 0x7b);
			if (unit === 0x7b) {
				names ??= new MemberNames(text);
				names.open();
				expected = memberOrEnd;
			} else expected = valueOrEnd;
			index++;
		} else if (unit === 0x2d || (unit >= 0x30 && unit <= 0x39)) {
			index = skipNumber(text, index, name);
			expected = separator;
		} else if (unit === 0x74 && text.startsWith("true", index)) {
			index += 4;
			expected = separator;
		} else if (unit === 0x66 && text.startsWith("false", index)) {
			index += 5;
			expected = separator;
		} else if (unit === 0x6e && text.startsWith("null", index)) {
			index += 4;
			expected = separator;
		} else if (unit === 0x5d && expected === valueOrEnd) {
			containers.pop();
			index++;
			expected = separator;
		} else throw unexpected(text, index, name, expected === valueOrEnd ? 'a value or "]"' : "a value");
	}
}

/** From the first character of a string's content to behind its closing quote. */
function skipString(text: string, start: number, name: string): number {
	let index = start;
	let jumpAt = start + 64;
	for (;;) {
		if (index >= jumpAt) {
			const end = text.indexOf('"', index);
			// Native code says whether anything up to the next quote would need an escape: ten times as fast as this loop.
			if (end - index >= 64 && JSON.stringify(text.slice(index, end)).length === end - index + 2) return end + 1;
			jumpAt = end === -1 ? text.length : end + 64;
		}
		const unit = text.charCodeAt(index);
		if (unit === 0x22) return index + 1;
		if (unit >= 0x20 && unit !== 0x5c && unit < 0xd800) index++;
		else if (unit === 0x5c) index = skipEscape(text, index, name);
		else if (unit >= 0xe000) index++;
		else if (unit >= 0xd800) {
			const next = text.charCodeAt(index + 1);
			if (unit >= 0xdc00 || !(next >= 0xdc00 && next <= 0xdfff)) throw loneSurrogate(text, index, name);
			index += 2;
		} else if (index >= text.length) throw unexpected(text, index, name, "the end of a string");
		else throw invalidAt(text, index, name, `has the control character ${codeName(unit)} in a string`);
	}
}

function skipEscape(text: string, index: number, name: string): number {
	const unit = text.charCodeAt(index + 1);
	if (unit !== 0x75) {
		// " \ / b f n r t
		if (
			unit === 0x22 ||
			unit === 0x5c ||
			unit === 0x2f ||
			unit === 0x62 ||
			unit === 0x66 ||
			unit === 0x6e ||
			unit === 0x72 ||
			unit === 0x74
		)
			return index + 2;
		throw unexpected(text, index + 1, name, "an escape sequence");
	}
	const escaped = hexadecimal(text, index + 2, name);
	if (escaped < 0xd800 || escaped > 0xdfff) return index + 6;
	if (escaped >= 0xdc00 || text.charCodeAt(index + 6) !== 0x5c || text.charCodeAt(index + 7) !== 0x75)
		throw loneSurrogate(text, index, name);
	const second = hexadecimal(text, index + 8, name);
	if (second < 0xdc00 || second > 0xdfff) throw loneSurrogate(text, index, name);
	return index + 12;
}

function hexadecimal(text: string, start: number, name: string): number {
	let code = 0;
	for (let index = start; index < start + 4; index++) {
		const unit = text.charCodeAt(index);
		if (unit >= 0x30 && unit <= 0x39) code = code * 16 + unit - 0x30;
		else if ((unit >= 0x41 && unit <= 0x46) || (unit >= 0x61 && unit <= 0x66)) code = code * 16 + (unit & 0x1f) + 9;
		else throw unexpected(text, index, name, "four hexadecimal digits");
	}
	return code;
}

function skipNumber(text: string, start: number, name: string): number {
	let index = start;
	if (text.charCodeAt(index) === 0x2d) index++;
	if (text.charCodeAt(index) === 0x30) index++;
	else index = skipDigits(text, index, name);
	if (text.charCodeAt(index) === 0x2e) index = skipDigits(text, index + 1, name);
	const unit = text.charCodeAt(index);
	if (unit === 0x65 || unit === 0x45) {
		const sign = text.charCodeAt(index + 1);
		index = skipDigits(text, sign === 0x2b || sign === 0x2d ? index + 2 : index + 1, name);
	}
	return index;
}

function skipDigits(text: string, start: number, name: string): number {
	let index = start;
	for (;;) {
		const unit = text.charCodeAt(index);
		// charCodeAt is NaN behind the end, and every comparison with NaN is false.
		if (!(unit >= 0x30 && unit <= 0x39)) break;
		index++;
	}
	if (index === start) throw unexpected(text, index, name, "a digit");
	return index;
}

function unexpected(text: string, index: number, name: string, expected: string): RuntimeError {
	if (index >= text.length) return invalidAt(text, text.length, name, `is not JSON: it ends where ${expected} should be`);
	const found = excerpt(String.fromCodePoint(text.codePointAt(index) as number));
	return invalidAt(text, index, name, `is not JSON: ${found} where ${expected} should be`);
}

function duplicate(text: string, start: number, end: number, name: string): RuntimeError {
	return invalidAt(text, start - 1, name, `has the member ${excerpt(JSON.parse(text.slice(start - 1, end + 1)))} twice`);
}

function loneSurrogate(text: string, index: number, name: string): RuntimeError {
	return invalidAt(text, index, name, "has a lone surrogate, which no UTF-8 text can hold");
}

function tooDeep(text: string, index: number, limits: Limits, name: string): RuntimeError {
	const problem = invalidAt(text, index, name, `is nested deeper than ${limits.maxJsonDepth} levels (maxJsonDepth)`);
	return new RuntimeError("invalid", problem.message, { limit: describeLimit(limits, "maxJsonDepth") });
}

function invalidAt(text: string, index: number, name: string, what: string): RuntimeError {
	let line = 1;
	let lineStart = 0;
	for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) {
		line++;
		lineStart = at + 1;
	}
	return new RuntimeError("invalid", `${name} ${what}, at line ${line}, column ${index - lineStart + 1} (offset ${index}).`);
}

const codeName = (unit: number): string => `U+${unit.toString(16).toUpperCase().padStart(4, "0")}`;
