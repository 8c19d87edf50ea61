import { afterEach, describe, expect, test } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { operations } from "../../host/contract/generated/operations.ts";
import { type Bindings, createBindings } from "../../host/sandbox/bindings.ts";
import type { FetchResponse, Surroundings } from "../../host/sandbox/engine.ts";
import { sandboxOperations } from "../../host/sandbox/sandbox-operations.ts";
import { drawSeed } from "../../host/sandbox/seed.ts";
import { type RunSetup, startRun, type TestRun } from "../helpers/run.ts";

const open: Bindings[] = [];
afterEach(() => {
	for (const bindings of open.splice(0)) bindings.close();
});

interface Bound {
	readonly run: TestRun;
	readonly bindings: Bindings;
	readonly printed: string[];
	readonly answers: [number, string][];
	/** Resolves when so many late answers have come. */
	answered(count: number): Promise<void>;
}

async function bind(setup: RunSetup = {}, surroundings: Partial<Surroundings> = {}): Promise<Bound> {
	const run = await startRun(setup);
	const printed: string[] = [];
	const answers: [number, string][] = [];
	let wake = (): void => {};
	const bindings = createBindings(run.execution, run.helpers, {
		seed: drawSeed(),
		print: (stream, text) => printed.push(`${stream}: ${text}`),
		...surroundings,
	});
	open.push(bindings);
	bindings.onAnswer = (callId, answer) => {
		answers.push([callId, answer]);
		wake();
	};
	return {
		run,
		bindings,
		printed,
		answers,
		async answered(count) {
			while (answers.length < count)
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
		},
	};
}

