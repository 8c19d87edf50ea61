import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

/**
 * Runs `pollute`, uses every helper and some of the surroundings, puts everything back with `restore`, and returns what the helpers
 * answered and which of the things in `stolen` answer like the host function.
 */
const polluted = (pollute: string): string => `
	const stolen = [], undo = [];
	const { ownKeys, getOwnPropertyDescriptor, defineProperty, apply, deleteProperty } = Reflect;
	const push = Array.prototype.push, keep = (things) => { for (let i = 0; i < things.length; i++) defineProperty(stolen, stolen.length, { __proto__: null, value: things[i], configurable: true, writable: true, enumerable: true }); };
	const patch = (target, key, descriptor) => {
		const before = getOwnPropertyDescriptor(target, key);
		if (before && !before.configurable && !before.writable) return;
		try { defineProperty(target, key, before?.configurable === false ? { value: descriptor.value } : { __proto__: null, configurable: true, ...descriptor }); } catch { return; }
		undo[undo.length] = () => (before ? defineProperty(target, key, before) : deleteProperty(target, key));
	};
	/** Puts a spy in the place of every method: it notes what passes through and does its work. */
	const spyOn = (target) => {
		const keys = ownKeys(target);
		for (let i = 0; i < keys.length; i++) {
			const { value } = getOwnPropertyDescriptor(target, keys[i]);
			if (typeof value !== "function" || keys[i] === "constructor") continue;
			patch(target, keys[i], { writable: true, value: function (...list) { keep([this]); keep(list); return new.target ? Reflect.construct(value, list) : apply(value, this, list); } });
		}
	};
	/** Makes every method give rubbish. */
	const break_ = (target) => {
		const keys = ownKeys(target);
		for (let i = 0; i < keys.length; i++) if (typeof getOwnPropertyDescriptor(target, keys[i]).value === "function" && keys[i] !== "constructor")
			patch(target, keys[i], { writable: true, value: () => { throw "rubbish"; } });
	};
	const { getInput, setVariable, getVariable, getVariableEntry, deleteVariable, listVariables, incrementVariable, setCondition, getCondition, getEventContext, setOutput, log } = cronium;
	const restore = () => { for (let i = undo.length - 1; i >= 0; i--) undo[i](); };
	export default async function () {
		const answers = { __proto__: null, failure: undefined };
		const { setTimeout: wait, String } = globalThis;
		let settle; const waited = new Promise((resolve) => { settle = resolve; });
		try {
			{ ${pollute} }
			answers.input = await getInput();
			answers.version = typeof (await setVariable("glue", { a: [1, "two", null] }));
			answers.value = await getVariable("glue");
			answers.entry = (await getVariableEntry("glue")).value;
			answers.count = await incrementVariable("count", 2);
			answers.page = (await listVariables({ limit: 1 })).items[0].key;
			answers.deleted = [await deleteVariable("glue"), await deleteVariable("count")];
			await setCondition(true);
			answers.condition = await getCondition();
			answers.mode = (await getEventContext()).execution.mode;
			try { await getVariable(""); } catch (error) { answers.code = error.code; }
			await setOutput("set");
			await log.info("polluted", { a: 1 });
			wait(settle, 1);
			await waited;
		} catch (error) { answers.failure = error; }
		restore();
		if (answers.failure !== undefined) answers.failure = String(answers.failure?.stack ?? answers.failure) + String(answers.failure);
		answers.raw = [];
		for (const thing of stolen) if (typeof thing === "function") for (const list of [[0, "[]"], [1004, "[]"]]) try {
			const answer = apply(thing, undefined, list);
			if ((typeof answer === "string" && (answer === '{"a":1}' || /^![{]/.test(answer))) || thing.name === "__host") answers.raw.push(thing.name + ": " + answer);
		} catch {}
		return answers;
	}`;

const undisturbed = {
	input: { a: 1 },
	version: "string",
	value: { a: [1, "two", null] },
	entry: { a: [1, "two", null] },
	count: 2,
	page: "count",
	deleted: [true, true],
	condition: true,
	mode: "sandbox",
	code: "invalid",
	raw: [],
};

