import { describe, expect, test } from "vitest";
import { mapStack, prepareSource } from "../../host/sandbox/source.ts";

const strip = (source: string, owner?: string) => prepareSource({ name: "script.ts", source }, owner);

describe("prepareSource", () => {
	test("leaves JavaScript as it is, also what no parser would take", async () => {
		const source = "export default ((( 'not parsed here'";
		expect(await prepareSource({ name: "script.js", source })).toEqual({ script: { name: "script.js", source } });
	});

	test("replaces types by spaces, so that every position stays", async () => {
		const source = "const total: number = 1;\nexport default (a: string): string => a as string;";
		const prepared = await strip(source);
		expect(prepared).toEqual({
			script: { name: "script.ts", source: "const total         = 1;\nexport default (a        )         => a          ;" },
		});
	});

	test("takes the language that is given before that of the name", async () => {
		const source = "let a: number;";
		expect(await prepareSource({ name: "a.js", source, language: "typescript" })).toEqual({
			script: { name: "a.js", source: "let a        ;" },
		});
		expect(await prepareSource({ name: "a.ts", source, language: "javascript" })).toEqual({
			script: { name: "a.ts", source },
		});
	});

	test("keeps the source map, and leaves a byte order mark out", async () => {
		const prepared = await prepareSource({ name: "a.ts", source: "\uFEFFlet a: 1;", sourceMap: "{}" });
		expect(prepared).toEqual({ script: { name: "a.ts", source: "let a   ;", sourceMap: "{}" } });
	});

	test.each([
		[
			"enum Color { red }",
			"script.ts:1:1: TypeScript enum is not supported in the sandbox, which only strips types. Write `const",
		],
		["let a = 1;\nnamespace Space { export const b = a }", "script.ts:2:1: TypeScript namespace"],
		["class A { constructor(private a: number) {} }", "script.ts:1:31: TypeScript parameter property"],
		["const a: number = (((;", "script.ts:1:22: Expression expected."],
		["const é = (((;", "script.ts:1: Expression expected."],
	])("refuses %j with the place and what to do", async (source, message) => {
		const prepared = await strip(source);
		expect(prepared).toEqual({ failure: { code: "syntax-error", message: expect.stringContaining(message) } });
	});

	test("an overflow of the parser is a failure of that script only, also for the same owner", async () => {
		const nested = `const a = ${"(".repeat(1_500)}1${")".repeat(1_500)};`;
		const [failed, before] = await Promise.all([strip(nested, "owner"), strip("let before: 1", "other")]);
		expect(failed).toEqual({ failure: { code: "syntax-error", message: expect.stringContaining("nested too deeply") } });
		expect(before).toHaveProperty("script");
		for (const owner of ["owner", "other", undefined])
			expect(await strip(`let after${owner}: 1`, owner)).toEqual({
				script: { name: "script.ts", source: `let after${owner}   ` },
			});
	});

	test("many sources at one time each get their own answer", async () => {
		const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => strip(`let a${index}: 1`, `owner${index % 3}`)));
		expect(answers.map((answer) => "script" in answer && answer.script.source)).toEqual(
			Array.from({ length: 12 }, (_, index) => `let a${index}   `),
		);
	});

	test("an owner whose sources take long leaves a thread to the others", async () => {
		const order: string[] = [];
		const long = Array.from({ length: 12 }, (_, index) =>
			strip(`let long${index}: 1;${"{ let a: number = (1); }\n".repeat(20_000)}`, "flood").then(() => void order.push("flood")),
		);
		await strip("let short: 1", "calm").then(() => void order.push("calm"));
		await Promise.all(long);
		// In one queue it would be the last.
		expect(order).toHaveLength(13);
		expect(order.indexOf("calm")).toBeLessThan(6);
	});

	test("a warning of Node's never reaches standard error of the thread's process", async () => {
		const warnings: Error[] = [];
		const listener = (warning: Error): void => void warnings.push(warning);
		process.on("warning", listener);
		await strip("let warned: 1");
		await new Promise(setImmediate);
		process.off("warning", listener);
		expect(warnings).toEqual([]);
	});
});

describe("mapStack", () => {
	// One segment: line 1, column 1 of the bundle is line 3, column 5 of the first source.
	const map = (sources: unknown, mappings: unknown = "AAEI"): string =>
		JSON.stringify({ version: 3, sources, names: [], mappings });

	test("rewrites the frames to the author's file and lines, and keeps the rest", async () => {
		const stack = "at total (bundle.js:1:1)\n    at bundle.js:1:9\nat native\nat a.b (deep) (bundle.js:1:1)";
		expect(await mapStack(stack, map(["src/orders.ts"]))).toBe(
			"at total (src/orders.ts:3:5)\n    at src/orders.ts:3:5\nat native\nat a.b (deep) (src/orders.ts:3:5)",
		);
	});

	test.each([
		["/etc/passwd", "passwd"],
		["file:///home/me/secret.ts", "secret.ts"],
		["C:\\Users\\me\\secret.ts", "secret.ts"],
		["../../above.ts", "above.ts"],
		["a\u001b[31m\u202eb\n.ts", "a?[31m?b?.ts"],
	])("shows the source %j of a map as %s", async (source, shown) => {
		expect(await mapStack("at f (b.js:1:1)", map([source]))).toBe(`at f (${shown}:3:5)`);
	});

	test.each([
		["nonsense", "{"],
		["null", "null"],
		["mappings that are no text", map(["a.ts"], 7)],
		["mappings that are no mappings", map(["a.ts"], "\u0000!!")],
		["sources that are no list", map({ length: 1e9 })],
		[
			"sections that nest without end",
			`{"version":3,"sections":${'[{"offset":{"line":0,"column":0},"map":{"version":3,"sections":'.repeat(5_000)}`,
		],
	])("a map of %s leaves the stack as it is and harms nobody after it", async (_, sourceMap) => {
		expect(await mapStack("at f (b.js:1:1)", sourceMap)).toBe("at f (b.js:1:1)");
		expect(await mapStack("at f (b.js:1:1)", map(["a.ts"]))).toBe("at f (a.ts:3:5)");
	});

	test("takes the last segment that begins at or before the place, on its own line", async () => {
		// Columns 0, 4 and 8 of line 1 are lines 1, 2 and 3; line 2 has nothing; column 4 of line 3 comes from no file.
		const segments = map(["a.ts"], "AAAA,IACA,IACA;;I");
		expect(await mapStack("at b.js:1:4\nat b.js:1:5\nat b.js:1:99\nat b.js:2:1\nat b.js:3:5", segments)).toBe(
			"at a.ts:1:1\nat a.ts:2:1\nat a.ts:3:1\nat b.js:2:1\nat b.js:3:5",
		);
	});

	test.each([
		["four million segments", map(["a.ts"], "AAAA,".repeat(4_000_000))],
		["millions of values that are not read", `{"version":3,"sources":[${"0,".repeat(8_000_000)}0],"mappings":"AAAA"}`],
		["a text over the limit", `{"x":"${"x".repeat(25 * 1024 * 1024)}"}`],
	])("a map of %s harms nobody", async (_, bomb) => {
		expect(await mapStack("at f (b.js:1:1)", bomb)).toMatch(/^at f \((?:b\.js:1:1|a\.ts:1:1)\)$/);
		expect(await mapStack("at f (b.js:1:1)", map(["a.ts"]))).toBe("at f (a.ts:3:5)");
	});
});
