import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineName, GuestResult } from "../../../host/sandbox/engine.ts";
import { createScriptRunner, type RunOptions, type ScriptRunner } from "./script-runner.ts";

const MiB = 1024 * 1024;
/** Room for the engine itself and the bomb, and soon full. */
const small = { maxMemoryBytes: 24 * MiB };

/** What every engine does with a script. */
export function describeEngine(name: EngineName): void {
	describe(name, () => {
		let runner: ScriptRunner;
		const run = (source: string, options?: RunOptions): Promise<GuestResult> => runner.run(source, options);
		const returnedBy = async (source: string, options?: RunOptions): Promise<unknown> => {
			const { returned, failure } = await run(source, options);
			expect(failure).toBeUndefined();
			return returned === undefined ? undefined : JSON.parse(returned);
		};
		/** A run after a mishap works and finds a clean instance. */
		const expectNextRunToWork = async (): Promise<void> => {
			const source = "export default (input) => [input, Object.keys(globalThis).includes('left'), [].left ?? null]";
			expect(await returnedBy(source, { input: '{"n":5}' })).toEqual([{ n: 5 }, false, null]);
		};

		beforeAll(async () => {
			runner = await createScriptRunner(name);
		});
		afterAll(() => runner[Symbol.dispose]());

		describe("results", () => {
			it("returns what the default function returns for the input", async () => {
				expect(await returnedBy("export default (input) => ({ twice: input.n * 2 })", { input: '{"n":21}' })).toEqual({
					twice: 42,
				});
			});

			it("waits for an async default function and for top-level await", async () => {
				const source = `
					const first = await cronium.getInput();
					export default async () => { await null; return [first, await cronium.getVariable("missing")]; }`;
				expect(await returnedBy(source, { input: "[1]" })).toEqual([[1], null]);
			});

			it("returns nothing for a module without default function", async () => {
				expect((await run("await cronium.setCondition(true)")).returned).toBeUndefined();
			});

			it("says that a default export that is no function is ignored", async () => {
				for (const value of ["5", "'text'", "null", "{}", "Promise.resolve(1)"]) {
					const { returned, failure } = await run(`export default ${value}`);
					expect({ returned, failure }).toEqual({});
					expect(runner.printed).toBe("Warning: the default export is not a function and is ignored.\n");
				}
				await run("export const named = 5; export default undefined");
				expect(runner.printed).toBe("");
			});

			it("offers the same helpers as a global and as the module cronium", async () => {
				const source = `
					import cronium, { getInput, log } from "cronium";
					import * as all from "cronium";
					const again = await import("cronium");
					export default () => [cronium === globalThis.cronium, getInput === cronium.getInput, all.log === log, again === all];`;
				expect(await returnedBy(source)).toEqual([true, true, true, true]);
			});

			it("waits for timers and for answers that come late", async () => {
				const read = returnedBy(`export default () => cronium.getVariable("late/a")`);
				while (runner.lateReads === 0) await new Promise((resolve) => setTimeout(resolve, 1));
				runner.releaseLateAnswers();
				expect(await read).toBe("answer to late/a");
				expect(await returnedBy("export default () => new Promise((resolve) => setTimeout(resolve, 5, 'late'))")).toBe("late");
			});

			it("carries texts unharmed in both directions", async () => {
				const texts = ["", "ascii", "é".repeat(50), "Grüße €", "𝒳😀".repeat(40), "\u0000\u0001\n", `${"a".repeat(9000)}ü`];
				const source = `
					const input = await cronium.getInput();
					for (const [index, text] of input.entries()) await cronium.setVariable("text/" + index, text);
					export default async () => {
						const texts = [];
						for (const index of input.keys()) texts.push(await cronium.getVariable("text/" + index));
						// A slice of a long text and one put together from pieces are stored in other ways.
						const long = "0123456789ü".repeat(2000);
						await cronium.setVariable("slice", long.slice(7, 15000));
						await cronium.setVariable("pieces", long + texts[3] + long);
						return [texts, (await cronium.getVariable("slice")) === long.slice(7, 15000), (await cronium.getVariable("pieces")) === long + texts[3] + long];
					}`;
				expect(await returnedBy(source, { input: JSON.stringify(texts) })).toEqual([texts, true, true]);
			});

			it("carries texts of 1 and of 15 MiB within the memory limit", async () => {
				const limits = { maxInputBytes: 16 * MiB, maxOutputBytes: 16 * MiB, maxMemoryBytes: 256 * MiB };
				for (const length of [MiB - 2, 15 * MiB]) {
					const input = JSON.stringify("€".repeat(Math.floor(length / 3)));
					expect((await run("export default (text) => text", { input, limits })).returned).toBe(input);
				}
			});

			it("does not let a lone surrogate change the text around it", async () => {
				expect((await run("console.log('a\\ud800b', 'ü\\udc00'.length)")).failure).toBeUndefined();
				expect(runner.printed).toMatch(/^a(\ud800|\ufffd|\\uD800)b 2\n$/u);
			});
		});

		describe("errors", () => {
			it("tells name, message and the script's own frames of what was thrown", async () => {
				const source =
					"function total(order) {\n\tthrow new TypeError('no lines: ' + order);\n}\nexport default () => total({});\n";
				const { failure } = await run(source);
				expect(failure).toMatchObject({ code: "script-error", name: "TypeError" });
				expect(failure?.message).toBe("no lines: [object Object]");
				expect(failure?.stack).toMatch(/^at total \(orders\.ts:2:\d+\)\nat (default|<anonymous>|orders)/);
				expect(failure?.stack).not.toMatch(/cronium:|node:|file:|\/work|wasm/);
			});

			it("tells where the source does not parse", async () => {
				const { failure } = await run("const ok = 1;\nlet broken = ;\n");
				expect(failure?.code).toBe("syntax-error");
				expect(failure?.message).toMatch(/^orders\.ts:2:\d+: .*unexpected token/);
			});

			it("takes a SyntaxError thrown at run time for an error of the script", async () => {
				expect((await run("JSON.parse('{')")).failure).toMatchObject({ code: "script-error", name: "SyntaxError" });
			});

			it.each([
				["a thrown text", "throw 'no orders'", "no orders"],
				["thrown null", "throw null", "null"],
				[
					"an object whose getters throw",
					"throw { get message() { throw 1 }, get name() { throw 2 }, toString() { throw 3 } }",
					"thrown",
				],
				["a revoked proxy", "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy", "thrown"],
			])("describes %s", async (_title, source, message) => {
				const { failure } = await run(source);
				expect(failure?.code).toBe("script-error");
				expect(failure?.message).toContain(message);
			});

			it("keeps the code of a RuntimeError", async () => {
				const { failure } = await run("await cronium.getVariable('')");
				expect(failure).toMatchObject({ code: "script-error", name: "RuntimeError", errorCode: "invalid" });
			});

			it("fails when nobody handles a rejected promise", async () => {
				const { failure } = await run("Promise.reject(new RangeError('unseen')); await null; export default () => 1");
				expect(failure).toMatchObject({ code: "script-error", name: "RangeError", message: "unseen" });
			});

			it("does not mind a rejection that is handled later", async () => {
				const source =
					"const later = Promise.reject(new Error('seen')); await null; export default () => later.catch((error) => error.message)";
				expect(await returnedBy(source)).toBe("seen");
			});

			it("survives more unhandled rejections than it keeps", async () => {
				const { failure } = await run("for (let i = 0; i < 20000; i++) Promise.reject(i)");
				expect(failure).toMatchObject({ code: "script-error", message: expect.stringContaining("0") });
			});

			it("notices that nothing can settle the promise it waits for", async () => {
				expect((await run("await new Promise(() => {})")).failure?.code).toBe("never-settled");
				expect((await run("export default () => new Promise(() => {})")).failure?.code).toBe("never-settled");
			});

			it("refuses a value that is not JSON", async () => {
				expect((await run("export default () => 10n")).failure).toMatchObject({
					code: "invalid-output",
					message: expect.stringContaining("BigInt"),
				});
			});
		});

		describe("imports", () => {
			it.each([
				["a module of Node.js", 'import "node:fs"', "node:fs", "container mode"],
				["a bare module of Node.js", 'import { readFile } from "fs/promises"', "fs/promises", "container mode"],
				["a file", 'import total from "./total.ts"', "./total.ts", "bundled"],
				["a package, dynamically", 'await import("lodash")', "lodash", "bundled"],
				["the inside of the sandbox", 'import "cronium:module"', "cronium:module", "only the module"],
				["the script itself", 'import "orders.ts"', "orders.ts", "only the module"],
			])("refuses %s", async (_title, source, specifier, advice) => {
				const { failure } = await run(source);
				expect(failure?.code).toBe("import-error");
				expect(failure?.message).toContain(JSON.stringify(specifier));
				expect(failure?.message).toContain(advice);
			});

			it("lets a script catch a refused dynamic import", async () => {
				expect(await returnedBy('export default () => import("node:os").catch(() => "without")')).toBe("without");
			});

			it("tells nothing of the host in import.meta", async () => {
				expect(await returnedBy("export default () => JSON.stringify({ ...import.meta })")).not.toMatch(/file:|\/work/);
			});
		});

		describe("limits", () => {
			it("stops loops, promise chains and regular expressions at the deadline", async () => {
				const sources = [
					"for (;;);",
					"try { for (;;); } finally { for (;;); }",
					"for (;;) try { for (;;); } catch {}",
					"const f = () => Promise.resolve().then(f); await f();",
					"/(a+)+$/.test('a'.repeat(40) + 'b')",
					"Array.from({ length: 1e4 }, (_, i) => i).sort(() => { for (;;); })",
				];
				for (const source of sources) {
					const { failure } = await run(source, { limits: { maxWallTimeMs: 60 } });
					expect(failure).toMatchObject({
						code: "wall-time-exceeded",
						limit: { name: "maxWallTimeMs", value: 60, unit: "milliseconds" },
					});
				}
				await expectNextRunToWork();
			});

			it("stops a script that waits at the deadline", async () => {
				const { failure } = await run("await new Promise((resolve) => setTimeout(resolve, 60000))", {
					limits: { maxWallTimeMs: 40 },
				});
				expect(failure?.code).toBe("wall-time-exceeded");
			});

			it("stops a script that computes too much", async () => {
				const { failure } = await run("for (;;);", { limits: { maxCpuTimeMs: 60 } });
				expect(failure).toMatchObject({ code: "cpu-time-exceeded", limit: { name: "maxCpuTimeMs", value: 60 } });
			});

			it("does not count waiting as processor time", async () => {
				const source = "await new Promise((resolve) => setTimeout(resolve, 120)); export default () => 'done'";
				expect(await returnedBy(source, { limits: { maxCpuTimeMs: 100 } })).toBe("done");
			});

			it("stops at once when the shared cell says so", async () => {
				const stop = new Int32Array(1);
				const source = "for (;;);";
				stop[0] = 1;
				expect((await run(source, { stop })).failure?.code).toBe("cancelled");
				stop[0] = 2;
				expect((await run(source, { stop })).failure?.code).toBe("wall-time-exceeded");
			});

			it("is cancelled while it waits", async () => {
				const abort = new AbortController();
				setTimeout(() => abort.abort(new Error("cancelled")), 20);
				const { failure } = await run("await new Promise((resolve) => setTimeout(resolve, 60000))", { signal: abort.signal });
				expect(failure?.code).toBe("cancelled");
				await expectNextRunToWork();
			});

			it.each([
				["texts", "const kept = []; for (;;) kept.push('x'.repeat(1e6) + kept.length)"],
				["one text", "let text = 'x'; for (;;) text = (text + text).toUpperCase()"],
				["buffers", "const kept = []; for (;;) kept.push(new ArrayBuffer(1e6))"],
				["objects", "let kept; for (;;) kept = { kept, more: [1, 2, 3] }"],
				[
					"closures that never end",
					"const f = (n) => () => f(n + 1); let g = f(0); const all = []; for (;;) all.push((g = g()))",
				],
				["a map", "const map = new Map(); for (let i = 0; ; i++) map.set({}, i)"],
			])("stops a script whose %s outgrow its memory", async (_title, source) => {
				const { failure, usage } = await run(source, { limits: small });
				expect(failure).toMatchObject({
					code: "memory-exceeded",
					limit: { name: "maxMemoryBytes", value: small.maxMemoryBytes },
				});
				expect(usage.memoryBytes).toBeLessThanOrEqual(small.maxMemoryBytes);
				await expectNextRunToWork();
			});

			it("lets a script go on after one allocation that was too large", async () => {
				const source =
					"export default () => { try { return new ArrayBuffer(1e9).byteLength } catch (error) { return error.message } }";
				expect(await returnedBy(source)).toBe("out of memory");
			});

			it("does not keep the memory of a script that used much", async () => {
				const { usage } = await run("const kept = []; for (let i = 0; i < 20; i++) kept.push(new Uint8Array(1e6).fill(1))");
				expect(usage.memoryBytes).toBeGreaterThan(20e6);
				expect((await run("1")).usage.memoryBytes).toBeLessThan(12e6);
			});

			it.each([
				["calls", "(function f() { f() })()"],
				["getters", "const o = { get x() { return this.x } }; o.x"],
				["constructors", "class A { constructor() { new A() } } new A()"],
				["toJSON", "const o = { toJSON() { return JSON.stringify(o) } }; JSON.stringify(o)"],
				["callbacks of built-in functions", "const f = () => [2, 1].sort(f); f()"],
				["replacers", "const f = () => 'a'.replace(/a/, f); f()"],
				["async functions", "async function f() { await f() } await f()"],
			])("stops endless recursion of %s", async (_title, source) => {
				const { failure } = await run(source);
				expect(failure).toMatchObject({ code: "stack-exceeded", limit: { name: "maxStackBytes" } });
				await expectNextRunToWork();
			});

			const deep = "const deep = () => deep() + 1;";
			it.each([
				["a timer", `${deep} setTimeout(deep, 0); await new Promise((resolve) => setTimeout(resolve, 1000))`],
				["a microtask", `${deep} queueMicrotask(deep); await new Promise((resolve) => setTimeout(resolve, 1000))`],
				["the returned value", `${deep} export default () => ({ toJSON: deep })`],
				["a getter of the returned value", `${deep} export default () => ({ get value() { return deep() } })`],
			])("names the limit of the stack for recursion in %s", async (_title, source) => {
				const { failure } = await run(source);
				expect(failure).toMatchObject({ code: "stack-exceeded", limit: { name: "maxStackBytes" } });
				await expectNextRunToWork();
			});

			const hungry = "const hungry = () => { const kept = []; for (;;) kept.push(new ArrayBuffer(1e6)) };";
			it.each([
				["a timer", `${hungry} setTimeout(hungry, 0); await new Promise((resolve) => setTimeout(resolve, 1000))`],
				["the returned value", `${hungry} export default () => ({ toJSON: hungry })`],
			])("names the limit of the memory for a bomb in %s", async (_title, source) => {
				const { failure } = await run(source, { limits: small });
				expect(failure).toMatchObject({ code: "memory-exceeded", limit: { name: "maxMemoryBytes" } });
				await expectNextRunToWork();
			});

			it("tells name, code and frames of what was thrown in a timer", async () => {
				const source = `setTimeout(function tick() { const error = new RangeError("late"); throw error; }, 0);
					await new Promise((resolve) => setTimeout(resolve, 1000));`;
				const { failure } = await run(source);
				expect(failure).toMatchObject({ code: "script-error", name: "RangeError", message: "late" });
				expect(failure?.stack).toMatch(/^at tick \(orders\.ts:1:\d+\)$/);
			});

			it("lets a script catch an overflow of its stack", async () => {
				const source =
					"function f() { f() } export default () => { try { f() } catch (error) { return error instanceof Error } }";
				expect(await returnedBy(source)).toBe(true);
			});

			it.each([
				["a deep JSON text", "JSON.parse('['.repeat(100000))"],
				["a deep value as JSON", "let o = []; for (let i = 0; i < 100000; i++) o = [o]; JSON.stringify(o)"],
				["a deep value as text", "let o = []; for (let i = 0; i < 100000; i++) o = [o]; String(o)"],
				["a chain of proxies", "let p = {}; for (let i = 0; i < 20000; i++) p = new Proxy(p, {}); p.x"],
				["a deep source", "eval('('.repeat(100000))"],
				["a deep pattern", "new RegExp('(?:'.repeat(100000) + ')'.repeat(100000))"],
			])("comes through %s", async (_title, source) => {
				const { failure } = await run(source);
				expect(["stack-exceeded", "script-error"]).toContain(failure?.code);
				await expectNextRunToWork();
			});

			it("names the limit of host calls and cannot be kept going", async () => {
				const source = "for (;;) try { await cronium.getVariable('a') } catch {}";
				const { failure, usage } = await run(source, { limits: { maxHostCalls: 10 } });
				expect(failure).toMatchObject({ code: "host-calls-exceeded", limit: { name: "maxHostCalls", value: 10 } });
				expect(usage.hostCalls).toBe(10);
				await expectNextRunToWork();
			});

			it("names the limit of pending calls", async () => {
				const { failure } = await run("for (;;) setTimeout(() => {}, 60000)", { limits: { maxPendingCalls: 5 } });
				expect(failure).toMatchObject({ code: "pending-calls-exceeded", limit: { name: "maxPendingCalls", value: 5 } });
			});

			it("does not hold more for calls that are not awaited than it may", async () => {
				const source = "const text = 'x'.repeat(100_000); for (let i = 0; ; i++) cronium.setVariable('k' + i, text);";
				const { failure, usage } = await run(source, { limits: { maxPendingBytes: 1_000_000 } });
				expect(failure).toMatchObject({
					code: "pending-calls-exceeded",
					limit: { name: "maxPendingBytes", value: 1_000_000, unit: "bytes" },
				});
				expect(usage.hostCalls).toBe(10);
				await expectNextRunToWork();
			});

			it("names the limit of the output", async () => {
				const { failure } = await run("export default () => 'x'.repeat(2000)", { limits: { maxOutputBytes: 1000 } });
				expect(failure).toMatchObject({ code: "output-exceeded", limit: { name: "maxOutputBytes", value: 1000 } });
			});

			it("runs in the least memory that a run may be given", async () => {
				expect(await returnedBy("export default () => 1", { limits: { maxMemoryBytes: 8 * MiB } })).toBe(1);
			});
		});

		describe("isolation", () => {
			it("starts every run in the same state, whatever the last one did", async () => {
				const spoil = `
					globalThis.left = "secret";
					Array.prototype.left = "secret";
					Object.prototype.toJSON = () => "secret";
					Promise.prototype.then = () => "secret";
					JSON.parse = JSON.stringify = () => "secret";
					Math.random = () => 4;
					for (const key of Object.keys(globalThis)) try { globalThis[key] = "secret" } catch {}`;
				await run(spoil);
				await expectNextRunToWork();
				expect(await returnedBy("export default () => [typeof {}.toJSON, Math.random() < 1, JSON.parse('1')]")).toEqual([
					"undefined",
					true,
					1,
				]);
			});

			it("uses instances again, and drops those that grew, were stopped or left calls open", async () => {
				const before = { ...runner.engine.statistics };
				await run("1");
				await run("2");
				const recycled = runner.engine.statistics;
				expect(recycled.recycled - before.recycled).toBe(2);
				await run("const kept = new ArrayBuffer(20e6)");
				await run("for (;;);", { limits: { maxWallTimeMs: 20 } });
				await run("cronium.getVariable('late/open')");
				expect(runner.engine.statistics.dropped - recycled.dropped).toBe(3);
				runner.releaseLateAnswers();
			});

			it("leaves nothing of a script's texts in the memory of the next run", async () => {
				const secret = `secret-${Math.random()}`;
				await run(`globalThis.kept = Array.from({ length: 100 }, (_, i) => ${JSON.stringify(secret)} + i)`);
				const next = await run(`const found = []; const pieces = [];
					for (let i = 0; i < 200; i++) { const bytes = new Uint8Array(2048); pieces.push(bytes); if (bytes.some((byte) => byte !== 0)) found.push(i); }
					export default () => found.length`);
				expect(next.returned).toBe("0");
			});

			it("never gives the answers of 50 abandoned reads to a later run", async () => {
				await run("for (let i = 0; i < 50; i++) cronium.getVariable('late/' + i)");
				expect(runner.lateReads).toBe(50);
				const second = run(`
					const seen = [];
					const own = Array.from({ length: 3 }, (_, i) => cronium.getVariable("late/own-" + i).then((value) => seen.push(value)));
					await new Promise((resolve) => setTimeout(resolve, 20));
					const early = [...seen];
					export default () => early`);
				while (runner.lateReads < 53) await new Promise((resolve) => setTimeout(resolve, 1));
				runner.releaseLateAnswers();
				expect(JSON.parse((await second).returned as string)).toEqual([
					"answer to late/own-0",
					"answer to late/own-1",
					"answer to late/own-2",
				]);
			});

			it("gives every run other random numbers", async () => {
				const seen = new Set<unknown>();
				for (let index = 0; index < 5; index++) seen.add(await returnedBy("export default () => Math.random()"));
				expect(seen.size).toBe(5);
			});

			it("shows the time of now, in whole milliseconds and in UTC", async () => {
				const before = Date.now();
				const [now, offset] = (await returnedBy(
					"export default () => [Date.now(), new Date(2026, 6, 1).getTimezoneOffset()]",
				)) as [number, number];
				expect(now).toBeGreaterThanOrEqual(before);
				expect(now).toBeLessThanOrEqual(Date.now());
				expect(Number.isInteger(now)).toBe(true);
				expect(offset).toBe(0);
			});

			it("leaves no way to the host function and the hooks", async () => {
				expect(await returnedBy("export default () => [typeof __host, typeof __hooks, '__host' in globalThis]")).toEqual([
					"undefined",
					"undefined",
					false,
				]);
			});

			it("keeps a script that patches promises from disturbing its own end", async () => {
				const source =
					"Promise.prototype.then = () => { throw 1 }; Promise.resolve = null; export default async () => { await null; return 'fine' }";
				expect(await returnedBy(source)).toBe("fine");
			});
		});

		it("starts from what another thread has prepared", async () => {
			const { module, image, ...rest } = runner.engine.prepared;
			using second = await createScriptRunner(name, { prepared: { ...rest, module, image: structuredClone(image) } });
			expect((await second.run("export default () => 'again'")).returned).toBe('"again"');
		});

		it("runs one script at a time and none after it was disposed", async () => {
			const second = await createScriptRunner(name, { prepared: runner.engine.prepared });
			const first = second.run("await new Promise((resolve) => setTimeout(resolve, 5))");
			await expect(second.run("1")).rejects.toThrow("one script at a time");
			expect((await first).failure).toBeUndefined();
			second[Symbol.dispose]();
			await expect(second.run("1")).rejects.toThrow("disposed");
			expect(second.engine.statistics.idle).toBe(0);
		});
	});
}
