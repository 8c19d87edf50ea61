import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { errorCodes, scopes } from "../../host/contract/generated/types.ts";
import { type LimitName, resolveLimits } from "../../host/contract/limits.ts";
import type { Execution, LogLine } from "../../host/execution.ts";
import { createHelpers } from "../../host/helpers/helpers.ts";
import { layout } from "../../host/layout.ts";
import { type Bindings, createBindings } from "../../host/sandbox/bindings.ts";
import { sandboxOperations } from "../../host/sandbox/sandbox-operations.ts";
import { drawSeed } from "../../host/sandbox/seed.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";

// The host function itself, called as a guest would that had got hold of it: whatever the prelude checks has not been checked.

const store = createMemoryStore();
const logs: LogLine[] = [];
const printed: [string, string][] = [];
let runs = 0;

async function bind(limits: Partial<Record<LimitName, number>> = {}): Promise<Bindings> {
	const id = `run-${++runs}`;
	const execution: Execution = {
		id,
		namespace: "fuzz",
		hostId: "host",
		event: {},
		mode: "sandbox",
		attempt: 1,
		scopes,
		limits: resolveLimits({ maxHostCalls: 100_000_000, maxPendingCalls: 100_000, ...limits }),
		allowedHosts: [],
		startedAt: Date.now(),
		deadlineAt: Date.now() + 60_000,
		signal: new AbortController().signal,
	};
	await store.commit({ operations: [{ type: "set", key: layout.live("host", id), value: "" }] });
	const { helpers } = createHelpers(execution, { store, input: "1", onLog: (line) => logs.push(line) });
	return createBindings(execution, helpers, { seed: drawSeed(), print: (source, text) => printed.push([source, text]) });
}

/** Calls without any promise of types; the answer, late ones awaited. */
async function call(bindings: Bindings, operation: unknown, params: unknown, body?: unknown): Promise<string> {
	const answers = new Map<number, string>();
	bindings.onAnswer = (callId, answer) => answers.set(callId, answer);
	const answer = bindings.call(operation as never, params as never, body as never);
	if (typeof answer === "string") return answer;
	expect(answer).toEqual(expect.any(Number));
	// A sleep may be for 24 days; that it can be taken back is what counts.
	if (operation === sandboxOperations.sleep) return bindings.call(sandboxOperations.cancel, `[${answer}]`, undefined) as string;
	await expect.poll(() => answers.has(answer), { interval: 1 }).toBe(true);
	return answers.get(answer) as string;
}

function requireProper(answer: string): void {
	if (!answer.startsWith("!")) return void (answer.length > 0 && JSON.parse(answer));
	const { code, message } = JSON.parse(answer.slice(1)) as { code: string; message: string };
	expect(errorCodes).toContain(code);
	expect(code).not.toBe("internal");
	expect(message).toEqual(expect.any(String));
	expect(message.length).toBeLessThan(2_000);
	for (const mark of [process.cwd(), "node_modules", "file://", "    at "]) expect(message).not.toContain(mark);
}

const strangeOperations = [
	-1,
	-0.5,
	0.5,
	12,
	13,
	999,
	1_007,
	5_000,
	2 ** 31,
	2 ** 32,
	2 ** 53,
	Number.NaN,
	Number.POSITIVE_INFINITY,
	"0",
	"constructor",
	"__proto__",
	"length",
	null,
	undefined,
	true,
	{},
	[0],
	Symbol("0"),
	0n,
];
const strangeParameters = [
	"",
	" ",
	"null",
	"{}",
	"[",
	"]",
	"[[]]",
	"[null]",
	"[{}]",
	"[1,2,3,4,5,6,7,8,9]",
	'["k"',
	'["k"]',
	'["k",null]',
	'["k",{}]',
	'["k",{"ifVersion":1}]',
	'["k",{"__proto__":{"ifAbsent":true}}]',
	'["__proto__"]',
	'["\\u0000"]',
	'["\\ud800"]',
	'[{"length":1,"0":"k"}]',
	'[["k"]]',
	"[1e999]",
	"[-0]",
	"[1e-400]",
	"[true]",
	'["k","k","k"]',
	'{"0":"k","length":1}',
	'"k"',
	"[,]",
	"[1,]",
	"\ufeff[]",
	"[]\0",
	`["${"k".repeat(100_000)}"]`,
	`[${"[".repeat(50_000)}${"]".repeat(50_000)}]`,
	`[${"{},".repeat(50_000)}{}]`,
	`["${"\\u0041".repeat(100_000)}"]`,
	'["info","m"]',
	'["info",1]',
	'["stdout"]',
	'["system"]',
	"[-1]",
	"[65537]",
	"[1.5]",
	'["1"]',
	'["http://127.0.0.1/","GET",[["a"]],"follow"]',
	'["x","y",{},"z"]',
	'["script-error"]',
	undefined,
	null,
	7,
	{},
	[],
	Symbol("[]"),
	new Uint8Array(2),
];
const strangeBodies = [
	undefined,
	"",
	"1",
	"{",
	"1,2",
	'{"a":1,"a":2}',
	'"\\ud800"',
	"NaN",
	"[".repeat(100_000),
	'{"__proto__":null}',
	null,
	7,
	{},
	"x".repeat(200_000),
	'{"message":{"toString":1},"name":7,"stack":[]}',
];

