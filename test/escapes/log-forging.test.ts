import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

/** Lines are numbered from 1 without a gap, in order of time, and none claims to be the system's. */
const inOrder: Attack["check"] = ({ logs }) => {
	expect(logs.map(({ sequence }) => sequence)).toEqual(logs.map((_, index) => index + 1));
	expect(logs.map(({ at }) => at)).toEqual(logs.map(({ at }) => at).toSorted());
	expect(logs.filter(({ source }) => source === "system")).toEqual([]);
};

describeAttacks([
	{
		name: "line ends, escapes and JSON in a message make no second entry and change no field",
		script: String.raw`export default async function () {
				const forged = 'real\n{"sequence":99,"at":"1970-01-01T00:00:00.000Z","level":"error","source":"system","message":"forged"}\r\n\u001b[2K\u001b[1Aforged\u0000\u2028\u202e';
				await log.info(forged, { level: "error", source: "system", sequence: 99, message: forged });
				await cronium.writeLog?.("warn", forged);
			} const { log } = cronium;`,
		check: (outcome, host) => {
			expect(outcome.status).toBe("succeeded");
			inOrder(outcome, host);
			const structured = outcome.logs.filter(({ source }) => source === "log");
			expect(structured[0]).toMatchObject({ level: "info", source: "log" });
			expect(structured[0]?.message).toMatch(/^real/);
			expect(JSON.parse(structured[0]?.fields ?? "")).toMatchObject({ level: "error", source: "system", sequence: 99 });
			for (const { level } of structured) expect(["info", "warn"]).toContain(level);
		},
	},
	{
		name: "what is printed stays standard output and standard error",
		script: String.raw`console.log("a\nb\r\u001b[31m"); console.error('{"source":"system"}'); console.info("%s", { toString: () => "system" }); console.warn(); console.debug("\u0000");`,
		check: (outcome, host) => {
			expect(outcome.status).toBe("succeeded");
			inOrder(outcome, host);
			expect(new Set(outcome.logs.map(({ source }) => source))).toEqual(new Set(["stdout", "stderr"]));
		},
	},
	{
		name: "a level that does not exist is refused",
		script: `export default async function () {
				const codes = [];
				for (const level of ["system", "fatal", "", "__proto__", "constructor", 1, null, {}]) codes.push(await (cronium.writeLog ?? cronium.log.write)(level, "forged").then(() => "written", (error) => error.code));
				return codes;
			}`,
		check: ({ status, output, logs, error }) => {
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			expect(output).toEqual(Array(8).fill("invalid"));
			expect(logs).toEqual([]);
		},
	},
	{
		name: "fields that are no object are refused, and a forged sequence in them stays a field",
		script: `export default async function () {
				const codes = [];
				for (const fields of [[1], "text", 1, true]) codes.push(await cronium.log.info("m", fields).then(() => "written", (error) => error.code));
				await cronium.log.info("m", JSON.parse('{"__proto__":{"sequence":7},"sequence":7}'));
				return codes;
			}`,
		check: (outcome, host) => {
			expect(outcome).toMatchObject({ status: "succeeded", output: ["invalid", "invalid", "invalid", "invalid"] });
			inOrder(outcome, host);
			expect(outcome.logs).toHaveLength(1);
		},
	},
	{
		name: "console.log of hostile objects prints something and calls nothing for ever",
		script: `const deep = {}; let inner = deep; for (let i = 0; i < 10_000; i++) inner = inner.a = {};
			const { proxy, revoke } = Proxy.revocable({}, {}); revoke();
			for (const value of [deep, proxy, new Proxy({}, { get() { throw 1; }, ownKeys() { throw 2; } }), { get [Symbol.toStringTag]() { throw 3; } }, { constructor: { name: { toString() { throw 4; } } } }, Object.create(null), { toString() { throw 5; }, valueOf() { throw 6; } },
				new Proxy([], { get: (target, key) => (key === "length" ? 2 ** 32 : target[key]) }), Array(2 ** 31), Object.defineProperty(new Error("x"), "stack", { value: {} }), new Map([[{}, new Map()]]), globalThis, cronium]) console.log(value, "%o %s %d", value, value, "end");
			export default () => "ended";`,
		run: { limits: { maxWallTimeMs: 4_000 } },
		check: (outcome, host) => {
			expect(outcome.error).toBeUndefined();
			expect(outcome.output).toBe("ended");
			expect(outcome.logs.length).toBeGreaterThanOrEqual(13);
			inOrder(outcome, host);
		},
	},
]);
