import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpStatus, RuntimeError } from "../../host/contract/errors.ts";
import { errorCodes, errorTitles } from "../../host/contract/generated/types.ts";
import { operationRoutes } from "../../host/http/routes.ts";
import { createServer, drainServer, sendProblem } from "../../host/http/server.ts";
import { Traffic } from "../../host/http/traffic.ts";
import { openDoor } from "./door.ts";
import { sendRequest } from "./send-request.ts";

const internalErrors: Error[] = [];
const server = createServer({ onInternalError: (error) => internalErrors.push(error) });
const secret = "ENOENT: /home/operator/data/keys/token.json";
let url: string;
beforeAll(async () => {
	server.get("/code/:code", (request, reply) => {
		const { code } = request.params as { code: (typeof errorCodes)[number] };
		const limit = { name: "maxValueBytes", value: 1, unit: "bytes" };
		return sendProblem(
			reply,
			new RuntimeError(code, "What is wrong.", { limit, currentVersion: "7", retryAfterMs: 1_500 }),
			"c1",
		);
	});
	server.get("/thrown", async () => {
		throw new Error(secret, { cause: new Error(secret) });
	});
	server.get("/text", async () => {
		throw secret;
	});
	server.get("/nothing", async () => {
		throw null;
	});
	server.get("/status", async () => {
		throw Object.assign(new Error(secret), { statusCode: 400, code: "EACCES", path: secret, headers: { "x-secret": secret } });
	});
	url = await server.listen({ host: "127.0.0.1", port: 0 });
});
afterAll(() => drainServer(server, 100));

test.each(errorCodes)("%s has its status, its title and what is known of it", async (code) => {
	const answer = await sendRequest({ url }, "GET", `/code/${code}`);
	expect(answer.status).toBe(httpStatus[code]);
	expect(answer.headers).toMatchObject({
		"content-type": "application/problem+json; charset=utf-8",
		"cache-control": "no-store",
		// Whole seconds, and never too early.
		"retry-after": "2",
	});
	expect(answer.headers["www-authenticate"]).toBe(code === "unauthenticated" ? "Bearer" : undefined);
	expect(answer.body).toEqual({
		type: `urn:cronium:error:${code}`,
		title: errorTitles[code],
		status: httpStatus[code],
		detail: "What is wrong.",
		instance: "urn:cronium:call:c1",
		code,
		limit: { name: "maxValueBytes", value: 1, unit: "bytes" },
		currentVersion: "7",
		retryAfterMs: 1_500,
	});
});

describe("a fault of the host", () => {
	test.each(["/thrown", "/text", "/nothing", "/status"])(
		"tells the client nothing, and the operator what it was: %s",
		async (path) => {
			internalErrors.length = 0;
			const answer = await sendRequest({ url }, "GET", path);
			expect(answer).toMatchObject({
				status: 500,
				body: { code: "internal", detail: "The runtime failed to answer this call." },
			});
			expect(JSON.stringify([answer.text, answer.headers])).not.toMatch(/ENOENT|operator|secret|\.ts|at /);
			expect(internalErrors).toHaveLength(1);
		},
	);
});

test("a helper that fails as none should tells the client nothing, and the operator what it was", async () => {
	await using door = await openDoor();
	const run = await door.host.open({});
	const failures: Error[] = [];
	const failing = createServer({ onInternalError: (error) => failures.push(error) });
	const getInput = (): never => {
		throw new Error(secret);
	};
	const getCondition = async (): Promise<never> => {
		throw new Error(secret);
	};
	const helpers = {
		...run.helpers,
		io: { ...run.helpers.io, getInput },
		condition: { ...run.helpers.condition, get: getCondition },
	};
	await failing.register(operationRoutes, {
		identify: () => ({ run: { ...run, helpers }, scopes: run.execution.scopes }),
		traffic: new Traffic(door.host.limits),
		renew: async () => ({ token: "", expiresAt: 0 }),
	});
	const target = { url: await failing.listen({ host: "127.0.0.1", port: 0 }) };
	for (const path of ["/v1/input", "/v1/condition"]) {
		const answer = await sendRequest(target, "GET", path);
		expect(answer).toMatchObject({ status: 500, body: { code: "internal", detail: "The runtime failed to answer this call." } });
	}
	expect(failures.map(({ message }) => message)).toEqual([secret, secret]);
	await drainServer(failing, 100);
	run.end({ status: "succeeded" });
	await run.outcome;
});

test("a message quotes hostile text so that it can break neither a line nor a header", async () => {
	const path = `/${encodeURIComponent("a\r\nSet-Cookie: b\u202e\u0000")}`;
	const answer = await sendRequest({ url }, "GET", path);
	expect(answer.status).toBe(404);
	expect(answer.headers["set-cookie"]).toBeUndefined();
	expect(answer.text).not.toMatch(/[\r\n\u202e\0]/);
});
