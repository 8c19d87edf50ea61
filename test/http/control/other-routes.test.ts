import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ControlServer, openControlServer } from "./control-server.ts";

let server: ControlServer;
beforeAll(async () => {
	server = await openControlServer();
});
afterAll(async () => {
	expect(server.internalErrors).toEqual([]);
	await server[Symbol.asyncDispose]();
});

test("tokens are minted for external runs, shown once, and revoked at once", async () => {
	const { call, tokens } = server;
	const { id } = (await call("POST", "/control/v1/runs", { mode: "external", scopes: ["input:read", "log:write"] })).body;
	const minted = await call("POST", `/control/v1/runs/${id}/tokens`, { scopes: ["input:read"], lifetimeMs: 5_000 });
	expect(minted).toMatchObject({ status: 201, body: { id: expect.any(String), token: expect.stringMatching(/^ey/) } });
	expect(minted.headers.get("cache-control")).toBe("no-store");
	expect(await tokens.identify(minted.body.token, "bridge")).toMatchObject({ scopes: ["input:read"] });
	const again = await call("POST", `/control/v1/runs/${id}/tokens`, {}, { "idempotency-key": "token" });
	const third = await call("POST", `/control/v1/runs/${id}/tokens`, {}, { "idempotency-key": "token" });
	expect(again.body.token).not.toBe(third.body.token);
	expect(await call("DELETE", `/control/v1/runs/${id}/tokens/${minted.body.id}`)).toMatchObject({ body: { revoked: 1 } });
	await expect((async () => tokens.identify(minted.body.token, "bridge"))()).rejects.toMatchObject({ code: "unauthenticated" });
	expect(await call("DELETE", `/control/v1/runs/${id}/tokens/${minted.body.id}`)).toMatchObject({ status: 404 });
	expect(await call("DELETE", `/control/v1/runs/${id}/tokens`)).toMatchObject({ body: { revoked: 2 } });
	expect(JSON.stringify(server.actions)).not.toContain(again.body.token);
});

test("a token has no scope that its run lacks, and none is made for a run in the sandbox or one that has ended", async () => {
	const { call } = server;
	const { id } = (await call("POST", "/control/v1/runs", { mode: "external", scopes: ["input:read"] })).body;
	expect(await call("POST", `/control/v1/runs/${id}/tokens`, { scopes: ["variables:write"] })).toMatchObject({
		status: 403,
		body: { code: "denied", detail: "The run does not have the scope variables:write." },
	});
	expect(await call("POST", `/control/v1/runs/${id}/tokens`, { audience: "everywhere" })).toMatchObject({ status: 400 });
	await call("POST", `/control/v1/runs/${id}/end`, { status: "succeeded" });
	expect(await call("POST", `/control/v1/runs/${id}/tokens`, {})).toMatchObject({ status: 409, body: { code: "cancelled" } });
	const { body } = await call("POST", "/control/v1/runs", { script: { name: "a.js", source: "" } });
	expect(await call("POST", `/control/v1/runs/${body.id}/tokens`, {})).toMatchObject({ status: 400, body: { code: "invalid" } });
});

test("variables of a namespace are managed by the rules that scripts have", async () => {
	const { call } = server;
	const path = "/control/v1/namespaces/shop/variables";
	const put = await call("PUT", `${path}/a%2Fb?expiresInMs=600000`, "1.50");
	expect(put).toMatchObject({ status: 200 });
	const version = put.headers.get("etag") as string;
	const got = await call("GET", `${path}/a%2Fb`);
	expect([got.text, got.headers.get("etag"), got.headers.get("cronium-updated-by")]).toEqual(["1.50", version, "operator"]);
	expect(await call("PUT", `${path}/a%2Fb`, "2", { "if-none-match": "*" })).toMatchObject({
		status: 412,
		body: { code: "conflict" },
	});
	expect(await call("PUT", `${path}/a%2Fb`, "2", { "if-match": version })).toMatchObject({ status: 200 });
	expect(await call("POST", `${path}/n/increment`, "2")).toMatchObject({ status: 200, text: "2" });
	expect((await call("GET", `${path}?prefix=a`)).body.items).toMatchObject([{ key: "a/b" }]);
	expect(await call("DELETE", `${path}/n`)).toMatchObject({ status: 200, text: "true" });
	expect(await call("GET", `${path}/n`)).toMatchObject({ status: 404 });
	expect(await call("GET", "/control/v1/namespaces/other/variables")).toMatchObject({ body: { items: [] } });
	expect(await call("PUT", `${path}/..%2f`, "{")).toMatchObject({ status: 400, body: { code: "invalid" } });
	expect(await call("GET", "/control/v1/namespaces/..%2Fx/variables/a")).toMatchObject({ status: 400 });
});

test("a bundle is kept once, run many times, and removed", async () => {
	const { call } = server;
	const bundle = { name: "b.js", source: "export default (n) => n * 2" };
	const { body } = await call("POST", "/control/v1/bundles", bundle);
	expect((await call("POST", "/control/v1/bundles", bundle)).body).toEqual(body);
	expect((await call("GET", "/control/v1/bundles")).body.bundles).toEqual([body]);
	for (const input of [1, 2]) {
		const started = await call("POST", "/control/v1/runs", { script: { bundle: body.id }, input });
		const ended = await call("GET", `/control/v1/runs/${started.body.id}/outcome?waitMs=20000`);
		expect(ended.body).toMatchObject({ status: "succeeded", output: input * 2 });
	}
	expect(await call("DELETE", `/control/v1/bundles/${body.id}`)).toMatchObject({ status: 204 });
	expect(await call("POST", "/control/v1/runs", { script: { bundle: body.id } })).toMatchObject({ status: 404 });
	expect(await call("POST", "/control/v1/bundles", { name: "../x\u0000", source: "" })).toMatchObject({ status: 400 });
});

test("the control API describes itself with a valid OpenAPI document that has every route", async () => {
	const { body } = await server.call("GET", "/control/openapi.json");
	expect(await new Validator().validate(structuredClone(body))).toEqual({ valid: true });
	const names = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>).flatMap((path) =>
		Object.values(path).map(({ operationId }) => operationId),
	);
	expect(new Set(names).size).toBe(names.length);
	expect(names.sort()).toEqual([
		"cancelRun",
		"deleteBundle",
		"deleteVariableOfNamespace",
		"endRun",
		"getHealth",
		"getJournal",
		"getLogs",
		"getOutcome",
		"getReadiness",
		"getRun",
		"getVariableEntryOfNamespace",
		"incrementVariableOfNamespace",
		"listBundles",
		"listRuns",
		"listVariablesOfNamespace",
		"makeSidecar",
		"mintToken",
		"revokeToken",
		"revokeTokens",
		"setVariableOfNamespace",
		"startRun",
		"uploadBundle",
	]);
});
