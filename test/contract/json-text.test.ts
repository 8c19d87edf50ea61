import { describe, expect, it } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { requireJson, utf8Length } from "../../host/contract/json-text.ts";
import { resolveLimits } from "../../host/contract/limits.ts";

const limits = resolveLimits();
const purpose = { name: "value", maxBytesLimit: "maxValueBytes" } as const;
const require = (text: unknown, in_ = limits) => requireJson(text, in_, purpose);

function refusal(text: unknown, in_ = limits): RuntimeError {
	try {
		require(text, in_);
	} catch (error) {
		if (error instanceof RuntimeError) return error;
		throw error;
	}
	throw new Error("The text was accepted.");
}

const accepted = [
	"0",
	"-0",
	"1.0",
	"1e400",
	"-12.5E-3",
	"1152921504606846976",
	'""',
	"true",
	"false",
	"null",
	"[]",
	"{}",
	' \t\r\n{ "a" : [ 1 , 2 , { } ] , "b" : null } \n',
	'"\\u0061\\n\\"\\\\\\/\\b\\f\\r\\t"',
	'"\\ud83d\\ude00"',
	'"😀 \u007f\u2028"',
	'{"__proto__":1,"constructor":{"__proto__":2},"":3}',
	'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
	JSON.stringify("x".repeat(200_000)),
	JSON.stringify(`${"y".repeat(500)}\n${"z".repeat(500)}\\"${"é".repeat(500)}`),
	JSON.stringify(Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`member ${index}`, index]))),
	JSON.stringify(Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [String(index * 65_536), index]))),
	`${"[".repeat(128)}${"]".repeat(128)}`,
	`${'{"a":'.repeat(127)}{}${"}".repeat(127)}`,
];