const pollution = (name: string, pollute: string): Attack => ({
	name,
	script: polluted(pollute),
	run: { input: '{"a":1}', namespace: "glue" },
	check: ({ status, error, output, logs }) => {
		expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
		expect(output).toEqual(undisturbed);
		expect(logs).toMatchObject([{ source: "log", level: "info", message: "polluted", fields: '{"a":1}' }]);
	},
});

const intrinsics = [
	["Object", "Object.prototype"],
	["Function.prototype", "Reflect"],
	["Array", "Array.prototype"],
	["String", "String.prototype"],
	["JSON", "Math", "Number", "Number.prototype"],
	["Promise", "Promise.prototype"],
	["Map.prototype", "Set.prototype", "WeakMap.prototype", "Symbol.prototype"],
	["RegExp.prototype", "Date", "Date.prototype"],
	["Error", "Error.prototype"],
	["Uint8Array.prototype", "Object.getPrototypeOf(Uint8Array.prototype)", "ArrayBuffer.prototype"],
	["Object.getPrototypeOf([][Symbol.iterator]())", "Object.getPrototypeOf(Object.getPrototypeOf((function* () {})()))"],
].flatMap((targets) => [
	pollution(`spies in ${targets} see no function of the host`, `for (const target of [${targets}]) spyOn(target);`),
	pollution(`rubbish in ${targets} breaks no helper`, `for (const target of [${targets}]) break_(target);`),
]);

