import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

const refused =
	(...codes: string[]): Attack["check"] =>
	({ status, error, output }) => {
		expect(["failed", "timed-out"]).toContain(status);
		expect(codes).toContain(error?.code);
		expect(output).toBeUndefined();
	};

describeAttacks([
	{
		name: "output that looks like the end of an outcome is a string",
		script: `export default () => '"},"status":"failed","exitCode":9,"output":{"forged":1'`,
		check: ({ status, exitCode, output, outputText }) => {
			expect({ status, exitCode, output }).toEqual({
				status: "succeeded",
				exitCode: 0,
				output: '"},"status":"failed","exitCode":9,"output":{"forged":1',
			});
			expect(outputText).toBe(JSON.stringify(output));
		},
	},
	{
		name: "JSON.stringify replaced cannot put a text out that is no JSON",
		script: `JSON.stringify = () => '1,"status":"failed"'; export default () => ({ real: 1 });`,
		check: gives({ real: 1 }),
	},
	{
		name: "JSON.rawJSON, where there is one, carries one value and no second",
		script: `export default function () {
				if (typeof JSON.rawJSON !== "function") return { a: null };
				for (const text of ['1,"b":2', '{"b":1}', '"x","b":1', " 1"]) try { JSON.rawJSON(text); return "forged " + text; } catch {}
				return { a: null };
			}`,
		check: gives({ a: null }),
	},
	{
		name: "a __proto__ member in the output is an own member of it",
		script: `export default () => JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}')`,
		check: ({ status, output, outputText }) => {
			expect(status).toBe("succeeded");
			expect(outputText).toBe('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}}}');
			expect(Object.keys(output as object)).toEqual(["__proto__", "constructor"]);
			expect(Object.getPrototypeOf(output)).toBe(Object.prototype);
			expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
		},
	},
	{
		name: "toJSON that goes deeper for ever is the script's failure",
		script: "class Deeper { toJSON() { return { next: new Deeper() }; } } export default () => new Deeper();",
		check: refused("stack-exceeded", "invalid-output", "script-error", "output-exceeded", "memory-exceeded"),
	},
	{
		name: "toJSON that goes wider for ever is stopped by a limit",
		script: "export default () => Object.defineProperty([], 'length', { value: 2 ** 32 - 1 });",
		run: { limits: { maxWallTimeMs: 2_000 } },
		check: refused("memory-exceeded", "output-exceeded", "wall-time-exceeded", "invalid-output", "script-error"),
	},
	{
		name: "toJSON that throws is the script's failure with its message",
		script: "export default () => ({ toJSON() { throw new RangeError('not like this'); } });",
		check: ({ status, error, output }) => {
			expect({ status, output }).toEqual({ status: "failed", output: undefined });
			expect(["script-error", "invalid-output"]).toContain(error?.code);
			expect(error?.message).toContain("not like this");
		},
	},
	{
		name: "toJSON that calls setOutput while the output is written has lost: the returned value is last",
		script: "export default () => ({ toJSON() { cronium.setOutput('inner'); return 'outer'; } });",
		check: gives("outer"),
	},
	{
		name: "toJSON that returns undefined or a function leaves no half a text",
		script: "export default () => ({ a: { toJSON() {} }, b: { toJSON: () => () => {} }, c: 1 });",
		check: ({ status, output, error }) => {
			if (status === "succeeded") expect(output).toEqual({ c: 1 });
			else expect(error?.code).toBe("invalid-output");
		},
	},
	{
		name: "an output that shrinks while it is written out is written as it was read",
		script: "const list = [1, { toJSON() { list.length = 1; return 2; } }, 3, 4]; export default () => list;",
		check: ({ status, output, error }) => {
			if (status === "succeeded") expect((output as unknown[]).slice(0, 2)).toEqual([1, 2]);
			else expect(error?.code).toBe("invalid-output");
		},
	},
	{
		name: "proxies as output are read once and give what their traps say",
		script: `export default () => new Proxy({}, { ownKeys: () => ["a", "b"], getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }), get: (_, key) => (key === "toJSON" ? undefined : String(key)) });`,
		check: gives({ a: "a", b: "b" }),
	},
	{
		name: "a proxy whose keys never end is stopped by a limit",
		script: `export default () => new Proxy([], { get: (_, key) => (key === "length" ? 2 ** 32 - 1 : key === "toJSON" ? undefined : 1) });`,
		run: { limits: { maxWallTimeMs: 2_000 } },
		check: refused("memory-exceeded", "output-exceeded", "wall-time-exceeded", "invalid-output", "script-error"),
	},
	{
		name: "a revoked proxy as output is the script's failure",
		script: "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); export default () => proxy;",
		check: refused("script-error", "invalid-output"),
	},
	{
		name: "members named like the outcome's own stay in the output",
		script: `export default () => ({ executionId: "forged", status: "failed", exitCode: 7, output: 1, error: { code: "internal" }, logs: [], then: null });`,
		check: ({ status, exitCode, output, error, executionId }) => {
			expect({ status, exitCode, error }).toEqual({ status: "succeeded", exitCode: 0, error: undefined });
			expect(executionId).not.toBe("forged");
			expect(output).toMatchObject({ executionId: "forged", status: "failed" });
		},
	},
	{
		name: "output set by a helper 1,000 times is the last of them",
		script:
			"export default async function () { for (let i = 0; i <= 1_000; i++) cronium.setOutput(i); await cronium.getInput(); }",
		run: { limits: { maxPendingCalls: 2_000 } },
		check: gives(1_000),
	},
]);
