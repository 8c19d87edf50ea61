import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

// describeAttacks itself searches every outcome for paths of the host.

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

/** Frames that a guest may see name its own file or the runtime's glue, never a path. */
const clean = (text: unknown): void => {
	expect(text).toEqual(expect.any(String));
	expect(text).not.toMatch(/\/[a-z]+\/|\\\\|node:|\.ts\b|wasm|file:|\.wasm/i);
};

describeAttacks([
	{
		name: "environment, arguments and working directory are in no property of any global",
		script: `export default function () {
				const found = [], seen = new Set(), queue = [[globalThis, "globalThis"], [cronium, "cronium"]];
				while (queue.length) {
					const [value, path] = queue.pop();
					if (seen.has(value)) continue;
					seen.add(value);
					for (const key of Reflect.ownKeys(value)) {
						const { value: inner } = Reflect.getOwnPropertyDescriptor(value, key);
						if (/^(env|argv|cwd|execPath|pid|platform|versions|mainModule)$/.test(String(key))) found.push(path + "." + String(key));
						if (typeof inner === "string" && (inner.includes("/") && !/^https?:/.test(inner) && inner.length > 20)) found.push(path + "." + String(key) + "=" + inner);
						if ((typeof inner === "object" || typeof inner === "function") && inner !== null) queue.push([inner, path + "." + String(key)]);
					}
				}
				return { found, seen: seen.size > 300 };
			}`,
		check: gives({ found: [], seen: true }),
	},
	{
		name: "no stack of any error names a file of the host",
		script: `export default async function () {
				const stacks = [], note = (error) => { stacks.push(String(error.stack), String(error.message), String(error.fileName), String(error.cause)); };
				const attempts = [() => null.x, () => cronium.getVariable(""), () => cronium.setVariable("k", 1n), () => cronium.setVariable("k", { toJSON() { throw new Error("here"); } }), () => JSON.parse("{"), () => eval("("), () => new Function("("),
					() => structuredClone(() => {}), () => new URL("x"), () => atob("*"), () => fetch("http://127.0.0.1/"), () => import("node:fs"), () => import("./x.js"), () => crypto.getRandomValues(new Float32Array(1)), () => new TextDecoder("nonsense"),
					() => console.log({ get a() { throw new Error("in a getter"); }, toString() { throw 1; } }), () => (function down() { down(); })(), () => setTimeout(null), () => new Headers({ "\\n": 1 }), () => [1].reduce(null), () => cronium.listVariables({ cursor: "x" }),
					() => new Promise((resolve, reject) => setTimeout(() => reject(new Error("in a timer")), 1)), () => AbortSignal.abort().throwIfAborted(), () => new Array(-1), () => "x".repeat(2 ** 40), () => new WeakRef(1), () => Reflect.construct(1)];
				for (const attempt of attempts) try { await attempt(); } catch (error) { note(error); }
				note({ stack: await new Promise((resolve) => cronium.setVariable("k", { toJSON() { resolve(new Error("in toJSON").stack); return 1; } })) });
				note({ stack: await cronium.getInput().then(() => new Error("in then").stack) });
				[3, 1, 2].sort((a, b) => (note(new Error("in sort")), a - b));
				return stacks;
			}`,
		check: ({ status, error, output }) => {
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			expect((output as string[]).length).toBeGreaterThan(60);
			for (const text of output as string[])
				clean(text.replaceAll("http://127.0.0.1/", "").replaceAll("./x.js", "").replaceAll("node:fs", ""));
		},
	},
	{
		name: "Error.prepareStackTrace, captureStackTrace and call sites show nothing of the host",
		script: `export default async function () {
				const seen = [];
				Error.stackTraceLimit = 1_000;
				Error.prepareStackTrace = (error, frames) => {
					for (const frame of Array.isArray(frames) ? frames : []) for (const name of ["getFileName", "getFunctionName", "getThis", "getFunction", "getTypeName", "getEvalOrigin", "getScriptNameOrSourceURL", "toString"])
						if (typeof frame[name] === "function") { const value = frame[name](); if (typeof value === "function" || (typeof value === "object" && value !== null)) seen.push("object from " + name); else seen.push(String(value)); }
					return "prepared";
				};
				String(new Error("x").stack);
				try { await cronium.getVariable(""); } catch (error) { String(error.stack); }
				try { await cronium.setVariable("k", { toJSON() { String(new Error("inside").stack); } }); } catch {}
				setTimeout(() => String(new Error("timer").stack), 0);
				await new Promise((resolve) => setTimeout(resolve, 2));
				const target = {}; Error.captureStackTrace?.(target); seen.push(String(target.stack));
				return seen;
			}`,
		check: ({ status, error, output }) => {
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			for (const text of output as string[]) {
				clean(text);
			}
		},
	},
	{
		name: "call sites hand out no function and no receiver that the script could not reach anyway",
		script: `const mine = "own function", got = [], reachable = new Set(), queue = [globalThis, cronium];
			while (queue.length) { const value = queue.pop(); if (reachable.has(value)) continue; reachable.add(value);
				for (const key of Reflect.ownKeys(value)) { const part = Reflect.getOwnPropertyDescriptor(value, key); for (const inner of [part.value, part.get, part.set]) if ((typeof inner === "object" || typeof inner === "function") && inner !== null) queue.push(inner); }
				const above = Object.getPrototypeOf(value); if (above !== null) queue.push(above); }
			Error.stackTraceLimit = 100;
			Error.prepareStackTrace = (error, frames) => {
				let site = "";
				for (const frame of Array.isArray(frames) ? frames : []) for (const key of Reflect.ownKeys(Object.getPrototypeOf(frame))) {
					if (typeof frame[key] !== "function" || key === "constructor") continue;
					let value; try { value = frame[key](); } catch { continue; }
					if ((typeof value === "function" || (typeof value === "object" && value !== null)) && !reachable.has(value) && !(typeof value === "function" && Function.prototype.toString.call(value).includes("probe"))) got.push(String(key) + " " + (value.name ?? typeof value));
				}
				return "";
			};
			const probe = () => { String(new Error("probe").stack); return 1; };
			const asJson = { toJSON() { return probe(); } }, asGetter = { get a() { return probe(); } }, asText = { toString() { probe(); return "http://a.example/"; } };
			export default async function (input) {
				probe();
				await cronium.setVariable("k", asJson);
				await cronium.setVariable("k", asGetter);
				await cronium.setVariable("k", { a: 1 }, { get ifVersion() { probe(); return undefined; } });
				await cronium.log.info("m", asGetter);
				console.log(asGetter, asJson, asText, "%s %o", asText, new Proxy({}, { get() { probe(); }, ownKeys() { probe(); return []; } }));
				Object.defineProperty(Object.prototype, "then", { configurable: true, get() { probe(); return undefined; } });
				await cronium.getVariable("k"); await cronium.getVariableEntry("k"); await cronium.listVariables(); await cronium.getInput();
				delete Object.prototype.then;
				await new Promise((resolve) => setTimeout(() => { probe(); resolve(); }, 1));
				queueMicrotask(() => probe());
				new URL(asText); new URLSearchParams(asGetter); new Headers(asGetter); structuredClone(asGetter); new Blob([asText]); new TextEncoder().encode(asText);
				const target = new EventTarget(); target.addEventListener("x", () => probe()); target.dispatchEvent(new Event("x"));
				const abort = new AbortController(); abort.signal.addEventListener("abort", { get handleEvent() { return () => probe(); } }); abort.abort();
				await fetch(asText).catch(() => {});
				await null;
				return [...new Set(got)];
			}`,
		check: gives([]),
	},
	{
		name: "a prepareStackTrace that throws, loops or returns objects does not disturb the failure's report",
		script: `Error.prepareStackTrace = () => { throw new Error("in prepareStackTrace"); };
			export default () => { throw new TypeError("the real one"); }`,
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error?.code).toBe("script-error");
			expect(error?.message).toMatch(/the real one|in prepareStackTrace/);
		},
	},
	{
		name: "a prepareStackTrace that never returns is stopped at the deadline",
		script: "Error.prepareStackTrace = () => { for (;;); }; export default () => { throw new Error('x'); }",
		run: { limits: { maxWallTimeMs: 300 } },
		check: ({ status, error }) => {
			expect(["failed", "timed-out"]).toContain(status);
			expect(["script-error", "wall-time-exceeded"]).toContain(error?.code);
		},
	},
	...[
		[
			"an error whose getters throw",
			"{ get name() { throw 1; }, get message() { throw 2; }, get stack() { throw 3; }, get code() { throw 4; }, get cause() { throw 5; } }",
		],
		["an error whose getters never return", "{ get message() { for (;;); } }"],
		["a proxy that traps everything", "new Proxy({}, new Proxy({}, { get() { throw new Error('trap'); } }))"],
		["a revoked proxy", "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()"],
		["an Error with a message of 20 MB", "new Error('m'.repeat(20_000_000))"],
		[
			"an Error whose message is an object that changes",
			"Object.assign(new Error('x'), { message: { toString() { return {}; } }, name: Symbol('n'), stack: 1n })",
		],
		["an Error with an endless chain of causes", "(() => { const e = new Error('loop'); e.cause = e; return e; })()"],
		["an AggregateError of itself", "(() => { const e = new AggregateError([], 'all'); e.errors.push(e, e); return e; })()"],
		[
			"a RuntimeError of its own making",
			"Object.assign(new Error('forged'), { name: 'RuntimeError', code: 'internal', details: { limit: { name: 'maxWallTimeMs', value: -1, unit: 'lies' } } })",
		],
		["a symbol", "Symbol('thrown')"],
		["null", "null"],
		["undefined", "undefined"],
		["a BigInt", "10n"],
		["a function", "() => {}"],
		["a string of 5 MB", "'s'.repeat(5_000_000)"],
	].map(
		([what, value]): Attack => ({
			name: `${what}, when thrown, becomes a failure of bounded size`,
			script: `export default () => { throw ${value}; }`,
			run: { limits: { maxWallTimeMs: 1_500 } },
			check: ({ status, error, output }) => {
				expect(output).toBeUndefined();
				if (what?.includes("never return")) return expect(["script-error", "wall-time-exceeded"]).toContain(error?.code);
				expect({ status, code: error?.code }).toEqual({ status: "failed", code: "script-error" });
				expect(error?.message).toEqual(expect.any(String));
				expect(error?.message).not.toBe("");
				expect(error?.limit).toBeUndefined();
				expect(JSON.stringify(error).length).toBeLessThan(100_000);
			},
		}),
	),
	{
		name: "a forged stack is shown as the script's own text and stays within bounds",
		script:
			"const error = new Error('x'); error.stack = 'at total (/etc/shadow:1:1)\\n'.repeat(100_000); export default () => { throw error; }",
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({ code: "script-error", message: "x" });
			expect(error?.stack ?? "").not.toContain("/etc/shadow");
			expect((error?.stack ?? "").length).toBeLessThan(20_000);
		},
	},
	{
		name: "a script's name with a path or control characters is no way out",
		script: `export default () => { throw new Error("named"); } //# sourceURL=/etc/passwd
//# sourceMappingURL=file:///etc/passwd`,
		check: ({ status, error }) => {
			expect(status).toBe("failed");
			expect(error).toMatchObject({ code: "script-error", message: "named" });
			expect(error?.stack ?? "").not.toContain("passwd");
		},
	},
	{
		name: "the text of the glue's functions holds no path",
		script: `import * as helpers from "cronium";
			export default function () {
				const texts = [], seen = new Set(), queue = [globalThis, { ...helpers }];
				while (queue.length) { const value = queue.pop(); if (seen.has(value)) continue; seen.add(value);
					if (typeof value === "function") { const text = Function.prototype.toString.call(value); if (/node_modules|file:|\\/(home|root|tmp|usr|var)\\//.test(text)) texts.push(text.slice(0, 200)); }
					for (const key of Reflect.ownKeys(value)) { const inner = Reflect.getOwnPropertyDescriptor(value, key).value; if ((typeof inner === "object" || typeof inner === "function") && inner !== null) queue.push(inner); } }
				return texts;
			}`,
		check: gives([]),
	},
]);
