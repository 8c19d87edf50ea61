import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

/** A guest function that calls every helper with the value in every place and says what came of it. */
const callEverywhere = `
import * as helpers from "cronium";
async function callEverywhere(make) {
	const seen = { answered: 0, codes: {}, own: {}, strange: [] };
	for (const [name, helper] of Object.entries(helpers)) {
		if (typeof helper !== "function" || name === "RuntimeError") continue;
		for (const list of [[make()], ["k", make()], ["k", 1, make()], [make(), make(), make()], ["k", [make()]], ["k", { a: make() }], ["k", 1, { ifVersion: make() }],
			["k", 1, { expiresInMs: make() }], [{ prefix: make() }], [{ limit: make() }], ["info", make()], ["info", "m", make()]]) {
			try { await helper(...list); seen.answered++; } catch (error) {
				if (!(error instanceof Error)) seen.own[String(error)] = true;
				else if (error.name === "RuntimeError") seen.codes[error.code] = true;
				else seen.own[error.name + ": " + error.message] = true;
			}
		}
	}
	return { answered: seen.answered, codes: Object.keys(seen.codes).sort(), own: Object.keys(seen.own).sort() };
}`;

interface Seen {
	readonly answered: number;
	readonly codes: readonly string[];
	readonly own: readonly string[];
}

/** Every call was answered or refused in the contract's own words; errors that the argument itself throws pass as they are. */
const refusedInOrder =
	(own: RegExp): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
		const seen = output as Seen;
		for (const code of seen.codes) expect(["invalid", "not-found", "conflict", "too-large"]).toContain(code);
		for (const message of seen.own) expect(message).toMatch(own);
		expect(seen.codes).toContain("invalid");
	};

const everywhere = (name: string, make: string, own: RegExp = /^TypeError: /): Attack => ({
	name,
	script: `${callEverywhere}; export default () => callEverywhere(() => ${make});`,
	check: refusedInOrder(own),
});

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

