import { describe, expect, test } from "vitest";
import { resolveLimits } from "../../host/contract/limits.ts";
import { describeFailure, ownFrames } from "../../host/sandbox/guest-failures.ts";

const script = "orders.ts";

describe("frames", () => {
	test.each([
		["at total (orders.ts:12:5)", "at total (orders.ts:12:5)"],
		["    at <anonymous> (orders.ts:3:9)", "at orders.ts:3:9"],
		["at orders.ts:1:2", "at orders.ts:1:2"],
		["at a (b (orders.ts:1:2)", "at a (b (orders.ts:1:2)"],
		["at x\u001b[31m (orders.ts:1:2)", "at x [31m (orders.ts:1:2)"],
		["caused by Error: inner", "caused by Error: inner"],
		["at total (cronium:prelude:12:5)", ""],
		["at total (other-orders.ts:12:5)", ""],
		["at total (orders.ts)", ""],
		["at total (orders.ts:a:5)", ""],
		["at total (orders.ts:12345678901:5)", ""],
		["at (native)", ""],
	])("of %j are %j", (line, shown) => expect(ownFrames(line, script)).toBe(shown));

	test("of a script whose name has parentheses and colons are its own", () => {
		expect(ownFrames("at total (a (1):2.ts:12:5)", "a (1):2.ts")).toBe("at total (a (1):2.ts:12:5)");
	});

	test.each([
		["parentheses", `at ${" (".repeat(100_000)}`],
		["places", `at ${"(orders.ts:1:2".repeat(20_000)}x`],
		["digits", `at f (orders.ts:${"1".repeat(200_000)}`],
	])("are found in time with a line of many %s", (_, line) =>
		expect(ownFrames(`${line}\nat orders.ts:1:2`, script)).toBe("at orders.ts:1:2"),
	);
});

describe("what a guest says of its failure", () => {
	const describeSaid = (said: string | undefined, memoryBytes = 8e6) =>
		describeFailure(said, {
			scriptName: script,
			limits: resolveLimits(),
			memory: { memoryBytes, maxMemoryBytes: 64e6, stackIsExhausted: false },
		});

	test.each(["null", "object"])("is the limit of its memory when that is full and it could throw no more than %s", (thrown) => {
		const said = JSON.stringify({ message: `A value that is not an Error was thrown: ${thrown}` });
		expect(describeSaid(said, 63.9e6)).toMatchObject({ code: "memory-exceeded", limit: { name: "maxMemoryBytes" } });
		expect(describeSaid(said).code).toBe("script-error");
		expect(describeSaid(JSON.stringify({ message: "orders: 'object'" }), 63.9e6).code).toBe("script-error");
	});

	test("is cut, and only texts are taken", () => {
		const said = JSON.stringify({ message: "m".repeat(50_000), name: "n\ud800", stack: ["x"], code: 5 });
		expect(describeSaid(said)).toEqual({ code: "script-error", message: "m".repeat(16 * 1024), name: "n\ufffd" });
		expect(describeSaid('{"__proto__":{"message":"x"}}')).toEqual({ code: "script-error", message: "The script failed." });
	});

	test.each([
		["nothing", undefined],
		["null", "null"],
		["no JSON", "{"],
		["more values than an error has", `{"message":"m","a":[${"{},".repeat(1000)}1]}`],
		["a text too long to read", `{"message":"${"m".repeat(2 ** 21)}"}`],
	])("is not believed when it is %s", (_, said) =>
		expect(describeSaid(said).message).toBe("The script failed with an error that cannot be described."),
	);
});
