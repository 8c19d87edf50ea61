import { afterAll, beforeAll, expect, test } from "vitest";
import { json } from "../conformance/conformance-case.ts";
import { forEverySdk } from "./every-sdk.ts";
import { type Answer, cutOff, hangUp, openScriptedServer, problem, type ScriptedServer, value } from "./scripted-server.ts";

const token = "not-a-jwt.but-a-token";

forEverySdk(({ enter, call }) => {
	let server: ScriptedServer;
	beforeAll(async () => {
		server = await openScriptedServer();
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token });
	});
	afterAll(() => server[Symbol.asyncDispose]());
	const keys = (): unknown[] => server.received.map(({ headers }) => headers["idempotency-key"]);

	test.each([
		["the connection is closed before an answer", hangUp],
		["the answer is cut off", cutOff],
		["the server is over its rate", problem(429, "rate-limited", { retryAfterMs: 20 })],
		["the server cannot answer now", problem(503, "unavailable", { retryAfterMs: 20 })],
		["a proxy has no server", (response) => void response.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad")],
		["a proxy has waited", (response) => void response.writeHead(504).end()],
	] satisfies [string, Answer][])("calls again when %s, with the same idempotency key", async (_name, failure) => {
		server.answer(failure, failure, value("7"));
		expect(await call("incrementVariable", "n")).toBe(7);
		expect(keys()).toHaveLength(3);
		expect(keys()[0]).toMatch(/^[0-9a-f-]{36}$/);
		expect(new Set(keys()).size).toBe(1);
	});

	test.each([
		[400, "invalid"],
		[403, "denied"],
		[409, "cancelled"],
		[412, "conflict"],
		[413, "too-large"],
		[422, "idempotency-mismatch"],
		[500, "internal"],
		[501, "unsupported"],
		[502, "tool-failed"],
		[504, "timed-out"],
	] as const)("takes the problem %i %s as it is", async (status, code) => {
		server.answer(problem(status, code), value("1"));
		await expect(call("incrementVariable", "n")).rejects.toMatchObject({ code, message: `This is ${code}.` });
		expect(server.received).toHaveLength(1);
	});

	test("a missing variable is an answer", async () => {
		server.answer(problem(404, "not-found"), value("1"));
		expect(await call("getVariable", "none")).toBeNull();
		expect(server.received).toHaveLength(1);
	});

	test("every call has a key of its own, and a read has none", async () => {
		server.answer(value("1"));
		await call("incrementVariable", "n");
		await call("incrementVariable", "n");
		await call("getVariable", "n");
		expect(new Set(keys()).size).toBe(3);
		expect(keys()[2]).toBeUndefined();
	});

	test("gives up after five tries, with what the last one said", async () => {
		server.answer(problem(503, "unavailable"));
		await expect(call("getVariable", "n")).rejects.toMatchObject({ code: "unavailable", message: "This is unavailable." });
		expect(server.received).toHaveLength(5);
	});

	test("does not wait for a server that asks for more than a minute", async () => {
		server.answer(problem(429, "rate-limited", {}, { "Retry-After": "61" }), value("1"));
		await expect(call("getVariable", "n")).rejects.toMatchObject({ code: "rate-limited" });
		server.answer(problem(503, "unavailable", { retryAfterMs: 60_001 }), value("1"));
		await expect(call("getVariable", "n")).rejects.toMatchObject({ code: "unavailable" });
		expect(server.received).toHaveLength(1);
	});

	test("waits as long as Retry-After says, unless the problem says it finer", async () => {
		const at: number[] = [];
		server.answer(
			(response, request) => {
				at.push(performance.now());
				problem(429, "rate-limited", {}, { "Retry-After": "1" })(response, request);
			},
			(response, request) => {
				at.push(performance.now());
				problem(429, "rate-limited", { retryAfterMs: 5 }, { "Retry-After": "50" })(response, request);
			},
			value("1"),
		);
		expect(await call("getVariable", "n")).toBe(1);
		// A wait has a lower bound, however slow the machine is.
		expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(990);
	});

	test("an answer that is not the runtime's is not quoted", async () => {
		server.answer(
			(response) => void response.writeHead(500, { "Content-Type": "text/html" }).end(`<p>secret of the proxy ${token}`),
		);
		const error = await call("getVariable", "n").catch((thrown: Error) => thrown);
		expect(error).toMatchObject({ code: "internal", message: expect.stringContaining("500") });
		expect((error as Error).message).not.toMatch(/secret|not-a-jwt/);
	});

	test("a server that has no runtime API is not a missing variable", async () => {
		server.answer((response) => void response.writeHead(404, { "Content-Type": "text/html" }).end("nothing here"));
		await expect(call("getVariable", "n")).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("404"),
		});
	});

	test("an answer of more than 64 MiB is refused", async () => {
		server.answer((response) => {
			response.writeHead(200, { "Content-Type": "application/json", "Content-Length": String(65 * 1024 * 1024) });
			const chunk = Buffer.alloc(1024 * 1024, "1");
			const send = (left: number): void => {
				if (left === 0 || response.destroyed) return void response.end();
				response.write(chunk, () => send(left - 1));
			};
			send(65);
		});
		await expect(call("getVariable", "n")).rejects.toMatchObject({ code: "too-large" });
	});

	test("what cannot be in a header is refused before anything is sent", async () => {
		server.answer(value("1"));
		for (const ifVersion of ["1\r\nX-Injected: 1", "1\n", '"', "ü"])
			await expect(call("deleteVariable", "a", { ifVersion })).rejects.toMatchObject({ code: "invalid" });
		await expect(call("setVariable", "a", json("1"), { ifVersion: "\r\n" })).rejects.toMatchObject({ code: "invalid" });
		expect(server.received).toEqual([]);
	});
});
