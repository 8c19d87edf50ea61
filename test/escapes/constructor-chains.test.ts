import { expect } from "vitest";
import { type Attack, describeAttacks, realmWalk } from "./arena.ts";

/** Nothing the script can reach leads to another realm, and enough was visited for that to mean something. */
const staysInside =
	(atLeast: number): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
		const { strangers, visited } = output as { strangers: string[]; visited: number };
		expect(strangers).toEqual([]);
		expect(visited).toBeGreaterThan(atLeast);
	};

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

describeAttacks([
	{
		name: "everything reachable from globalThis belongs to the guest's realm",
		script: `${realmWalk}; export default () => findStrangers({ globalThis });`,
		check: staysInside(500),
	},
	{
		name: "everything reachable from the module cronium belongs to the guest's realm",
		script: `import * as namespace from "cronium"; import standard from "cronium"; ${realmWalk};
			export default () => findStrangers({ ...namespace, standard, global: cronium });`,
		check: staysInside(20),
	},
	{
		name: "every error that a helper throws belongs to the guest's realm",
		script: `import * as cronium from "cronium"; ${realmWalk};
			export default async function () {
				const errors = {};
				for (const [name, helper] of Object.entries(cronium)) {
					if (typeof helper !== "function") continue;
					for (const [index, list] of [[], [""], ["\\u0000", 1], [{}, {}], ["k".repeat(300), 1], ["k", () => {}], ["k", 1n], [Symbol()]].entries()) {
						try { await helper(...list); } catch (error) { errors[name + index] = error; }
					}
				}
				return { ...findStrangers(errors), errors: Object.keys(errors).length };
			}`,
		check: (outcome, host) => {
			expect((outcome.output as { errors: number }).errors).toBeGreaterThan(20);
			return staysInside(20)(outcome, host);
		},
	},
	{
		name: "every value and promise that a helper gives belongs to the guest's realm",
		script: `import * as cronium from "cronium"; ${realmWalk};
			export default async function (input) {
				const values = { input, again: await cronium.getInput(), context: await cronium.getEventContext() };
				values.version = await cronium.setVariable("k", { a: [1] });
				values.entry = await cronium.getVariableEntry("k");
				values.page = await cronium.listVariables();
				for (const [name, helper] of Object.entries(cronium)) if (typeof helper === "function") {
					try { const promise = helper("k"); values["promise " + name] = promise; await promise; } catch {}
				}
				return findStrangers(values);
			}`,
		run: { input: '{"a":{"b":[1,{"c":null}]}}', event: { id: "e", server: { id: "s" } } },
		check: staysInside(30),
	},
	{
		name: "instances of the web APIs belong to the guest's realm",
		script: `${realmWalk};
			export default async function () {
				const abort = new AbortController();
				const values = {
					url: new URL("https://user@example.com/a?b=c#d"), params: new URLSearchParams("a=1").entries(),
					headers: new Headers({ a: "b" }), blob: new Blob(["x"]), abort, signal: abort.signal, event: new Event("x"), target: new EventTarget(),
					text: new TextEncoder().encode("x"), decoder: new TextDecoder(), clone: structuredClone({ a: new Map([[1, new Date()]]) }),
					timer: setTimeout(() => {}, 1), bytes: crypto.getRandomValues(new Uint8Array(4)), buffer: await new Blob(["y"]).arrayBuffer(),
				};
				try { atob("***"); } catch (error) { values.atob = error; }
				try { new URL("::"); } catch (error) { values.badUrl = error; }
				try { structuredClone(() => {}); } catch (error) { values.clone2 = error; }
				try { await fetch("http://127.0.0.1/"); } catch (error) { values.fetch = error; }
				abort.signal.addEventListener("abort", (event) => { values.event2 = event; });
				abort.abort();
				values.reason = abort.signal.reason;
				return findStrangers(values);
			}`,
		check: staysInside(50),
	},
	{
		name: "errors of the engine itself belong to the guest's realm",
		script: `${realmWalk};
			export default function () {
				const errors = {};
				const attempts = {
					stack: function recurse() { recurse(); },
					memory: () => { const chunks = []; for (;;) chunks.push(new Uint8Array(4 << 20)); },
					length: () => new Array(-1), type: () => null.x, reference: () => missing, syntax: () => eval("("), expression: () => new RegExp("("),
					range: () => "x".repeat(2 ** 31), invalid: () => structuredClone(Symbol()), json: () => JSON.parse("{"), uri: () => decodeURI("%"),
				};
				for (const [name, attempt] of Object.entries(attempts)) try { attempt(); } catch (error) { errors[name] = error; }
				return { ...findStrangers(errors), caught: Object.keys(errors).length };
			}`,
		check: (outcome, host) => {
			expect((outcome.output as { caught: number }).caught).toBe(11);
			return staysInside(30)(outcome, host);
		},
	},
	{
		name: "constructors of async, generator and async generator functions stay in the guest",
		script: `const of = (f) => Object.getPrototypeOf(f).constructor;
			export default async () => [
				Function("return globalThis")() === globalThis,
				(await of(async () => {})("return globalThis")()) === globalThis,
				of(function* () {})("yield globalThis")().next().value === globalThis,
				(await of(async function* () {})("yield globalThis")().next()).value === globalThis,
				Function("return typeof process + typeof require + typeof module + typeof Buffer")(),
			];`,
		check: gives([true, true, true, true, "undefinedundefinedundefinedundefined"]),
	},
	{
		name: "eval, direct, indirect and through Reflect, stays in the guest",
		script: `export default () => [
			eval("globalThis") === globalThis, (0, eval)("this") === globalThis, Reflect.apply(eval, null, ["typeof process"]),
			new Function("return this")() === globalThis, eval("typeof __host"), (0, eval)("typeof __hooks"),
			[1].map.constructor("return typeof process")(), setTimeout.constructor("return typeof process")(),
		];`,
		check: gives([true, true, "undefined", true, "undefined", "undefined", "undefined", "undefined"]),
	},
	{
		name: "a sloppy function called by the host has the guest's globalThis as its caller and nothing above it",
		script: `globalThis.seen = [];
			const probe = Function("seen.push(this === globalThis || this === undefined); try { seen.push(arguments.callee.caller) } catch (error) { seen.push(error.name) }");
			export default async function () {
				probe();
				await new Promise((resolve) => setTimeout(() => { probe(); resolve(); }, 1));
				await Promise.resolve().then(probe);
				await cronium.getInput().then(probe);
				queueMicrotask(probe);
				await null;
				return seen.map((value) => (typeof value === "function" ? "function" : (value ?? null)));
			}`,
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			expect(output).toHaveLength(10);
			expect(output).not.toContain("function");
			expect(output).not.toContain(false);
		},
	},
	{
		name: "the names of other hosts do not exist",
		script: `export default () => ["process", "require", "module", "exports", "__filename", "__dirname", "Buffer", "global", "std", "os", "bjson", "scriptArgs",
			"print", "WebAssembly", "Worker", "XMLHttpRequest", "importScripts", "Deno", "Bun", "gc", "load", "__loadScript", "__host", "__hooks", "host", "hooks",
		].filter((name) => name in globalThis);`,
		check: gives([]),
	},
	{
		name: "the host function and the hooks are gone before the first line of a script",
		script: `const before = Reflect.ownKeys(globalThis).filter((key) => String(key).startsWith("__") && !/^__(define|lookup)[GS]etter__$|^__proto__$/.test(String(key))).map(String);
			const later = [];
			export default async function () {
				later.push(typeof globalThis.__host, typeof globalThis.__hooks);
				await cronium.getVariable("k");
				later.push(typeof globalThis.__host, typeof globalThis.__hooks);
				return { before, later };
			}`,
		check: gives({ before: [], later: ["undefined", "undefined", "undefined", "undefined"] }),
	},
]);
