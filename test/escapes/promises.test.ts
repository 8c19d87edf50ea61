import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

describeAttacks([
	{
		name: "the resolvers that a returned thenable is given are the guest's own",
		script: `export default () => ({ then(resolve, reject) {
			const seen = [resolve, reject].map((f) => f.constructor.constructor("return typeof process")() + (f.constructor === Function) + typeof f.name);
			resolve(seen);
		} });`,
		check: ({ status, output, error }) => {
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			for (const seen of output as string[]) expect(seen).toMatch(/^undefinedtrue/);
		},
	},
	{
		name: "a thenable that settles many times counts once",
		script: `export default () => ({ then(resolve, reject) { resolve("first"); reject(new Error("second")); resolve("third"); throw new Error("fourth"); } });`,
		check: gives("first"),
	},
	{
		name: "a thenable whose then is a getter is read once and its later faces are ignored",
		script: `let reads = 0;
			export default () => ({ get then() { reads++; return reads === 1 ? (resolve) => resolve({ reads }) : (resolve) => resolve("another face"); } });`,
		check: gives({ reads: 1 }),
	},
	{
		name: "a thenable that throws from its getter is a failure of the script",
		script: `export default () => ({ get then() { throw new RangeError("no then for you"); } });`,
		check: ({ status, error, output }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({
				code: "script-error",
				name: "RangeError",
				message: expect.stringContaining("no then for you"),
			});
			expect(output).toBeUndefined();
		},
	},
	{
		name: "a thenable that never settles is found out, not waited for",
		script: "export default () => ({ then() {} });",
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({ code: "never-settled" });
		},
	},
	{
		name: "an endless chain of thenables ends at the deadline",
		script: "const next = () => ({ then(resolve) { resolve(next()); } }); export default next;",
		run: { limits: { maxWallTimeMs: 300 } },
		check: ({ status, error }) => {
			expect(status).toBe("timed-out");
			expect(error).toMatchObject({
				code: "wall-time-exceeded",
				limit: { name: "maxWallTimeMs", value: 300, unit: "milliseconds" },
			});
		},
	},
	{
		name: "a promise resolved with itself is a failure of the script",
		script:
			"let settle; const promise = new Promise((resolve) => { settle = resolve; }); export default () => { settle(promise); return promise; };",
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({ code: "script-error", name: "TypeError" });
		},
	},
	{
		// As with import() anywhere, an engine may take such a module for a promise: the script deceives itself, and nobody else.
		name: "a module that exports then reaches nothing but its own output",
		script: `export function then(resolve) { resolve({ default: () => "forged" }); }
			export default () => "genuine";`,
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			expect(["genuine", "forged"]).toContain(output);
		},
	},
	{
		name: "Promise.prototype.then replaced sees no function of the host and breaks no helper",
		script: `const original = Promise.prototype.then, stolen = [];
			export default async function () {
				Promise.prototype.then = function (...handlers) { stolen.push(this, ...handlers); return Reflect.apply(original, this, handlers); };
				await cronium.setVariable("k", 1);
				const value = await cronium.getVariable("k");
				const chained = await new Promise((resolve) => cronium.getInput().then((input) => resolve(input)));
				Promise.prototype.then = original;
				const answers = [];
				for (const thing of stolen) if (typeof thing === "function") try {
					const answer = thing(0, "[]");
					if (typeof answer === "string" || typeof answer === "number") answers.push(answer);
				} catch {}
				return { value, chained, answers };
			}`,
		run: { input: "7" },
		check: gives({ value: 1, chained: 7, answers: [] }),
	},
	{
		name: "Promise, its species, resolve and constructor replaced break no helper",
		script: `const Original = Promise;
			export default async function () {
				class Evil extends Original { constructor(executor) { super((resolve) => { executor(resolve, resolve); resolve("evil"); }); } }
				Object.defineProperty(Original, Symbol.species, { value: Evil, configurable: true });
				Original.resolve = () => new Evil(() => {});
				Original.prototype.constructor = Evil;
				globalThis.Promise = Evil;
				const version = cronium.setVariable("k", [1]);
				await version;
				const values = [await cronium.getVariable("k"), await cronium.getInput()];
				values.push(await new Original((resolve) => setTimeout(() => resolve("timer"), 1)));
				return values;
			}`,
		run: { input: "null" },
		check: gives([[1], null, "timer"]),
	},
	{
		name: "a subclass of Promise with a hostile executor can be returned",
		script: `class Evil extends Promise {
				static get [Symbol.species]() { return function (executor) { executor(() => {}, () => {}); }; }
				then(resolve, reject) { return super.then((value) => resolve({ value, through: "evil" }), reject); }
			}
			export default () => Evil.resolve("x");`,
		check: ({ status, output, error }) => {
			// Both a plain await and one through the subclass's then are correct; that it ends is what counts.
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			expect(["x", { value: "x", through: "evil" }]).toContainEqual(output);
		},
	},
	{
		name: "handlers that throw while the host settles a call hurt only themselves",
		script: `export default async function () {
				for (let i = 0; i < 20; i++) cronium.getVariable("k" + i).then(() => { throw new Error("thrown in a handler"); }).catch(() => {});
				for (let i = 0; i < 20; i++) cronium.setVariable("k" + i, i).then(() => { throw { get message() { throw 1; } }; }).catch(() => {});
				await cronium.setVariable("last", 1);
				return await cronium.getVariable("k19");
			}`,
		check: gives(19),
	},
	{
		name: "recursion to the end of the stack while the host settles a call is the script's own error",
		script: `const down = () => down() + 1;
			export default async function () {
				const names = [];
				for (let i = 0; i < 5; i++) await cronium.setVariable("k", i).then(down).catch((error) => names.push(error.name));
				return { names: new Set(names).size, value: await cronium.getVariable("k") };
			}`,
		check: gives({ names: 1, value: 4 }),
	},
	{
		name: "the default export as a proxy, a bound function, a class or an async generator is called like any other",
		script: `const traps = new Proxy(() => "never", { apply: (target, self, list) => ({ self: self === undefined, list }) });
			export default traps.bind({ bound: true });`,
		run: { input: '{"a":1}' },
		check: gives({ self: false, list: [{ a: 1 }] }),
	},
	{
		name: "a class as default export fails with a message and no host stack",
		script: "export default class Orders {}",
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({ code: "script-error", name: "TypeError" });
		},
	},
	{
		name: "an async generator that never ends is stopped at the deadline, its finally included",
		script: `async function* endless() { try { for (;;) yield 1; } finally { for (;;); } }
			export default async function () { for await (const one of endless()) if (one === 2) return; }`,
		run: { limits: { maxWallTimeMs: 300 } },
		check: ({ status, error }) => {
			expect(status).toBe("timed-out");
			expect(error).toMatchObject({ code: "wall-time-exceeded" });
		},
	},
	{
		name: "finally and catch cannot hold off a deadline",
		script: `function hold() { try { for (;;); } catch { hold(); } finally { hold(); } } export default hold;`,
		run: { limits: { maxWallTimeMs: 300 } },
		check: ({ status, error }) => {
			expect(status).toBe("timed-out");
			expect(error).toMatchObject({ code: "wall-time-exceeded" });
		},
	},
]);
