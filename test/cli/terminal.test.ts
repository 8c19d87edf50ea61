import { describe, expect, test } from "vitest";
import { indent, RawJson, stringify } from "../../host/cli/json-print.ts";
import { describeDuration, describeSize, readCount, readDuration, readSize } from "../../host/cli/quantity.ts";
import { escapeText, formatTable } from "../../host/cli/terminal.ts";

describe("text of others", () => {
	test.each([
		["a terminal's commands", "\u001b[2J\u001b]0;title\u0007", "\\u001b[2J\\u001b]0;title\\u0007"],
		["C1 controls and DEL", "\u009b31m\u007f", "\\u009b31m\\u007f"],
		["line breaks", "a\r\nb\u2028c", "a\\u000d\\u000ab\\u2028c"],
		["bidirectional overrides and isolates", "\u202egnp\u2066x\u2069\u200f", "\\u202egnp\\u2066x\\u2069\\u200f"],
		["invisible characters", "a\u200bb\ufeffc\u2060", "a\\u200bb\\ufeffc\\u2060"],
		["lone surrogates", "\ud800x\udc00", "\\ud800x\\udc00"],
	])("has %s escaped", (_, text, escaped) => expect(escapeText(text)).toBe(escaped));

	test("keeps tabs, letters of all languages and emoji", () => {
		expect(escapeText("a\té 日本 עברית 👩‍👩‍👧")).toBe("a\té 日本 עברית 👩‍👩‍👧");
	});

	test("keeps line breaks where they are allowed, and nothing else", () => {
		expect(escapeText("a\nb\r\u001b", { lines: true })).toBe("a\nb\\u000d\\u001b");
	});

	test("stays in its cell of a table", () => {
		expect(formatTable(["KEY", "SIZE"], [["a\nb\u001b[1m", "1 B"]])).toBe("KEY                SIZE\na\\u000ab\\u001b[1m  1 B\n");
	});
});

describe("JSON for people", () => {
	test("is laid out without changing a token", () => {
		expect(indent('{"a":[1.0,1e400,12345678901234567890,{}, [ ] ],"b":"{\\"x\\": [1]}"}')).toBe(
			'{\n  "a": [\n    1.0,\n    1e400,\n    12345678901234567890,\n    {},\n    []\n  ],\n  "b": "{\\"x\\": [1]}"\n}',
		);
	});

	test.each(["1", '"a b"', "null", "[]"])("%s stays as it is", (text) => expect(indent(text)).toBe(text));

	test("embeds JSON texts as they are and leaves out what is undefined", () => {
		expect(stringify({ a: new RawJson("1.0"), b: undefined, c: [undefined, "x", new RawJson("{}")] })).toBe(
			'{"a":1.0,"c":[null,"x",{}]}',
		);
	});
});

describe("quantities", () => {
	test.each([
		["500ms", 500],
		["30s", 30_000],
		["1.5 s", 1_500],
		["2m", 120_000],
		["1h", 3_600_000],
		["7d", 604_800_000],
	])("%s is a duration", (text, milliseconds) => expect(readDuration("--timeout", text)).toBe(milliseconds));

	test.each(["30", "s", "-1s", "1e3s", "1s2s", "", "1 fortnight", "9999999999999d", "constructor"])(
		"%j is no duration",
		(text) => {
			expect(() => readDuration("--timeout", text)).toThrow(/^--timeout is ".*"; /);
		},
	);

	test.each([
		["64MiB", 67_108_864],
		["64MB", 64_000_000],
		["1GiB", 1_073_741_824],
		["512kib", 524_288],
		["10b", 10],
	])("%s is a size", (text, bytes) => expect(readSize("--memory", text)).toBe(bytes));

	test.each(["64", "64 MiBs", "MiB", "1e9b"])("%j is no size", (text) => {
		expect(() => readSize("--memory", text)).toThrow(/--memory is .*64MiB/);
	});

	test.each(["-1", "1.5", "", "x", "1e3"])("%j is no count", (text) =>
		expect(() => readCount("--limit", text)).toThrow("whole number"),
	);

	test("are shown to people without needless digits", () => {
		expect([12, 1_500, 90_000, 7_200_000, 2_592_000_000].map(describeDuration)).toEqual([
			"12 ms",
			"1.5 s",
			"1.5 min",
			"2 h",
			"30 d",
		]);
		expect([12, 1_536, 67_108_864, 1_073_741_824].map(describeSize)).toEqual(["12 B", "1.5 KiB", "64 MiB", "1 GiB"]);
	});
});