describeAttacks([
	everywhere(
		"getters that throw, in every argument of every helper",
		`({ get a() { throw "from a getter"; }, get ifVersion() { throw "from a getter"; } })`,
		/^from a getter$|^TypeError: /,
	),
	everywhere(
		"proxies whose traps all throw, in every argument of every helper",
		`new Proxy({}, new Proxy({}, { get() { throw "from a trap"; } }))`,
		/^from a trap$|^TypeError: /,
	),
	everywhere(
		"revoked proxies, in every argument of every helper",
		"(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })()",
	),
	everywhere("functions, symbols and proxies of functions, in every argument of every helper", "new Proxy(function () {}, {})"),
	everywhere("symbols, in every argument of every helper", `Symbol("k")`),
	everywhere("BigInts, in every argument of every helper", "10n ** 40n"),
	everywhere(
		"cyclic objects, in every argument of every helper",
		"(() => { const a = []; a.push({ a }); return a; })()",
		/^(TypeError|RangeError|RuntimeError)/,
	),
	everywhere(
		"toJSON that throws, in every argument of every helper",
		`({ toJSON() { throw "from toJSON"; } })`,
		/^from toJSON$|^TypeError: /,
	),
	everywhere(
		"toJSON that recurses for ever, in every argument of every helper",
		"(() => { const deeper = { toJSON() { return { deeper: { ...deeper } }; } }; return deeper; })()",
		/^(RangeError|InternalError|TypeError): /,
	),
	everywhere(
		"objects that convert to a different text each time, in every argument of every helper",
		`({ n: 0, toString() { return "k" + this.n++; }, valueOf() { return this.n++; }, [Symbol.toPrimitive]() { return "k" + this.n++; } })`,
	),
	everywhere("strings of lone surrogates, in every argument of every helper", `"\\ud800\\udc00\\ud800"`),
	everywhere(
		"strings with NUL, line ends and bidirectional controls, in every argument of every helper",
		`"a\\u0000b\\n\\u202e\\u2028"`,
	),
	everywhere("NaN and infinities, in every argument of every helper", "-Infinity"),
	everywhere(
		"typed arrays over a detached buffer, in every argument of every helper",
		"(() => { const bytes = new Uint8Array(8); bytes.buffer.transfer?.(); return bytes; })()",
	),
	{
		name: "toJSON that calls helpers while its value is being written out",
		script: `let depth = 0;
			const value = { toJSON() { if (depth++ < 5) { cronium.setVariable("inner" + depth, value).catch(() => {}); cronium.setOutput({ depth }).catch(() => {}); } return { depth }; } };
			export default async function () {
				await cronium.setVariable("outer", value);
				const names = (await cronium.listVariables()).items.map(({ key }) => key);
				return { names, outer: await cronium.getVariable("outer") };
			}`,
		run: { namespace: "reentrant" },
		check: gives({ names: ["inner1", "inner2", "inner3", "inner4", "inner5", "outer"], outer: { depth: 6 } }),
	},
	{
		name: "a getter in options cannot show one value to the check and another to the write",
		script: `export default async function () {
				await cronium.setVariable("k", "first");
				const { metadata } = await cronium.getVariableEntry("k");
				let reads = 0;
				const options = { get ifVersion() { return reads++ === 0 ? metadata.version : "another"; } };
				await cronium.setVariable("k", "second", options);
				return { reads, value: await cronium.getVariable("k") };
			}`,
		check: gives({ reads: 1, value: "second" }),
	},
	{
		name: "options inherited from a prototype do not count as given",
		script: `export default async function () {
				await cronium.setVariable("k", 1);
				Object.prototype.ifAbsent = true;
				Object.prototype.ifVersion = "nothing";
				Object.prototype.expiresInMs = 1;
				const outcome = await cronium.setVariable("k", 2).then(() => "written", (error) => error.code);
				const empty = await cronium.setVariable("k", 3, {}).then(() => "written", (error) => error.code);
				delete Object.prototype.ifAbsent; delete Object.prototype.ifVersion; delete Object.prototype.expiresInMs;
				const entry = await cronium.getVariableEntry("k");
				return { outcome, empty, value: entry.value, expires: entry.metadata.expiresAt ?? null };
			}`,
		check: gives({ outcome: "written", empty: "written", value: 3, expires: null }),
	},
	{
		name: "species of arrays and typed arrays given to helpers are not consulted",
		script: `const called = [];
			class Evil extends Array { static get [Symbol.species]() { called.push("species"); return class { constructor() { called.push("made"); } }; } }
			export default async function () {
				await cronium.setVariable("k", Evil.from([1, 2]));
				await cronium.setOutput(Evil.from([3]));
				console.log(Evil.from([4]));
				return { value: await cronium.getVariable("k"), called };
			}`,
		check: gives({ value: [1, 2], called: [] }),
	},
	{
		name: "an argument of half the memory is refused by its size and costs the host nothing",
		script: `export default async function () {
				const big = "x".repeat(5_000_000), codes = [];
				for (const call of [() => cronium.setVariable(big, 1), () => cronium.setVariable("k", big), () => cronium.getVariable(big), () => cronium.listVariables({ prefix: big }),
					() => cronium.setVariable("k", 1, { ifVersion: big }), () => cronium.setOutput(big), () => cronium.listVariables({ cursor: big })])
					codes.push(await call().then(() => "answered", (error) => error.code ?? error.name));
				return codes;
			}`,
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			const codes = output as string[];
			expect(codes).toHaveLength(7);
			expect(codes.filter((code) => !["invalid", "too-large", "conflict", "answered"].includes(code))).toEqual([]);
			expect([codes[0], codes[1], codes[2], codes[5]]).not.toContain("answered");
		},
	},
	{
		name: "boxed strings, arrays and objects are not keys",
		script: `export default async function () {
				const codes = [];
				for (const key of [new String("k"), ["k"], { toString: () => "k" }, 1, true, null, undefined, new Proxy(new String("k"), {})])
					codes.push(await cronium.setVariable(key, 1).then(() => "answered", (error) => error.code));
				return codes;
			}`,
		// A boxed string is its string in JSON, as JSON.stringify says.
		check: ({ status, output }) => {
			expect(status).toBe("succeeded");
			expect((output as string[]).slice(1, 7)).toEqual(Array(6).fill("invalid"));
		},
	},
]);