describe("the host function, in the hands of an attacker", () => {
	let bindings: Bindings;
	beforeAll(async () => {
		bindings = await bind();
	});
	afterAll(() => bindings.close());

	test("answers unknown operations with an error of the contract, whatever their number or type", async () => {
		for (const operation of strangeOperations)
			for (const params of ["[]", '["k"]', undefined]) {
				const answer = await call(bindings, operation, params, undefined);
				requireProper(answer);
				expect(answer).toMatch(/^!/);
			}
	});

	test.each(operations.map(({ id }, index) => [id, index] as const))(
		"%s takes any parameters and any body without harm",
		async (_, index) => {
			for (const params of strangeParameters)
				for (const body of strangeBodies) requireProper(await call(bindings, index, params, body));
		},
	);

	test.each(Object.entries(sandboxOperations))("%s takes any parameters and any body without harm", async (name, number) => {
		for (const params of strangeParameters)
			for (const body of strangeBodies) {
				const fresh = name === "fail" || name === "return" ? await bind() : bindings;
				requireProper(await call(fresh, number, params, body));
				if (fresh !== bindings) fresh.close();
			}
	});

	test("refuses parameters of 9 MiB unread and values of half a million members without making them", async () => {
		for (const params of [`["${"k".repeat(9 * 1024 * 1024)}"]`, `[${"[],".repeat(500_000)}[]]`, `[{${"1,".repeat(500_000)}`])
			for (const operation of [2, 4, 5, 6, ...Object.values(sandboxOperations)]) {
				const answer = await call(
					operation === sandboxOperations.return || operation === sandboxOperations.fail ? await bind() : bindings,
					operation,
					params,
					"1",
				);
				requireProper(answer);
				if (operation < 1_000) expect(answer).toMatch(/^!/);
			}
	});

	test("never takes a guest's text for a line of the system", () => {
		expect(
			new Set(logs.map(({ source }) => source)).has("system" as never) &&
				logs.some(({ source, message }) => source === "system" && !/maxLog/.test(message)),
		).toBe(false);
		for (const [source] of printed) expect(["stdout", "stderr"]).toContain(source);
	});

	test("writes nothing but well-formed values under legal keys", async () => {
		const entries = await store.list({ prefix: layout.variables("fuzz"), limit: 1_000 });
		for (const { key, value } of entries) {
			expect(key[2]).toMatch(/^[^\p{Cc}\p{Cs}]+$/u);
			expect(() => JSON.parse(value)).not.toThrow();
		}
	});

	test("cancels only what is its own: foreign, past and invented call ids are passed over", async () => {
		const [first, second] = [await bind(), await bind()];
		const answered: number[] = [];
		second.onAnswer = (callId) => answered.push(callId);
		const sleeping = second.call(sandboxOperations.sleep, "[5]", undefined) as number;
		for (const id of [sleeping, sleeping - 1, sleeping + 1, -1, 0, "x", null])
			expect(first.call(sandboxOperations.cancel, JSON.stringify([id]), undefined)).toBe("");
		await expect.poll(() => answered, { interval: 1 }).toEqual([sleeping]);
		first.close();
		second.close();
	});

	test("gives every call an id of its own, across runs", async () => {
		const seen: number[] = [];
		for (let run = 0; run < 3; run++) {
			const fresh = await bind();
			for (let i = 0; i < 20; i++) seen.push(fresh.call(sandboxOperations.sleep, "[1000]", undefined) as number);
			fresh.close();
		}
		expect(new Set(seen).size).toBe(60);
	});

	test("is dead after the end: no call is answered, no late answer is handed on, nothing waits", async () => {
		const closed = await bind();
		let late = 0;
		closed.onAnswer = () => late++;
		for (let i = 0; i < 20; i++) closed.call(4, `["late${i}"]`, "1");
		closed.call(sandboxOperations.sleep, "[1]", undefined);
		closed.close();
		expect(closed.pending).toBe(0);
		for (let operation = 0; operation < operations.length; operation++)
			expect(await call(closed, operation, '["k"]', "1")).toMatch(/^!.*"cancelled"/);
		for (const operation of Object.values(sandboxOperations))
			expect(await call(closed, operation, "[1]", "1")).toMatch(/^!.*"cancelled"/);
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(late).toBe(0);
	});

	test("counts every call, refused ones included, and stops the run at the limit", async () => {
		const limited = await bind({ maxHostCalls: 10 });
		for (let i = 0; i < 10; i++) limited.call(i % 2 ? 2 : sandboxOperations.random, '["\\u0000"]', undefined);
		expect(limited.failure).toBeUndefined();
		requireProper(await call(limited, 0, "[]"));
		expect(limited.failure).toMatchObject({
			code: "host-calls-exceeded",
			limit: { name: "maxHostCalls", value: 10, unit: "calls" },
		});
		limited.close();
	});
});
