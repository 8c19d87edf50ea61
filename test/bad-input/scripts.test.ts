import { describe, expect, test } from "vitest";
import type { LimitName, Outcome } from "../../host/index.ts";
import { javascriptEngines, useArena } from "../escapes/arena.ts";

/** A script that is wrong, and everything its author is told. */
interface BadScript {
	readonly title: string;
	readonly source: string;
	readonly limits?: Partial<Record<LimitName, number>>;
	readonly language?: "typescript";
	/** One of them, where the engines differ in what ends first. */
	readonly expected: End | readonly End[];
}

interface End {
	readonly status: Outcome["status"];
	readonly exitCode: number;
	readonly code: string;
	readonly message: RegExp;
	readonly name?: string;
	readonly limit?: LimitName;
}

const failed = (code: string, message: RegExp, more: { name?: string; limit?: LimitName } = {}): End => ({
	status: "failed",
	exitCode: 1,
	code,
	message,
	...more,
});
const timedOut = (code: string, limit: LimitName, message: RegExp): End => ({
	status: "timed-out",
	exitCode: 124,
	code,
	message,
	limit,
});
const wall = (milliseconds: number): End =>
	timedOut("wall-time-exceeded", "maxWallTimeMs", new RegExp(`${milliseconds}.*maxWallTimeMs`));
const memory = failed("memory-exceeded", /maxMemoryBytes/, { limit: "maxMemoryBytes" });
const short = { maxWallTimeMs: 400 };

