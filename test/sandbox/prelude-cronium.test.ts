import { describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { describeGuests } from "./guest.ts";

describeGuests(({ run, evaluate }) => {
	describe("cronium", () => {
		test("has every helper of the contract, as a global, as named exports and as the default export", async () => {
			const { value } = await run(
				[
					'import standard, * as named from "cronium";',
					"export default () => ({ names: Object.keys(cronium), same: standard === cronium, ",
					"  exported: Object.keys(cronium).every((name) => named[name] === cronium[name]),",
					"  frozen: Object.isFrozen(cronium) && Object.isFrozen(cronium.getInput) && Object.isFrozen(cronium.log),",
					"  functionNames: Object.keys(cronium).map((name) => cronium[name].name ?? name) });",
				].join("\n"),
			);
			const names = [...operations.map((operation) => operation.sdkName), "log", "RuntimeError"];
			expect(value).toEqual({
				names,
				same: true,
				exported: true,
				frozen: true,
				functionNames: names,
			});
		});

		test("values go and come back as they were", async () => {
			const source = `export default async () => {
				const results = [];
				for (const value of [0, false, "", null, [], {}, "é😀", 1e21, { a: [1, { b: null }] }, new Date(0)]) {
					await cronium.setVariable("k", value);
					results.push(await cronium.getVariable("k"));
				}
				return results;
			}`;
			const expected = [0, false, "", null, [], {}, "é😀", 1e21, { a: [1, { b: null }] }, "1970-01-01T00:00:00.000Z"];
			expect((await run(source)).value).toEqual(expected);
		});

		test("missing is null, an entry tells null from missing, and the condition is true, false or null", async () => {
			const source = `export default async () => {
				const before = [await cronium.getVariable("k"), await cronium.getVariableEntry("k"), await cronium.getCondition(), await cronium.getInput()];
				await cronium.setVariable("k", null);
				await cronium.setCondition(false);
				const entry = await cronium.getVariableEntry("k");
				return { before, value: entry.value, version: typeof entry.metadata.version, condition: await cronium.getCondition() };
			}`;
			expect((await run(source)).value).toEqual({
				before: [null, null, null, null],
				value: null,
				version: "string",
				condition: false,
			});
		});

		test("options, counters, lists and deletes", async () => {
			const source = `export default async () => {
				const version = await cronium.setVariable("a/b c", 1, { ifAbsent: true });
				const conflict = await cronium.setVariable("a/b c", 2, { ifAbsent: true }).catch((error) => error);
				return [
					conflict instanceof cronium.RuntimeError && conflict instanceof Error, conflict.code, conflict.details.currentVersion === version, conflict.name,
					await cronium.incrementVariable("n"), await cronium.incrementVariable("n", -3.5),
					(await cronium.listVariables({ prefix: "a" })).items.map((item) => item.key), (await cronium.listVariables()).items.length,
					await cronium.deleteVariable("n"), await cronium.deleteVariable("n"),
				];
			}`;
			expect((await run(source)).value).toEqual([true, "conflict", true, "RuntimeError", 1, -2.5, ["a/b c"], 2, true, false]);
		});

		test.each([
			["undefined", "value is undefined"],
			["NaN", "value is NaN"],
			["{ a: [1, -Infinity] }", "value.a[1] is -Infinity"],
			["{ a: { b: 5n } }", "value.a.b is a BigInt"],
			["[() => {}]", "value[0] is a function"],
			["Symbol()", "value is a symbol"],
			["[undefined]", "value[0] is undefined"],
			["new Map([[1, 2]])", "value is a Map"],
			["{ s: new Set() }", "value.s is a Set"],
			["[cronium.getInput()]", "value[0] is a promise (is an await missing?)"],
			["(() => { const a = { b: [] }; a.b.push(a); return a })()", "value.b[0] is a reference to an object that contains it"],
			["'\\ud800'", "value has a lone surrogate"],
			["{ '\\udc00': 1 }", "value has a lone surrogate"],
			["(() => { let a = []; for (let i = 0; i < 100000; i++) a = [a]; return a })()", "nested more than 128 levels deep"],
			["{ toJSON() { return { x: NaN } } }", "value.x is NaN"],
		])("setVariable refuses %s and says why", async (expression, reason) => {
			const source = `export default async () => cronium.setVariable("k", ${expression}).then(() => "stored", (error) => [error.code, error.message]);`;
			const [code, message] = (await run(source)).value as [string, string];
			expect(code).toBe("invalid");
			expect(message).toContain(reason);
		});

		test.each([
			"{ a: undefined }",
			"'\\\\ud800'",
			"'a\\\\\\\\ud800'",
			"Object.create({ inherited: () => {} })",
			"[[1], [1]].flatMap((x) => [x, x])",
		])("setVariable takes %s as JSON.stringify does", async (expression) => {
			const source = `export default async () => { const v = ${expression}; await cronium.setVariable("k", v); return JSON.stringify(await cronium.getVariable("k")) === JSON.stringify(v) };`;
			expect((await run(source)).value).toBe(true);
		});

		test("mistakes in arguments reject, they do not throw", async () => {
			const source = `export default async () => {
				const codes = [];
				for (const call of [() => cronium.getVariable(), () => cronium.getVariable(5), () => cronium.setVariable("k"), () => cronium.incrementVariable("k", NaN),
					() => cronium.setVariable("k", 1, { ifversion: "x" }), () => cronium.setCondition("yes"), () => cronium.writeLog("loud", "x"), () => cronium.getVariable("k".repeat(300))])
					codes.push(await call().then(() => "no error", (error) => error.code));
				return codes;
			}`;
			expect((await run(source)).value).toEqual(new Array(8).fill("invalid"));
		});

		test("errors of helpers lead to the line that called, whenever they come", async () => {
			const source =
				'export default async () => {\n\tawait cronium.setVariable("k", 1);\n\tawait cronium.setVariable("k", 1, { ifAbsent: true });\n};';
			const { result } = await run(source);
			expect(result.failure).toMatchObject({ code: "script-error", name: "RuntimeError", errorCode: "conflict" });
			expect(result.failure?.stack).toContain("script.js:3:");
		});

		test("log writes structured lines; what is not JSON in the fields is described", async () => {
			const { logs, result } = await run(`
				await cronium.log.info("total", { total: 5, bad: NaN, big: 10n, f() {}, nested: { map: new Map() } });
				await cronium.log.error("failed", { error: new TypeError("why") });
				await cronium.log.warn({ not: "text" });
				await cronium.log.debug("plain");
			`);
			expect(result.failure).toBeUndefined();
			expect(logs.map(({ level, message, source }) => [level, message, source])).toEqual([
				["info", "total", "log"],
				["error", "failed", "log"],
				["warn", "{ not: 'text' }", "log"],
				["debug", "plain", "log"],
			]);
			expect(JSON.parse(logs[0]?.fields as string)).toEqual({
				total: 5,
				bad: "NaN",
				big: "10",
				f: "[a function]",
				nested: { map: "[a Map]" },
			});
			expect(JSON.parse(logs[1]?.fields as string)).toMatchObject({ error: { name: "TypeError", message: "why" } });
		});
	});

	describe("the default function", () => {
		test("is called with the input; what it returns is the output", async () => {
			expect((await run("export default (input) => ({ got: input });", { input: { a: [1] } })).value).toEqual({
				got: { a: [1] },
			});
			expect((await run("export default async function main(input) { return input; }", { input: 0 })).value).toBe(0);
			expect((await run("export default () => undefined;")).result.returned).toBeUndefined();
			expect((await run("export default 5;")).result).not.toHaveProperty("returned");
			expect((await run("export const x = 1;")).result.failure).toBeUndefined();
		});

		test.each([
			["NaN", "The returned value is NaN"],
			["({ a: 1n })", "The returned value.a is a BigInt"],
			["() => {}", "The returned value is a function"],
			["Symbol('x')", "The returned value is a symbol"],
			["(() => { const a = []; a[0] = a; return a })()", "contains it"],
			["'\\ud83d'", "lone surrogate"],
			["({ p: Promise.resolve(1) })", "is a promise"],
		])("returning %s is invalid-output", async (expression, reason) => {
			const { result } = await run(`export default () => (${expression});`);
			expect(result.failure).toMatchObject({ code: "invalid-output", message: expect.stringContaining(reason) });
			expect(result.returned).toBeUndefined();
		});

		test("a getter or toJSON of the returned value that throws is the script's error", async () => {
			const { result } = await run("export default () => ({ toJSON() { throw new RangeError('mine'); } });");
			expect(result.failure).toMatchObject({ code: "script-error", name: "RangeError", message: "mine" });
		});
	});

	describe("failures", () => {
		test.each([
			["throw new TypeError('bad')", { name: "TypeError", message: "bad" }],
			["throw 'text'", { message: "A value that is not an Error was thrown: 'text'" }],
			["throw { a: 1 }", { message: "A value that is not an Error was thrown: { a: 1 }" }],
			["throw undefined", { message: "A value that is not an Error was thrown: undefined" }],
			["throw null", { message: "A value that is not an Error was thrown: null" }],
			["class PaymentError extends Error {}; throw new PaymentError('declined')", { name: "PaymentError", message: "declined" }],
			["throw new Error('')", { name: "Error", message: "Error" }],
			["throw Object.assign(new Error('m'), { message: { x: 1 } })", { name: "Error", message: "Error" }],
			["const e = new Error('m'); Object.defineProperty(e, 'message', { get() { throw 1 } }); throw e", { message: "Error" }],
			["const e = new Error('m'); Object.defineProperty(e, 'name', { get() { throw 1 } }); throw e", { message: "m" }],
			[
				"throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
				{ message: expect.stringContaining("not an Error") },
			],
			["throw new Proxy(new Error('in proxy'), {})", { message: "in proxy" }],
			["throw new Error('x'.repeat(100000))", { message: expect.stringMatching(/^x{8192}… \(cut\)$/) }],
		])("%s", async (source, failure) => {
			expect((await run(source)).result.failure).toMatchObject({ code: "script-error", ...failure });
		});

		test("the stack has the script's frames, then causes and members, and ends", async () => {
			const { result } = await run(
				[
					"function inner() { throw new TypeError('first'); }",
					"function outer() { try { inner(); } catch (cause) { throw new Error('second', { cause }); } }",
					"try { outer(); } catch (cause) { cause.cause.cause = cause;",
					"  throw new AggregateError([cause, 'text'], 'third', { cause }); }",
				].join("\n"),
			);
			const stack = result.failure?.stack as string;
			expect(result.failure).toMatchObject({ name: "AggregateError", message: "third" });
			expect(stack).toMatch(/caused by Error: second\nat outer \(script\.js:2:\d+\)/);
			expect(stack).toMatch(/caused by TypeError: first\nat inner \(script\.js:1:\d+\)/);
			expect(stack).toContain("with 'text'");
			expect(stack).not.toContain("cronium:prelude");
			expect(stack.split("\n").length).toBeLessThan(20);
		});

		test.each([
			["a timer", "setTimeout(() => { throw new RangeError('late'); }, 1); await new Promise(() => {});"],
			["a microtask", "queueMicrotask(() => { throw new RangeError('late'); }); await new Promise(() => {});"],
			[
				"a listener",
				"const t = new EventTarget(); t.addEventListener('x', () => { throw new RangeError('late'); }); t.dispatchEvent(new Event('x'));",
			],
			["reportError", "reportError(new RangeError('late'));"],
		])("an error that nobody can catch, in %s, ends the run", async (_, source) => {
			expect((await run(source)).result.failure).toMatchObject({ code: "script-error", name: "RangeError", message: "late" });
		});
	});

	describe("a script that tampers", () => {
		const tampering = `
			const evil = () => { throw new Error("tampered"); };
			Promise.prototype.then = evil; Promise.resolve = evil; Promise.reject = evil;
			JSON.parse = evil; JSON.stringify = evil; String.prototype.slice = evil; String.prototype.indexOf = evil; String.prototype.includes = evil;
			Map.prototype.get = evil; Map.prototype.set = evil; Map.prototype.delete = evil; Map.prototype.has = evil;
			Array.prototype[Symbol.iterator] = evil; Array.prototype.join = evil; Array.prototype.push = evil; Array.prototype.map = evil; Array.isArray = evil;
			Function.prototype.call = evil; Function.prototype.apply = evil; Function.prototype.bind = evil;
			Reflect.apply = evil; Reflect.defineProperty = evil; Object.defineProperty = evil; Object.prototype.hasOwnProperty = evil;
			String = Number = Boolean = evil; RegExp.prototype.exec = evil; Error.prototype.toString = evil;
			Object.prototype.toJSON = undefined;
		`;

		test("still gets its answers and hands over its result", async () => {
			const source = `${tampering}
				export default async (input) => {
					await cronium.setVariable("k", { a: [1] });
					const value = await cronium.getVariable("k");
					await new Promise((resolve) => { setTimeout(resolve, 1); });
					return { input, value };
				};`;
			const { result, value } = await run(source, { input: 7 });
			expect(result.failure).toBeUndefined();
			expect(value).toEqual({ input: 7, value: { a: [1] } });
		});

		test("still has its errors described", async () => {
			const { result } = await run(`${tampering}\nthrow new TypeError("own");`);
			expect(result.failure).toMatchObject({ code: "script-error", name: "TypeError", message: "own" });
		});

		test("with Object.prototype gets no other rights and leaves nothing to the next run", async () => {
			const pollute = `
				for (const name of ["code", "message", "details", "settle", "enumerable", "get", "value", "0", "then", "__host", "__hooks", "default"])
					try { Object.prototype[name] = "polluted"; } catch {}
				let outcome; try { await cronium.getVariable(""); } catch (error) { outcome = error.code; }
				export default () => outcome;`;
			const first = await run(pollute);
			expect(first.value).toBe("invalid");
			expect(await evaluate("({}).code === undefined && typeof __host === 'undefined'")).toBe(true);
		});

		test("finds neither the host function nor the hooks", async () => {
			expect(
				await evaluate(
					"[typeof __host, typeof __hooks, Object.getOwnPropertyNames(globalThis).filter((name) => /host|hook|core-js/i.test(name))]",
				),
			).toEqual(["undefined", "undefined", []]);
		});

		test("cannot replace or change cronium", async () => {
			const source = `const results = [];
				for (const change of [() => { globalThis.cronium = 1; }, () => { cronium.getInput = 1; }, () => { delete globalThis.cronium; }, () => { cronium.getInput.x = 1; },
					() => Object.defineProperty(globalThis, "cronium", { value: 1 })])
					try { change(); results.push("changed"); } catch (error) { results.push(error.name); }
				export default () => results;`;
			expect((await run(source)).value).toEqual(new Array(5).fill("TypeError"));
		});
	});
});
