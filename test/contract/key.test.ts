import { describe, expect, it } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { requireKey } from "../../host/contract/key.ts";
import { resolveLimits } from "../../host/contract/limits.ts";

const limits = resolveLimits();

function refusal(key: unknown): RuntimeError {
	try {
		requireKey(key, limits);
	} catch (error) {
		if (error instanceof RuntimeError) return error;
		throw error;
	}
	throw new Error("The key was accepted.");
}

describe("a key", () => {
	it.each([
		"a",
		"a/b",
		"../a",
		"...",
		" ",
		"with spaces",
		"a.b.c",
		"😀",
		"😀".repeat(255),
		"x".repeat(255),
		"__proto__",
		"constructor",
		"%2e%2e",
		"é",
		"e\u0301",
		"\u00a0\u2028\u202e",
	])("can be %j", (key) => {
		expect(requireKey(key, limits)).toBe(key);
	});

	it.each([
		["", "key is empty; it must have 1 to 255 characters."],
		[".", 'key must not be ".".'],
		["..", 'key must not be "..".'],
		["a\nb", 'key "a\\nb" has the control character U+000A at offset 1.'],
		["\u0000", 'key "\\u0000" has the control character U+0000 at offset 0.'],
		["a\u007f", 'key "a\\u007f" has the control character U+007F at offset 1.'],
		["\u009b31m", 'key "\\u009b31m" has the control character U+009B at offset 0.'],
		["a\ud800", 'key "a\\ud800" has a lone surrogate at offset 1.'],
		["\udc00b", 'key "\\udc00b" has a lone surrogate at offset 0.'],
		["x".repeat(300), `key "${"x".repeat(60)}…" has 300 characters; the limit is 255.`],
		["😀".repeat(256), `key "${"😀".repeat(30)}…" has 256 characters; the limit is 255.`],
		["x".repeat(100_000), `key "${"x".repeat(60)}…" has 100000 characters; the limit is 255.`],
		[null, "key must be a text; it is null."],
		[7, "key must be a text; it is a number."],
		[["a"], "key must be a text; it is an array."],
		[{ toString: () => "a" }, "key must be a text; it is an object."],
	])("is invalid: %j", (key, message) => {
		const error = refusal(key);
		expect({ code: error.code, message: error.message }).toEqual({ code: "invalid", message });
	});

	it("names the limit of its length", () => {
		expect(refusal("x".repeat(256)).details.limit).toEqual({ name: "maxKeyCharacters", value: 255, unit: "characters" });
	});

	it("is shown without what could trick a terminal", () => {
		expect(refusal(`${"\u202e\u200b\u{e0041}".repeat(3)}\n`).message).toMatch(/^[\x20-\x7e]+$/);
	});
});