const badScripts: readonly BadScript[] = [
	{
		title: "a syntax error",
		source: "const answer = ;\n",
		expected: failed("syntax-error", /attack\.js:1|unexpected|Unexpected|expected/),
	},
	{ title: "a syntax error on a later line", source: "const a = 1;\n\nfunction (\n", expected: failed("syntax-error", /./) },
	{ title: "an unfinished template", source: "export default () => `never", expected: failed("syntax-error", /./) },
	{ title: "NUL and control characters as source", source: "\0\u0001\u0002", expected: failed("syntax-error", /./) },
	{ title: "a lone surrogate as source", source: "\ud800", expected: failed("syntax-error", /./) },
	{ title: "a thrown string", source: "throw 'out of stock';", expected: failed("script-error", /out of stock/) },
	{
		title: "a thrown error",
		source: "export default () => { throw new RangeError('too many orders'); }",
		expected: failed("script-error", /^too many orders$/, { name: "RangeError" }),
	},
	{ title: "a thrown null", source: "throw null;", expected: failed("script-error", /null/) },
	{ title: "a thrown undefined", source: "throw undefined;", expected: failed("script-error", /undefined/) },
	{
		title: "a rejected promise",
		source: "export default () => Promise.reject(new TypeError('no customer'));",
		expected: failed("script-error", /^no customer$/, { name: "TypeError" }),
	},
	{
		title: "a rejected top-level await",
		source: "await Promise.reject(new Error('at the top'));",
		expected: failed("script-error", /^at the top$/, { name: "Error" }),
	},
	{
		title: "a never-settling promise",
		source: "export default () => new Promise(() => {});",
		expected: failed("never-settled", /promise/i),
	},
	{
		title: "a never-settling top-level await",
		source: "await new Promise(() => {});",
		expected: failed("never-settled", /promise/i),
	},
	{
		title: "a promise that waits for itself through a helper's answer",
		source: "let p; p = cronium.getInput().then(() => p); export default () => p;",
		expected: failed("script-error", /./, { name: "TypeError" }),
	},
	{ title: "an infinite loop", source: "for (;;);", limits: short, expected: wall(400) },
	{
		title: "an infinite loop in the default function",
		source: "export default () => { while (true) {} }",
		limits: short,
		expected: wall(400),
	},
	{
		title: "an infinite loop of microtasks",
		// No promise waits for the next one, so the loop needs no memory.
		source: "const again = () => { Promise.resolve().then(again); }; again(); await new Promise(() => {});",
		limits: short,
		expected: wall(400),
	},
	{
		title: "an infinite loop of answered calls",
		source: "for (;;) await cronium.getInput();",
		limits: { ...short, maxHostCalls: 100_000_000 },
		expected: wall(400),
	},
	{
		title: "an infinite wait for a timer",
		source: "await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));",
		limits: short,
		expected: wall(400),
	},
	{
		title: "an infinite generator spread out",
		source: "function* forever() { for (;;) yield 1; } for (const one of forever());",
		limits: short,
		expected: wall(400),
	},
	{ title: "a regular expression bomb", source: "/^(a+)+$/.test('a'.repeat(40) + 'b');", limits: short, expected: wall(400) },
	{
		title: "a regular expression bomb in replace",
		source: "'x'.repeat(50_000).replace(/(x+x+)+y/g, '');",
		limits: short,
		expected: wall(400),
	},
	{
		title: "a CPU time over its limit",
		source: "for (;;);",
		limits: { maxCpuTimeMs: 200 },
		expected: timedOut("cpu-time-exceeded", "maxCpuTimeMs", /200.*maxCpuTimeMs/),
	},
	{
		title: "a CPU time spread over many turns",
		source: "for (;;) { for (let i = 0; i < 20_000; i++); await new Promise((resolve) => setTimeout(resolve, 1)); }",
		limits: { maxCpuTimeMs: 100, maxWallTimeMs: 6_000 },
		expected: timedOut("cpu-time-exceeded", "maxCpuTimeMs", /100.*maxCpuTimeMs/),
	},
	{
		title: "a string bomb by doubling",
		source: "let text = 'x'.repeat(1_000); for (;;) { text += text; }",
		expected: failed("script-error", /^string too long$/),
	},
	{
		title: "a string bomb by repeat and concatenation",
		source: "const all = []; for (let i = 0; ; i++) all.push('ab'.repeat(1_000_000) + i);",
		expected: memory,
	},
	{ title: "an ArrayBuffer bomb", source: "const all = []; for (;;) all.push(new ArrayBuffer(1 << 20));", expected: memory },
	{ title: "an array bomb", source: "const all = []; for (;;) all.push([all.length, {}]);", expected: memory },
	{
		title: "an object bomb in a Map",
		source: "const all = new Map(); for (let i = 0; ; i++) all.set('key' + i, { i });",
		expected: memory,
	},
	{
		title: "a bomb of closures and promises",
		source: "const all = []; for (;;) all.push(new Promise((resolve) => { setTimeout; resolve; }).then(() => all));",
		expected: memory,
	},
	{
		title: "recursion without end",
		source: "const down = (n) => down(n + 1) + 1; export default () => down(0);",
		expected: failed("stack-exceeded", /maxStackBytes/, { limit: "maxStackBytes" }),
	},
	{
		title: "recursion through getters",
		source: "const o = { get a() { return this.a; } }; o.a;",
		expected: failed("stack-exceeded", /maxStackBytes/, { limit: "maxStackBytes" }),
	},
	{
		title: "recursion through toString",
		source: "const o = { toString() { return '' + this; } }; String(o);",
		expected: failed("stack-exceeded", /maxStackBytes/, { limit: "maxStackBytes" }),
	},
	{
		title: "recursion through a proxy",
		source: "const p = new Proxy({}, { get: (t, k, r) => r[k] }); p.a;",
		expected: failed("stack-exceeded", /maxStackBytes/, { limit: "maxStackBytes" }),
	},
	{ title: "Array(1e8).join", source: "Array(1e8).join('x');", limits: short, expected: [wall(400), memory] },
	{
		title: "indexOf of a long text in a longer one",
		source: "const a = 'a'.repeat(4_000_000); (a + a).indexOf('a'.repeat(1_000_000) + 'b');",
		limits: short,
		expected: wall(400),
	},
	{
		title: "reverse of a huge length",
		source: "Array.prototype.reverse.call({ length: 2 ** 53 - 1 });",
		limits: short,
		expected: wall(400),
	},
	{
		title: "fill of a huge length",
		source: "Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 0, 2 ** 40);",
		limits: short,
		// The second engine fills memory faster than time.
		expected: [wall(400), memory],
	},
	{
		title: "lastIndexOf over a huge length",
		source: "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);",
		limits: short,
		expected: wall(400),
	},
	{ title: "a BigInt power", source: "10n ** 1_000_000n ** 2n;", limits: short, expected: failed("script-error", /./) },
	{
		title: "BigInt arithmetic without end",
		source: "let n = 3n; for (;;) n *= n + 1n;",
		limits: { maxWallTimeMs: 4_000 },
		expected: failed("script-error", /BigInt/, { name: "RangeError" }),
	},
	{
		title: "a sort whose comparison lies",
		source: "const list = Array.from({ length: 100_000 }, (_, i) => i); for (;;) list.sort(() => Math.random() - 0.5);",
		limits: short,
		expected: wall(400),
	},
	{
		title: "a cyclic output",
		source: "export default () => { const a = { name: 'a' }; a.self = a; return a; }",
		expected: failed("invalid-output", /self is a reference to an object that contains it/),
	},
	{ title: "a BigInt as output", source: "export default () => ({ id: 10n });", expected: failed("invalid-output", /BigInt/) },
	{ title: "a function as output", source: "export default () => () => 1;", expected: failed("invalid-output", /function/i) },
	{
		title: "a function inside the output",
		source: "export default () => ({ run() {} });",
		expected: failed("invalid-output", /function/i),
	},
	{ title: "a symbol as output", source: "export default () => Symbol('x');", expected: failed("invalid-output", /symbol/i) },
	{ title: "NaN as output", source: "export default () => NaN;", expected: failed("invalid-output", /NaN/) },
	{
		title: "Infinity inside the output",
		source: "export default () => ({ total: -Infinity });",
		expected: failed("invalid-output", /Infinity/),
	},
	{
		title: "a lone surrogate in the output",
		source: "export default () => ({ text: 'a\\ud800b' });",
		expected: failed("invalid-output", /surrogate/i),
	},
	{
		title: "a lone surrogate in a member name of the output",
		source: "export default () => ({ ['\\udc00']: 1 });",
		expected: failed("invalid-output", /surrogate/i),
	},
	{
		title: "an output of 10 MiB",
		source: "export default () => 'x'.repeat(10 * 1024 * 1024);",
		limits: { maxMemoryBytes: 128 * 1024 * 1024 },
		expected: failed("output-exceeded", /10485762.*1048576.*(maxOutputBytes)?/, { limit: "maxOutputBytes" }),
	},
	{
		title: "an output that is one byte over its limit",
		source: "export default () => 'x'.repeat(99);",
		limits: { maxOutputBytes: 100 },
		expected: failed("output-exceeded", /101.*100/, { limit: "maxOutputBytes" }),
	},
	{
		title: "an output nested deeper than its limit",
		source: "export default () => { let a = []; for (let i = 0; i < 500; i++) a = [a]; return a; }",
		expected: failed("invalid-output", /128/),
	},
	{
		title: "an output nested 100,000 deep",
		source: "export default () => { let a = []; for (let i = 0; i < 100_000; i++) a = [a]; return a; }",
		expected: failed("invalid-output", /./),
	},
	{
		title: "JSON.parse of 100,000 brackets",
		source: "JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));",
		expected: failed("stack-exceeded", /./),
	},
	{
		title: "more host calls than allowed",
		source: "for (;;) await cronium.getInput();",
		limits: { maxHostCalls: 25 },
		expected: failed("host-calls-exceeded", /25/, { limit: "maxHostCalls" }),
	},
	{
		title: "more host calls than allowed, with the error caught",
		source: "for (;;) try { await cronium.getInput(); } catch {}",
		limits: { maxHostCalls: 25 },
		expected: failed("host-calls-exceeded", /25/, { limit: "maxHostCalls" }),
	},
	{
		title: "more pending calls than allowed",
		source: "for (let i = 0; ; i++) cronium.setVariable('k' + i, i).catch(() => {});",
		limits: { maxPendingCalls: 10 },
		expected: failed("pending-calls-exceeded", /10/, { limit: "maxPendingCalls" }),
	},
	{
		title: "more pending timers than allowed",
		source: "for (;;) setTimeout(() => {}, 1_000);",
		limits: { maxPendingCalls: 10 },
		expected: failed("pending-calls-exceeded", /10/, { limit: "maxPendingCalls" }),
	},
	{
		title: "an import that the sandbox has not",
		source: "import { readFileSync } from 'node:fs'; export default () => readFileSync('x');",
		expected: failed("import-error", /node:fs/),
	},
	{
		title: "an import of a file that was not bundled",
		source: "import './missing.js';",
		expected: failed("import-error", /missing\.js/),
	},
	{
		title: "TypeScript with a syntax error",
		source: "const a: = 1;",
		language: "typescript",
		expected: failed("syntax-error", /attack/),
	},
	{
		title: "TypeScript that is more than types",
		source: "enum Color { red }",
		language: "typescript",
		expected: failed("syntax-error", /enum/),
	},
	{
		title: "TypeScript nested 5,000 brackets deep",
		source: `const a = ${"[".repeat(5_000)}${"]".repeat(5_000)};`,
		language: "typescript",
		expected: failed("syntax-error", /./),
	},
	{
		title: "JavaScript nested 100,000 brackets deep",
		source: `const a = ${"[".repeat(100_000)}${"]".repeat(100_000)};`,
		expected: failed("stack-exceeded", /./),
	},
	{
		title: "a refused fetch",
		source: "await fetch('http://127.0.0.1:1/');",
		expected: failed("script-error", /fetch|refused|allow/i),
	},
	{
		title: "a default export that is no function and no value",
		source: "export default await null; null.x;",
		expected: failed("script-error", /./, { name: "TypeError" }),
	},
];

