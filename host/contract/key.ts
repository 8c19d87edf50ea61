import { RuntimeError } from "./errors.ts";
import { excerpt } from "./excerpt.ts";
import type { Key } from "./generated/types.ts";
import { describeLimit, type Limits } from "./limits.ts";

/**
 * Returns the key if it can name a variable: 1 to `maxKeyCharacters` characters (code points), no control characters, no lone
 * surrogates, not `.` or `..` (URL clients remove them from paths). Nothing is normalised: keys are equal when their code points are.
 * Throws `invalid` otherwise.
 */
export function requireKey(key: unknown, limits: Limits): Key {
	if (typeof key !== "string") throw new RuntimeError("invalid", `key must be a text; it is ${kindOf(key)}.`);
	let characters = key.length;
	// Every code point has at most two units: a text this long is over the limit whatever it holds.
	if (characters > 2 * limits.maxKeyCharacters) throw tooLong(key, limits);
	for (let index = 0; index < key.length; index++) {
		const unit = key.charCodeAt(index);
		if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f))
			throw new RuntimeError("invalid", `key ${excerpt(key)} has the control character ${codeName(unit)} at offset ${index}.`);
		if (unit >= 0xd800 && unit <= 0xdfff) {
			const next = key.charCodeAt(index + 1);
			if (unit >= 0xdc00 || !(next >= 0xdc00 && next <= 0xdfff))
				throw new RuntimeError("invalid", `key ${excerpt(key)} has a lone surrogate at offset ${index}.`);
			index++;
			characters--;
		}
	}
	if (characters > limits.maxKeyCharacters) throw tooLong(key, limits);
	if (characters === 0)
		throw new RuntimeError("invalid", `key is empty; it must have 1 to ${limits.maxKeyCharacters} characters.`);
	if (key === "." || key === "..") throw new RuntimeError("invalid", `key must not be ${excerpt(key)}.`);
	return key;
}

function tooLong(key: string, limits: Limits): RuntimeError {
	let characters = 0;
	for (let index = 0; index < key.length; index++) {
		const unit = key.charCodeAt(index);
		// The second half of a pair is not a character of its own.
		if (unit < 0xdc00 || unit > 0xdfff) characters++;
	}
	return new RuntimeError(
		"invalid",
		`key ${excerpt(key)} has ${characters} characters; the limit is ${limits.maxKeyCharacters}.`,
		{ limit: describeLimit(limits, "maxKeyCharacters") },
	);
}

/** What a value is, for a message: `null`, `an array`, `a number`. */
export function kindOf(value: unknown): string {
	if (value === null || value === undefined) return String(value);
	if (Array.isArray(value)) return "an array";
	return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const codeName = (unit: number): string => `U+${unit.toString(16).toUpperCase().padStart(4, "0")}`;