describeAttacks([
	...intrinsics,
	pollution(
		"setters on Object.prototype for every name the glue may use see nothing of it",
		`
		for (const name of ["code", "message", "details", "value", "get", "set", "then", "resolve", "reject", "resolvers", "callId", "params", "body", "operation", "default", "name", "stack", "cause",
			"next", "done", "settle", "begin", "finish", "describe", "host", "hooks", "writable", "enumerable", "configurable", "id", "type", "seed", "now", "ok", "error", "result", "input", "output", "0", "1", "2", "length"])
			patch(Object.prototype, name, name === "get" || name === "set" || name === "value" || name === "writable" ? { set: undefined, get: undefined } : { set(value) { keep([this, value]); }, get() { return undefined; } });`,
	),
	pollution(
		"setters for indexes on Array.prototype see nothing of the glue",
		"for (let i = 0; i < 32; i++) patch(Array.prototype, i, { set(value) { keep([this, value]); defineProperty(this, i, { value, writable: true, enumerable: true, configurable: true }); }, get() { return undefined; } });",
	),
	pollution(
		"toJSON on every built-in prototype changes no parameter",
		`for (const target of [Object, Array, String, Number, Boolean, BigInt, Symbol, Function, Date]) patch(target.prototype, "toJSON", { value: undefined, writable: true });
		 for (const target of [String, Number, Boolean]) patch(target.prototype, "toJSON", { value: () => "forged", writable: true });`,
	),
	pollution(
		"Symbol.iterator, Symbol.species and Symbol.toPrimitive replaced change nothing",
		`
		patch(Array.prototype, Symbol.iterator, { value: function* () { yield "forged"; }, writable: true });
		patch(String.prototype, Symbol.iterator, { value: function* () { yield "forged"; }, writable: true });
		patch(Array, Symbol.species, { get: () => function () { return ["forged"]; } });
		patch(Object.prototype, Symbol.toPrimitive, { value: () => "forged", writable: true });
		patch(Function.prototype, Symbol.hasInstance, { value: () => true });
		patch(RegExp.prototype, Symbol.replace, { value: () => "forged", writable: true });`,
	),
	pollution(
		"Function.prototype.call, apply and bind replaced see no function of the host",
		`
		for (const name of ["call", "apply", "bind"]) { const original = Function.prototype[name]; patch(Function.prototype, name, { writable: true, value: function (...list) { keep([this]); keep(list); return apply(original, this, list); } }); }
		const reflected = Reflect.apply; patch(Reflect, "apply", { writable: true, value: (target, self, list) => { keep([target, self]); keep(list); return reflected(target, self, list); } });`,
	),
	pollution(
		"a Proxy as the prototype of Array.prototype and Function.prototype sees nothing of the glue",
		`
		for (const target of [Array.prototype, Function.prototype, Promise.prototype, Error.prototype]) {
			const before = Object.getPrototypeOf(target);
			const spy = new Proxy(before, { get(inner, key, receiver) { keep([receiver]); return inner[key]; }, set(inner, key, value, receiver) { keep([receiver, value]); return defineProperty(receiver, key, { value, writable: true, enumerable: true, configurable: true }); } });
			Object.setPrototypeOf(target, spy);
			undo[undo.length] = () => Object.setPrototypeOf(target, before);
		}`,
	),
	pollution(
		"__host and __hooks defined by the script are not taken for the host's",
		`
		for (const name of ["__host", "__hooks"]) patch(globalThis, name, { get() { keep(["read"]); return new Proxy({}, { get: () => () => "-{}" }); }, set(value) { keep([value]); } });`,
	),
	pollution(
		"every global the glue may use replaced by rubbish breaks no helper",
		`
		for (const name of ["JSON", "Promise", "Object", "Array", "Map", "Set", "WeakMap", "Reflect", "Error", "TypeError", "String", "Number", "Symbol", "RegExp", "Math", "Date", "Proxy", "Uint8Array", "ArrayBuffer",
			"TextEncoder", "TextDecoder", "console", "cronium", "queueMicrotask", "setTimeout", "AbortController", "URL", "Headers", "isNaN", "parseInt", "undefined"]) patch(globalThis, name, { value: null, writable: true });`,
	),
	{
		name: "all prototypes frozen and all globals sealed let the run end in order",
		script: `for (const name of Object.getOwnPropertyNames(globalThis)) { try { const value = globalThis[name]; if (value !== null && (typeof value === "object" || typeof value === "function") && value !== globalThis) { Object.freeze(value); if (value.prototype) Object.freeze(value.prototype); } } catch {} }
			Object.preventExtensions(globalThis);
			export default async function (input) { await cronium.setVariable("frozen", input); console.log("still", [here]); return [await cronium.getVariable("frozen"), await cronium.getVariable("").catch((error) => error.code)]; }
			const here = 1;`,
		run: { input: "5" },
		check: ({ status, error, output, logs }) => {
			expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: [5, "invalid"] });
			expect(logs).toMatchObject([{ message: "still [ 1 ]" }]);
		},
	},
	{
		name: "all globals deleted while a call waits let it be answered and the run end",
		script: `export default async function () {
				const waiting = cronium.setVariable("k", "v"), read = cronium.getVariable;
				const { ownKeys, deleteProperty } = Reflect, realm = globalThis; for (const key of ownKeys(realm)) deleteProperty(realm, key);
				await waiting;
				return await read("k");
			}`,
		check: ({ status, error, output }) => {
			expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: "v" });
		},
	},
	{
		name: "a __proto__ member in input, variables and options pollutes nothing",
		script: `export default async function (input) {
				await cronium.setVariable("k", input);
				const value = await cronium.getVariable("k");
				const refused = await cronium.setVariable("k", 1, JSON.parse('{"__proto__":{"ifAbsent":true}}')).catch((error) => error.code);
				const wrong = await cronium.setVariable("k", 1, { constructor: 1 }).catch((error) => error.code);
				return { polluted: ({}).polluted ?? null, input: Object.keys(input), own: Object.hasOwn(value, "__proto__"), inner: value.__proto__.polluted, refused, wrong, plain: Object.getPrototypeOf(value) === Object.prototype };
			}`,
		run: { input: '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}' },
		check: ({ status, error, output }) => {
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			expect(output).toEqual({
				polluted: null,
				input: ["__proto__", "constructor"],
				own: true,
				inner: 1,
				refused: "invalid",
				wrong: "invalid",
				plain: true,
			});
			expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
		},
	},
]);
