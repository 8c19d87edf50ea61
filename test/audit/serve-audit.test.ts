import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openAuditTrail } from "../../host/index.ts";
import { serve } from "../../host/serve.ts";
import { temporaryDirectory } from "../store/directory.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
	directory = temporaryDirectory();
});
afterEach(() => directory.remove());

test("a server tells the audit log what operators do, who failed to prove who they are, and what runs from elsewhere have changed", async () => {
	const anywhere = { host: "127.0.0.1", port: 0 };
	const server = await serve({
		dataDirectory: directory.path,
		listen: anywhere,
		controlListen: anywhere,
		drainMs: 0,
		limits: { maxWorkers: 1 },
	});
	const credential = readFileSync(join(directory.path, "keys", "operator.token"), "utf8").trim();
	const control = async (method: string, path: string, body?: string, token = credential) => {
		const headers = { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }) };
		const answer = await fetch(`${server.controlUrl}/control/v1${path}`, {
			method,
			headers,
			...(body !== undefined && { body }),
		});
		// biome-ignore lint/suspicious/noExplicitAny: what it is depends on the route, and the test says what it expects.
		return { status: answer.status, body: (await answer.json().catch(() => undefined)) as any };
	};
	const { body: run } = await control("POST", "/runs", '{"mode":"external","namespace":"shop","scopes":["variables:write"]}');
	const { body: issued } = await control("POST", `/runs/${run.id}/tokens`, "{}");
	const script = (method: string, path: string, token: string, body?: string) =>
		fetch(`${server.url}/v1${path}`, {
			method,
			headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { "content-type": "application/json" }) },
			...(body !== undefined && { body }),
		});
	expect((await script("PUT", "/variables/k", issued.token, '"secret-value"')).status).toBeLessThan(300);
	expect((await script("GET", "/input", issued.token)).status).toBe(403);
	for (let index = 0; index < 20; index++) {
		expect((await script("GET", "/input", "secret-token")).status).toBe(401);
		expect((await control("GET", "/runs", undefined, "secret-credential")).status).toBe(401);
	}
	expect((await fetch(`${server.controlUrl}/control/v1/runs`)).status).toBe(401);
	expect((await control("PUT", "/namespaces/shop/variables/v", '"secret-value"')).status).toBeLessThan(300);
	expect((await control("PUT", "/namespaces/shop/variables/v", "{")).status).toBe(400);
	await control("DELETE", `/runs/${run.id}/tokens`);
	await server.close();

	await using trail = await openAuditTrail(directory.path);
	expect((await trail.verify()).problems).toEqual([]);
	const all = await trail.list();
	const texts = JSON.stringify(all);
	for (const secret of ["secret", credential, issued.token]) expect(texts).not.toContain(secret);
	const entries = all.map(({ entry }) => entry);
	const of = (type: string) => entries.filter((entry) => entry.type === type);
	expect(of("control").map(({ action, actor }) => [action, actor])).toEqual([
		["host.start", "host"],
		["start-run", "operator"],
		["mint-token", "operator"],
		["variables.set", "operator"],
		["revoke-token", "operator"],
		["host.stop", "host"],
	]);
	expect(of("control")[3]).toMatchObject({ namespace: "shop", key: "v" });
	expect(of("effect")).toMatchObject([{ execution: run.id, namespace: "shop", operation: "variables.set", key: "k" }]);
	expect(of("denied")).toMatchObject([{ execution: run.id, operation: "io.get-input", scope: "input:read" }]);
	const failures = of("authentication-failure");
	const count = (door: string) =>
		failures.filter((entry) => entry.door === door).reduce((sum, entry) => sum + (entry.count as number), 0);
	expect([count("bridge"), count("control")]).toEqual([20, 21]);
	expect(failures.length).toBeLessThanOrEqual(6);
	expect(failures[0]).toMatchObject({ reason: expect.any(String), addresses: ["127.0.0.1"] });
});