const indexOf = (id: string): number => operations.findIndex((operation) => operation.id === id);
const problem = (answer: string | number): { code: string; message: string; details: object } => {
	expect(String(answer)[0]).toBe("!");
	return JSON.parse(String(answer).slice(1));
};
/** Timers of bindings do not keep a process alive; tests wait for them. */
const waitMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("helpers", () => {
	test("a result that is there is answered at once, one that is not, later", async () => {
		const { bindings, answers, answered } = await bind({ input: '{"a":1.0}' });
		expect(bindings.call(indexOf("io.get-input"), "[]", undefined)).toBe('{"a":1.0}');
		const callId = bindings.call(indexOf("variables.set"), '["k"]', '{"v": 1e400}'.replace("1e400", "12345678901234567890"));
		if (typeof callId === "number") {
			expect(bindings.pending).toBe(1);
			await answered(1);
			expect(answers[0]?.[0]).toBe(callId);
			expect(answers[0]?.[1]).toMatch(/^"/);
		}
		expect(bindings.pending).toBe(0);
		expect(bindings.call(indexOf("variables.get"), '["k"]', undefined)).toBe('{"v": 12345678901234567890}');
		expect(bindings.hostCalls).toBe(3);
	});

	test("an answer without a value is empty", async () => {
		const { bindings } = await bind();
		expect(bindings.call(indexOf("variables.get"), '["missing"]', undefined)).toBe("");
		expect(bindings.call(indexOf("condition.get"), "[]", undefined)).toBe("");
	});

	test("a RuntimeError crosses with code, message and details; another error tells nothing", async () => {
		const { bindings } = await bind();
		expect(problem(bindings.call(indexOf("variables.get"), '[""]', undefined)).code).toBe("invalid");
		const run = await startRun();
		const broken = createBindings(
			run.execution,
			{
				...run.helpers,
				io: {
					...run.helpers.io,
					getInput: () => {
						throw new Error("/host/path secret");
					},
				},
			},
			{ seed: drawSeed(), print: () => {} },
		);
		open.push(broken);
		const { code, message } = problem(broken.call(indexOf("io.get-input"), "[]", undefined));
		expect(code).toBe("internal");
		expect(message).not.toContain("secret");
	});

	test("ids of calls are not used again by the next run of the thread", async () => {
		const seen = new Set<number>();
		for (let round = 0; round < 3; round++) {
			const { bindings } = await bind();
			for (let call = 0; call < 3; call++) {
				const callId = bindings.call(sandboxOperations.sleep, "[1000]", undefined) as number;
				expect(seen.has(callId)).toBe(false);
				seen.add(callId);
			}
			bindings.close();
		}
		expect(seen.size).toBe(9);
	});
});

describe("hostile calls", () => {
	const everything: [unknown, unknown, unknown][] = [];
	const numbers = [
		0,
		4,
		999,
		1000,
		1001,
		1002,
		1003,
		1004,
		1005,
		1006,
		1007,
		-1,
		0.5,
		Number.NaN,
		Number.POSITIVE_INFINITY,
		2 ** 53,
		"map",
		"__proto__",
		"constructor",
		null,
		undefined,
		{},
		Symbol("s"),
	];
	const params = [
		"",
		"[]",
		"{}",
		"null",
		"[",
		"[[[[",
		'["k"]',
		"[-1]",
		"[1e309]",
		'["stdout"]',
		'["http://x","GET",[],"follow"]',
		'["http://x","GET",[[1]],"follow"]',
		'[{"__proto__":1}]',
		'["\ud800"]',
		null,
		undefined,
		5,
		{},
		[],
	];
	const bodies: unknown[] = [
		undefined,
		"",
		"null",
		"{",
		"\ud800",
		null,
		5,
		{},
		{
			toString: () => {
				throw new Error("toString");
			},
		},
	];
	for (const number of numbers) for (const param of params) for (const body of bodies) everything.push([number, param, body]);

	test(`none of ${everything.length} malformed calls throws, and each is answered or pending`, async () => {
		const { bindings } = await bind({ limits: { maxHostCalls: 100_000, maxPendingCalls: 100_000 } });
		for (const [number, param, body] of everything) {
			const answer = bindings.call(number as number, param as string, body as string);
			if (typeof answer === "string" && answer !== "") JSON.parse(answer.startsWith("!") ? answer.slice(1) : answer);
			else expect(answer === "" || answer > 0).toBe(true);
		}
	});

	test("parameters of 16 MiB are refused unread", async () => {
		const { bindings } = await bind();
		const { code, message } = problem(bindings.call(indexOf("variables.get"), `["${"x".repeat(2 ** 24)}"]`, undefined));
		expect(code).toBe("too-large");
		expect(message).toContain("8388608");
	});

	test("an operation that there is not is unsupported", async () => {
		const { bindings } = await bind();
		expect(problem(bindings.call(1999, "[]", undefined)).code).toBe("unsupported");
		expect(problem(bindings.call("constructor" as never, "[]", undefined)).code).toBe("unsupported");
	});

	test("the first failure that a guest reports is kept as it was said, with no code but its own two", async () => {
		const { bindings } = await bind();
		expect(bindings.reported).toBeUndefined();
		bindings.call(sandboxOperations.fail, '["internal"]', "{not read");
		bindings.call(sandboxOperations.fail, '["invalid-output"]', "{}");
		expect(bindings.reported).toEqual({ code: "script-error", said: "{not read" });
		const other = (await bind()).bindings;
		other.call(sandboxOperations.fail, '["invalid-output"]', "{}");
		expect(other.reported).toEqual({ code: "invalid-output", said: "{}" });
	});

	const fetched: unknown[] = [];
	const fetching: Partial<Surroundings> = {
		fetch: (request) => {
			fetched.push(request);
			return new Promise(() => {});
		},
	};

	test.each([
		["sleep", sandboxOperations.sleep, `[${"1".repeat(1100)}]`],
		["cancel", sandboxOperations.cancel, `[${"{},".repeat(500_000)}1]`],
		["print", sandboxOperations.print, `["stdout"${",[]".repeat(500_000)}]`],
		["random", sandboxOperations.random, `[1,"${"x".repeat(2000)}"]`],
		["fail", sandboxOperations.fail, `["script-error"${',{"33":1}'.repeat(100_000)}]`],
		["fetch", sandboxOperations.fetch, `["http://x/${"x".repeat(300_000)}","GET",[],"follow"]`],
	])("parameters of %s that are longer than any it takes are refused unread", async (_, operation, params) => {
		const { bindings, printed } = await bind({}, fetching);
		const { code, message } = problem(bindings.call(operation, params, undefined));
		expect({ code, message }).toEqual({ code: "too-large", message: expect.stringContaining(String(params.length)) });
		expect([bindings.pending, bindings.reported, printed, fetched]).toEqual([0, undefined, [], []]);
	});

	test("a fetch with more values than any request has is refused before it is parsed", async () => {
		const { bindings } = await bind({}, fetching);
		const values = `["http://x/","GET",[],"follow"${',{"33":1}'.repeat(2_000)}`;
		for (const params of [`${values}]`, values])
			expect(problem(bindings.call(sandboxOperations.fetch, params, undefined))).toMatchObject({
				code: "invalid",
				message: "The parameters of fetch hold too many values.",
			});
		const headers = Array.from({ length: 200 }, (_, index) => [`x-${index}`, "a,[{b"]);
		const params = JSON.stringify(["http://x/", "GET", headers, "follow"]);
		expect(typeof bindings.call(sandboxOperations.fetch, params, undefined)).toBe("number");
		expect(fetched.splice(0)).toHaveLength(1);
	});
});

describe("limits", () => {
	test("one host call too many ends the run and names the limit", async () => {
		const { bindings } = await bind({ limits: { maxHostCalls: 3 } });
		for (let call = 0; call < 3; call++) expect(bindings.call(indexOf("condition.get"), "[]", undefined)).toBe("");
		expect(bindings.failure).toBeUndefined();
		const { code, details } = problem(bindings.call(indexOf("condition.get"), "[]", undefined));
		expect(code).toBe("too-large");
		const limit = { name: "maxHostCalls", value: 3, unit: "calls" };
		expect(details).toEqual({ limit });
		expect(bindings.failure).toEqual({
			code: "host-calls-exceeded",
			message: "The run made more than 3 calls to the host (maxHostCalls).",
			limit,
		});
	});

	test.each([
		["sleep", sandboxOperations.sleep, "[1000]"],
		["fetch", sandboxOperations.fetch, '["http://x/","GET",[],"follow"]'],
	])("one pending %s too many ends the run and names the limit", async (_, operation, params) => {
		const { bindings } = await bind({ limits: { maxPendingCalls: 2 } }, { fetch: () => new Promise(() => {}) });
		expect(typeof bindings.call(operation, params, undefined)).toBe("number");
		expect(typeof bindings.call(operation, params, undefined)).toBe("number");
		problem(bindings.call(operation, params, undefined));
		expect(bindings.failure).toMatchObject({ code: "pending-calls-exceeded", limit: { name: "maxPendingCalls", value: 2 } });
		expect(bindings.pending).toBe(2);
	});

	/** Writes that are answered when the test says so. */
	async function bindLate(limits: RunSetup["limits"] = {}) {
		const run = await startRun({ limits });
		const waiting: (() => void)[] = [];
		const set = () => new Promise<string>((resolve) => waiting.push(() => resolve("v1")));
		const helpers = { ...run.helpers, variables: { ...run.helpers.variables, set } };
		const bindings = createBindings(run.execution, helpers, { seed: drawSeed(), print: () => {} });
		open.push(bindings);
		const write = (characters: number): string | number =>
			bindings.call(indexOf("variables.set"), '["k"]', JSON.stringify("x".repeat(characters - 2)));
		const answer = async (): Promise<void> => {
			for (const release of waiting.splice(0)) release();
			await waitMs(1);
		};
		return { bindings, write, answer };
	}

	test("values of pending calls over maxPendingBytes end the run and name the limit", async () => {
		const { bindings, write } = await bindLate({ maxPendingBytes: 100_000 });
		for (let call = 0; call < 3; call++) expect(typeof write(30_000)).toBe("number");
		expect(bindings.failure).toBeUndefined();
		expect(problem(write(30_000)).code).toBe("too-large");
		expect(bindings.failure).toEqual({
			code: "pending-calls-exceeded",
			message: "The calls of the run that wait for their answer hold more than 100000 bytes (maxPendingBytes).",
			limit: { name: "maxPendingBytes", value: 100_000, unit: "bytes" },
		});
	});

	test("a call that was answered makes room for the values of others", async () => {
		const { bindings, write, answer } = await bindLate({ maxPendingBytes: 100_000 });
		for (let round = 0; round < 5; round++) {
			for (let call = 0; call < 3; call++) expect(typeof write(30_000)).toBe("number");
			await answer();
			expect(bindings.pending).toBe(0);
		}
		expect(bindings.failure).toBeUndefined();
	});

	test("a cancelled call holds its value until the host is done with it", async () => {
		const { bindings, write, answer } = await bindLate({ maxPendingBytes: 100_000 });
		const cancel = (callId: string | number) => bindings.call(sandboxOperations.cancel, `[${callId}]`, undefined);
		for (let call = 0; call < 3; call++) cancel(write(30_000));
		expect(bindings.pending).toBe(0);
		await answer();
		for (let call = 0; call < 3; call++) cancel(write(30_000));
		expect(bindings.failure).toBeUndefined();
		problem(write(30_000));
		expect(bindings.failure).toMatchObject({ limit: { name: "maxPendingBytes" } });
	});

	test("the body of a fetch counts, in bytes", async () => {
		const { bindings } = await bind({ limits: { maxPendingBytes: 100_000 } }, { fetch: () => new Promise(() => {}) });
		const params = '["http://x/","POST",[],"follow"]';
		expect(typeof bindings.call(sandboxOperations.fetch, params, "é".repeat(40_000))).toBe("number");
		problem(bindings.call(sandboxOperations.fetch, params, "é".repeat(20_000)));
		expect(bindings.failure).toMatchObject({ code: "pending-calls-exceeded", limit: { name: "maxPendingBytes" } });
	});

	test("a cancelled call makes room for another", async () => {
		const { bindings } = await bind({ limits: { maxPendingCalls: 1 } });
		for (let round = 0; round < 5; round++) {
			const callId = bindings.call(sandboxOperations.sleep, "[1000]", undefined) as number;
			expect(bindings.call(sandboxOperations.cancel, `[${callId}]`, undefined)).toBe("");
		}
		expect(bindings.failure).toBeUndefined();
		expect(bindings.pending).toBe(0);
	});

	test("printing is not counted: maxLogBytes bounds it and the run goes on", async () => {
		const { bindings, printed } = await bind({ limits: { maxHostCalls: 0 } });
		expect(bindings.call(sandboxOperations.print, '["stderr"]', "text\n")).toBe("");
		expect(printed).toEqual(["stderr: text\n"]);
		expect(problem(bindings.call(sandboxOperations.print, '["stdin"]', "text")).code).toBe("invalid");
	});

	test("a returned value over maxOutputBytes ends the run; bytes are counted, not characters", async () => {
		const { bindings } = await bind({ limits: { maxOutputBytes: 10 } });
		bindings.call(sandboxOperations.return, "[]", '"ééééé"');
		expect(bindings.returned).toBeUndefined();
		expect(bindings.failure).toMatchObject({
			code: "output-exceeded",
			limit: { name: "maxOutputBytes", value: 10, unit: "bytes" },
		});
		const fits = (await bind({ limits: { maxOutputBytes: 10 } })).bindings;
		fits.call(sandboxOperations.return, "[]", '"éééé"');
		expect(fits.returned).toBe('"éééé"');
		expect(fits.failure).toBeUndefined();
	});
});

describe("the sandbox's own operations", () => {
	test("a sleep is answered when its time has passed, never from inside the call", async () => {
		const { bindings, answers, answered } = await bind();
		const callId = bindings.call(sandboxOperations.sleep, "[0]", undefined);
		expect(answers).toEqual([]);
		expect(bindings.pending).toBe(1);
		const keptAlive = waitMs(50);
		await answered(1);
		expect(answers).toEqual([[callId, ""]]);
		await keptAlive;
	});

	test("random bytes are as many as asked for, and not the same twice", async () => {
		const { bindings } = await bind();
		const random = (count: unknown): string =>
			String(bindings.call(sandboxOperations.random, JSON.stringify([count]), undefined));
		const bytes = (answer: string): Buffer => Buffer.from(JSON.parse(answer), "base64");
		expect(bytes(random(16))).toHaveLength(16);
		expect(random(16)).not.toBe(random(16));
		expect(bytes(random(65_536))).toHaveLength(65_536);
		for (const count of [65_537, -1, 1.5, "1", null]) expect(problem(random(count)).code).toBe("invalid");
	});

	test("fetch without hosts is denied and says what would allow it", async () => {
		const { bindings } = await bind();
		const { code, message } = problem(
			bindings.call(sandboxOperations.fetch, '["https://api.example:8443/x","GET",[],"follow"]', undefined),
		);
		expect(code).toBe("denied");
		expect(message).toContain("--allow-host api.example:8443");
	});

	test.each(["", "[", "[5]", `["${"x".repeat(5_000_000)}"]`, `[${"{},".repeat(1_000_000)}1]`, '["\\u0068ttp://x/"]'])(
		"fetch without hosts is denied whatever it was given",
		async (params) => {
			const { bindings } = await bind();
			expect(problem(bindings.call(sandboxOperations.fetch, params, undefined))).toMatchObject({
				code: "denied",
				message: "fetch is refused: the run was given no hosts.",
			});
		},
	);

	test("fetch is handed the request and answers the response, or the error", async () => {
		const response: FetchResponse = { url: "http://x/", status: 200, statusText: "OK", redirected: false, headers: [], body: "" };
		const requests: unknown[] = [];
		const { bindings, answers, answered } = await bind(
			{},
			{
				fetch: async (request) => {
					requests.push(request);
					if (requests.length > 1) throw new RuntimeError("unavailable", "gone");
					return response;
				},
			},
		);
		const params = '["http://x/","POST",[["a","b"]],"manual"]';
		bindings.call(sandboxOperations.fetch, params, "aGk=");
		bindings.call(sandboxOperations.fetch, params, undefined);
		await answered(2);
		expect(requests).toEqual([
			{ url: "http://x/", method: "POST", headers: [["a", "b"]], redirect: "manual", body: "aGk=" },
			{ url: "http://x/", method: "POST", headers: [["a", "b"]], redirect: "manual" },
		]);
		expect(answers[0]?.[1]).toBe(JSON.stringify(response));
		expect(problem(answers[1]?.[1] as string)).toMatchObject({ code: "unavailable", message: "gone" });
	});

	test("a cancelled fetch is aborted and not answered, as is one whose run is cancelled", async () => {
		const signals: AbortSignal[] = [];
		const { run, bindings, answers } = await bind(
			{},
			{
				fetch: (_, signal) => {
					signals.push(signal);
					return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
				},
			},
		);
		const params = '["http://x/","GET",[],"follow"]';
		const callId = bindings.call(sandboxOperations.fetch, params, undefined);
		bindings.call(sandboxOperations.cancel, `[${callId}]`, undefined);
		expect(signals[0]?.aborted).toBe(true);
		bindings.call(sandboxOperations.fetch, params, undefined);
		run.cancel();
		expect(signals[1]?.aborted).toBe(true);
		await waitMs(5);
		expect(answers.map(([id]) => id)).not.toContain(callId);
	});

	test("after close nothing is answered, no timer is left and every call is refused", async () => {
		let release = (_: FetchResponse): void => {};
		const { bindings, answers } = await bind(
			{},
			{
				fetch: () =>
					new Promise((resolve) => {
						release = resolve;
					}),
			},
		);
		bindings.call(sandboxOperations.sleep, "[1]", undefined);
		bindings.call(sandboxOperations.fetch, '["http://x/","GET",[],"follow"]', undefined);
		bindings.close();
		expect(bindings.pending).toBe(0);
		release({ url: "", status: 200, statusText: "", redirected: false, headers: [], body: "" });
		await waitMs(10);
		expect(answers).toEqual([]);
		expect(problem(bindings.call(indexOf("condition.get"), "[]", undefined)).code).toBe("cancelled");
	});
});