describe.each(javascriptEngines)("%s ends in order", (engine) => {
	const arena = useArena(engine);

	test.each(badScripts)("$title", async ({ source, limits = {}, language, expected: ends }) => {
		const script = { name: language ? "attack.ts" : "attack.js", source, ...(language && { language }) };
		const outcome = await arena.run(source, { script, limits });
		const all = [ends].flat();
		const expected = all.find(({ code }) => code === outcome.error?.code) ?? (all[0] as End);
		expect({ status: outcome.status, exitCode: outcome.exitCode, code: outcome.error?.code }).toEqual({
			status: expected.status,
			exitCode: expected.exitCode,
			code: expected.code,
		});
		expect(outcome.error?.message).toMatch(expected.message);
		expect(outcome.output).toBeUndefined();
		if (expected.name) expect(outcome.error?.name).toBe(expected.name);
		if (expected.limit) {
			const value = (limits as Record<string, number>)[expected.limit] ?? arena.host.limits[expected.limit];
			expect(outcome.error?.limit).toEqual({ name: expected.limit, value, unit: expect.any(String) });
		}
	});

	test("nothing at all is a script that succeeds without output", async () => {
		for (const source of [
			"",
			"   \n",
			"// nothing",
			"export default undefined;",
			"export default () => undefined;",
			"export const a = 1;",
		]) {
			const { status, exitCode, output, outputText } = await arena.run(source);
			expect({ source, status, exitCode, output, outputText }).toEqual({
				source,
				status: "succeeded",
				exitCode: 0,
				output: undefined,
				outputText: undefined,
			});
		}
	});

	test("falsy outputs are outputs", async () => {
		for (const value of [0, false, "", null, []]) {
			const { status, output, outputText } = await arena.run(`export default () => (${JSON.stringify(value)});`);
			expect({ status, output, outputText }).toEqual({ status: "succeeded", output: value, outputText: JSON.stringify(value) });
		}
	});

	test("undefined members are left out, as JSON has them not", async () => {
		const { status, output } = await arena.run("export default () => ({ a: undefined, b: 1 });");
		expect({ status, output }).toEqual({ status: "succeeded", output: { b: 1 } });
	});

	test("an error names the script's own line and column", async () => {
		const { error } = await arena.run(
			"const a = 1;\nfunction total() {\n\tthrow new Error('here');\n}\nexport default () => total();\n",
		);
		expect(error?.stack).toMatch(/total.*attack\.js:3/);
	});
});