describe("a JSON text", () => {
	it.each(accepted.map((text) => [text.slice(0, 40), text]))("is returned unchanged: %s", (_, text) => {
		expect(require(text)).toBe(text);
	});

	it.each([
		["", "value is not JSON: it ends where a value should be, at line 1, column 1 (offset 0)."],
		["  ", "value is not JSON: it ends where a value should be, at line 1, column 3 (offset 2)."],
		["tru", 'value is not JSON: "t" where a value should be, at line 1, column 1 (offset 0).'],
		["nullx", 'value is not JSON: "x" where the end of the text should be, at line 1, column 5 (offset 4).'],
		["01", 'value is not JSON: "1" where the end of the text should be, at line 1, column 2 (offset 1).'],
		["1.", "value is not JSON: it ends where a digit should be, at line 1, column 3 (offset 2)."],
		["-", "value is not JSON: it ends where a digit should be, at line 1, column 2 (offset 1)."],
		["+1", 'value is not JSON: "+" where a value should be, at line 1, column 1 (offset 0).'],
		["1e+", "value is not JSON: it ends where a digit should be, at line 1, column 4 (offset 3)."],
		["NaN", 'value is not JSON: "N" where a value should be, at line 1, column 1 (offset 0).'],
		["[1,]", 'value is not JSON: "]" where a value should be, at line 1, column 4 (offset 3).'],
		["[1 2]", 'value is not JSON: "2" where "," or "]" should be, at line 1, column 4 (offset 3).'],
		["[1\n,x]", 'value is not JSON: "x" where a value should be, at line 2, column 2 (offset 4).'],
		["[1}", 'value is not JSON: "}" where "," or "]" should be, at line 1, column 3 (offset 2).'],
		["]", 'value is not JSON: "]" where a value should be, at line 1, column 1 (offset 0).'],
		['{"a":1,}', 'value is not JSON: "}" where a member name should be, at line 1, column 8 (offset 7).'],
		["{a:1}", 'value is not JSON: "a" where a member name or "}" should be, at line 1, column 2 (offset 1).'],
		['{"a"1}', 'value is not JSON: "1" where ":" should be, at line 1, column 5 (offset 4).'],
		['{"a":}', 'value is not JSON: "}" where a value should be, at line 1, column 6 (offset 5).'],
		['{"a":1', 'value is not JSON: it ends where "," or "}" should be, at line 1, column 7 (offset 6).'],
		['"abc', "value is not JSON: it ends where the end of a string should be, at line 1, column 5 (offset 4)."],
		['"\\x"', 'value is not JSON: "x" where an escape sequence should be, at line 1, column 3 (offset 2).'],
		['"\\u00g0"', 'value is not JSON: "g" where four hexadecimal digits should be, at line 1, column 6 (offset 5).'],
		['"\\u004', "value is not JSON: it ends where four hexadecimal digits should be, at line 1, column 7 (offset 6)."],
		["'a'", 'value is not JSON: "\'" where a value should be, at line 1, column 1 (offset 0).'],
		["\ufeff1", 'value is not JSON: "\\ufeff" where a value should be, at line 1, column 1 (offset 0).'],
		['"a\tb"', "value has the control character U+0009 in a string, at line 1, column 3 (offset 2)."],
		[`"${"x".repeat(200)}\u0000"`, "value has the control character U+0000 in a string, at line 1, column 202 (offset 201)."],
		['{"a":1,"a":2}', 'value has the member "a" twice, at line 1, column 8 (offset 7).'],
		['{"a":1,"\\u0061":2}', 'value has the member "a" twice, at line 1, column 8 (offset 7).'],
		['{"\\u0061":1,"a":2}', 'value has the member "a" twice, at line 1, column 13 (offset 12).'],
		['[{"x":{"b":1},"b":[],"x":2}]', 'value has the member "x" twice, at line 1, column 22 (offset 21).'],
		['{"😀":1,"\\ud83d\\ude00":2}', 'value has the member "😀" twice, at line 1, column 9 (offset 8).'],
		['{"__proto__":1,"__proto__":2}', 'value has the member "__proto__" twice, at line 1, column 16 (offset 15).'],
		['"\\ud800"', "value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 2 (offset 1)."],
		['"\\ud800\\u0041"', "value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 2 (offset 1)."],
		['"\\udc00"', "value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 2 (offset 1)."],
		['"a\ud800"', "value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 3 (offset 2)."],
		['"\udc00"', "value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 2 (offset 1)."],
		['{"\ud800":1}', "value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 3 (offset 2)."],
		[
			`"${"x".repeat(200)}\ud800"`,
			"value has a lone surrogate, which no UTF-8 text can hold, at line 1, column 202 (offset 201).",
		],
	])("is invalid, and the message says what and where: %j", (text, message) => {
		const error = refusal(text);
		expect({ code: error.code, message: error.message }).toEqual({ code: "invalid", message });
	});

	it("agrees with JSON.parse on random mutations of texts", () => {
		const seed = 20_261_122;
		const random = createRandom(seed);
		const alphabet = ['"', "\\", "{", "}", "[", "]", ",", ":", "1", "e", "-", ".", "u", "t", " ", "\n", "\u0001", "0"];
		for (let round = 0; round < 20_000; round++) {
			const characters = [...(accepted[Math.floor(random() * 18)] as string)];
			for (let mutation = 0; mutation <= Math.floor(random() * 3); mutation++)
				characters.splice(
					Math.floor(random() * characters.length),
					Math.floor(random() * 2),
					alphabet[Math.floor(random() * alphabet.length)] as string,
				);
			const text = characters.join("");
			let parses = true;
			try {
				JSON.parse(text);
			} catch {
				parses = false;
			}
			let error: RuntimeError | undefined;
			try {
				require(text);
			} catch (caught) {
				error = caught as RuntimeError;
			}
			// Here the rules are stricter than JSON.parse, whatever follows in the text.
			if (error && /twice|surrogate/.test(error.message)) continue;
			expect(error === undefined, `seed ${seed}, ${JSON.stringify(text)}: ${error?.message}`).toBe(parses);
		}
	});

	it("finds a duplicate among thousands of members", () => {
		const members = Array.from({ length: 5_000 }, (_, index) => `"member ${index}":${index}`);
		expect(refusal(`{${members.join(",")},"member 17":0}`).message).toMatch(/^value has the member "member 17" twice/);
		expect(require(`[{${members.join(",")}},{${members.join(",")}}]`)).toBeTypeOf("string");
	});

	it("over maxJsonDepth is invalid, however deep", () => {
		for (const text of ["[".repeat(129), '{"a":'.repeat(100_000), "[".repeat(1_000_000)]) {
			const error = refusal(text);
			expect(error.code).toBe("invalid");
			expect(error.message).toMatch(/^value is nested deeper than 128 levels \(maxJsonDepth\), at line 1/);
			expect(error.details.limit).toEqual({ name: "maxJsonDepth", value: 128, unit: "levels" });
		}
		expect(refusal("[[1]]", resolveLimits({ maxJsonDepth: 1 })).details.limit?.value).toBe(1);
	});

	it("is measured in bytes of UTF-8", () => {
		const small = resolveLimits({ maxValueBytes: 8 });
		expect(require('"123456"', small)).toBe('"123456"');
		expect(require('"ééé"', small)).toBe('"ééé"');
		const error = refusal('"éééé"', small);
		expect(error.code).toBe("too-large");
		expect(error.message).toBe("value has 10 bytes; the limit maxValueBytes is 8.");
		expect(error.details.limit).toEqual({ name: "maxValueBytes", value: 8, unit: "bytes" });
	});

	it.each([undefined, null, 1, {}, Symbol("x")])("must be a text", (text) => {
		expect(refusal(text).message).toBe("value must be a JSON text.");
	});

	it("is never echoed at length", () => {
		const name = "n".repeat(10_000);
		expect(refusal(`{"${name}":1,"${name}":2}`).message.length).toBeLessThan(200);
	});
});

describe("utf8Length", () => {
	it("counts bytes", () => {
		expect(["", "a", "é", "€", "😀"].map(utf8Length)).toEqual([0, 1, 2, 3, 4]);
	});
});

/** mulberry32 */
function createRandom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
