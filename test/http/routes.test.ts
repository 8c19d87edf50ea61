import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { scopes } from "../../host/contract/generated/types.ts";
import { type Door, type DoorRun, openDoor } from "./door.ts";
import { exchange, sendRequest } from "./send-request.ts";

let door: Door;
let run: DoorRun;
beforeAll(async () => {
	door = await openDoor();
	run = await door.startRun({ input: "[1.0]", event: { id: "e" } });
});
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await run.end();
	await door[Symbol.asyncDispose]();
});

/** Every route of the contract with a body that it takes. `variables.get` and `get-entry` share one. */
const routes = operations.filter(({ http }) => http.servedBy === undefined);
const bodies: Readonly<Record<string, string>> = {
	setOutput: "{}",
	setVariable: "1",
	incrementVariable: "2",
	setCondition: "false",
	writeLog: '{"level":"warn","message":"a","fields":{"n":1.0}}',
};
const pathOf = ({ http }: (typeof routes)[number]) => http.path.replace("{key}", "n");

test.each(routes)(
	"$sdkName is served at $http.method $http.path, with its status and the state of the rate",
	async (operation) => {
		await run.call("PUT", "/v1/variables/n", "1");
		const answer = await run.call(operation.http.method, pathOf(operation), bodies[operation.sdkName]);
		expect(answer).toMatchObject({ status: operation.http.status });
		expect(answer.headers).toMatchObject({
			ratelimit: expect.stringMatching(/^"run";r=\d+;t=1$/),
			"ratelimit-policy": '"run";q=1000;w=1',
			"cache-control": "no-store",
			"x-content-type-options": "nosniff",
		});
		if (operation.http.status !== 204) expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
	},
);

test.each(routes)("$sdkName is denied to a token without $scope, and the refusal is in the journal", async (operation) => {
	const narrow = await door.startRun({}, { scopes: scopes.filter((scope) => scope !== operation.scope) });
	const answer = await narrow.call(operation.http.method, pathOf(operation), bodies[operation.sdkName]);
	expect(answer).toMatchObject({ status: 403, body: { code: "denied", detail: expect.stringContaining(operation.scope) } });
	await narrow.end();
	const [entry] = await door.host.executions.journal(narrow.id);
	expect(entry).toMatchObject({ error: { code: "denied" }, callId: answer.body.instance.replace("urn:cronium:call:", "") });
});

test.each(routes)("$sdkName answers nothing without a token", async ({ http }) => {
	const answer = await sendRequest(door, http.method, http.path.replace("{key}", "n"));
	expect(answer).toMatchObject({
		status: 401,
		body: { code: "unauthenticated", detail: "The Authorization header is missing." },
	});
	expect(answer.headers["www-authenticate"]).toBe("Bearer");
	expect(answer.headers.ratelimit).toBeUndefined();
});

describe("what is no route", () => {
	test.each([
		["GET", "/"],
		["GET", "/v1"],
		["GET", "/v1/"],
		["GET", "/v1/input/"],
		["GET", "/V1/input"],
		["GET", "/v1//input"],
		["GET", "/v1/variables/a/b"],
		["GET", "/v1/../v1/input"],
		["GET", "/v1/%69nput/x"],
		["POST", "/v1/nowhere"],
		["GET", "/control/v1/runs"],
		["GET", "*"],
	])("%s %s is not found, whatever body comes with it", async (method, path) => {
		const answer = await run.call(method, path, method === "POST" ? "{" : undefined);
		expect(answer).toMatchObject({ status: 404, body: { code: "not-found", status: 404 } });
	});

	test.each([
		["POST", "/v1/input", "GET"],
		["HEAD", "/v1/input", "GET"],
		["OPTIONS", "/v1/input", "GET"],
		["TRACE", "/v1/input", "GET"],
		["PROPFIND", "/v1/input", "GET"],
		["PATCH", "/v1/variables/a%2Fb", "GET, PUT, DELETE"],
		["GET", "/v1/variables/a/increment", "POST"],
		["GET", "/v1/token", "POST"],
		["DELETE", "/healthz", "GET"],
	])("%s %s is no method of this route, which has %s", async (method, path, allowed) => {
		const answer = await run.call(method, path);
		expect(answer.status).toBe(405);
		expect((answer.headers.allow ?? "").split(", ").sort()).toEqual(allowed.split(", ").sort());
		if (method !== "HEAD") expect(answer.body).toMatchObject({ code: "not-found", status: 405 });
	});

	test("a method that Fastify knows more about than the routes is refused, too", async () => {
		// Without a content type it is an error of Fastify's own.
		for (const path of ["/v1/input", "/v1/nowhere", "/healthz"])
			expect(await run.call("QUERY", path), path).toMatchObject({
				status: 400,
				body: { code: "invalid", detail: "The request is malformed." },
			});
	});

	test("a method cannot be changed by a header or a query", async () => {
		const headers = { "x-http-method-override": "DELETE", "x-method-override": "DELETE" };
		await run.call("PUT", "/v1/variables/kept", "1");
		await run.call("GET", "/v1/variables/kept", undefined, headers);
		expect(await run.call("GET", "/v1/variables/kept?_method=DELETE")).toMatchObject({ status: 400 });
		expect(await run.call("GET", "/v1/variables/kept")).toMatchObject({ status: 200 });
	});

	test("another host in the request line or the header leads to no other route", async () => {
		const answer = await exchange(
			door,
			`GET http://elsewhere.example/v1/input HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b\r\nAuthorization: Bearer ${run.token}\r\nConnection: close\r\n\r\n`,
		);
		expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\n\[1\.0\]$/);
	});
});

describe("what everybody may ask", () => {
	test("health and the OpenAPI document as it is published", async () => {
		expect(await sendRequest(door, "GET", "/healthz")).toMatchObject({ status: 200, body: { status: "ok" } });
		expect(await sendRequest(door, "GET", "/readyz")).toMatchObject({ status: 200, body: { status: "ready" } });
		const published = JSON.parse(readFileSync(join(import.meta.dirname, "../../guest-sdks/openapi.json"), "utf8"));
		expect((await sendRequest(door, "GET", "/openapi.json")).body).toEqual(published);
	});

	test("readiness ends before the server does", async () => {
		let ready = true;
		await using other = await openDoor({ isReady: () => ready });
		expect(await sendRequest(other, "GET", "/readyz")).toMatchObject({ status: 200 });
		ready = false;
		expect(await sendRequest(other, "GET", "/readyz")).toMatchObject({ status: 503, body: { code: "unavailable" } });
		expect(await sendRequest(other, "GET", "/healthz")).toMatchObject({ status: 200 });
	});
});
