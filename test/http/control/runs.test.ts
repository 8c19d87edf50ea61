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

const script = (source: string) => ({ name: "test.js", source });
const waiting = script(
	'import { setOutput } from "cronium"; await setOutput(1); await new Promise((r) => setTimeout(r, 60_000))',
);

test("a run is durable when it is answered, is waited for, and keeps its numbers as they were written", async () => {
	const { call } = server;
	const started = await call(
		"POST",
		"/control/v1/runs",
		`{"script":${JSON.stringify(script('import { getVariable, setOutput } from "cronium"; await setOutput({ a: await getVariable("a") })'))},
		  "input":1.0,"variables":{"a":2.50},"namespace":"numbers","event":{"id":"e1"},"limits":{"maxWallTimeMs":20000},"scopes":["variables:read","output:write"]}`,
	);
	expect(started.status).toBe(201);
	const { id } = started.body as { id: string };
	expect(started.headers.get("location")).toBe(`/control/v1/runs/${id}`);
	expect(started.body).toMatchObject({
		namespace: "numbers",
		mode: "sandbox",
		event: { id: "e1" },
		limits: { maxWallTimeMs: 20_000 },
	});
	const ended = await call("GET", `/control/v1/runs/${id}/outcome?waitMs=20000`);
	expect(ended).toMatchObject({ status: 200, body: { executionId: id, status: "succeeded", output: { a: 2.5 } } });
	expect((await call("GET", `/control/v1/runs/${id}`)).body).toMatchObject({ status: "succeeded", exitCode: 0 });
	const { text } = await call("GET", "/control/v1/namespaces/numbers/variables/a");
	expect(text).toBe("2.50");
	const journal = await call("GET", `/control/v1/runs/${id}/journal?limit=1`);
	expect(journal.body.entries).toMatchObject([{ sequence: 1, operation: "variables.get" }]);
	expect(server.actions.at(-1)).toEqual({ action: "start-run", execution: id, namespace: "numbers", actor: "operator" });
});

test("the outcome of a run that has not ended is 202 with the run, and cancelling answers with its outcome", async () => {
	const { call } = server;
	const { id } = (await call("POST", "/control/v1/runs", { script: waiting })).body;
	expect(await call("GET", `/control/v1/runs/${id}/outcome?waitMs=50`)).toMatchObject({ status: 202, body: { id } });
	const waited = call("GET", `/control/v1/runs/${id}/outcome?waitMs=20000`);
	expect(await call("POST", `/control/v1/runs/${id}/cancel`)).toMatchObject({
		status: 200,
		body: { status: "cancelled", exitCode: 130 },
	});
	expect(await waited).toMatchObject({ status: 200, body: { status: "cancelled" } });
	// A second time it stays as it is.
	expect(await call("POST", `/control/v1/runs/${id}/cancel`)).toMatchObject({ status: 200, body: { status: "cancelled" } });
	expect(server.actions.at(-1)).toMatchObject({ action: "cancel-run", execution: id });
});

test("the same request with the same idempotency key starts one run, also while the first is under way", async () => {
	const { call } = server;
	const body = { script: script("export default () => 1"), namespace: "once" };
	const key = { "idempotency-key": "once-1" };
	const answers = await Promise.all([1, 2, 3].map(() => call("POST", "/control/v1/runs", body, key)));
	expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
	const other = await call("POST", "/control/v1/runs", { ...body, input: 1 }, key);
	expect(other).toMatchObject({ status: 422, body: { code: "idempotency-mismatch" } });
	const { body: listed } = await call("GET", "/control/v1/runs?namespace=once");
	expect(listed.runs).toHaveLength(1);
	// A request that failed has not used its key.
	const retry = { "idempotency-key": "once-2" };
	expect(await call("POST", "/control/v1/runs", { script: { bundle: "sha256:none" } }, retry)).toMatchObject({ status: 404 });
	expect(await call("POST", "/control/v1/runs", body, retry)).toMatchObject({ status: 201 });
});

test("runs are listed page by page, the newest first, by namespace and status", async () => {
	const { call } = server;
	const ids: string[] = [];
	for (let index = 0; index < 5; index++) {
		const { body } = await call("POST", "/control/v1/runs", { script: script("export default () => 1"), namespace: "pages" });
		ids.unshift(body.id);
		await call("GET", `/control/v1/runs/${body.id}/outcome?waitMs=20000`);
	}
	const found: string[] = [];
	let next: string | undefined;
	do {
		const { body } = await call(
			"GET",
			`/control/v1/runs?namespace=pages&status=succeeded&limit=2${next ? `&before=${next}` : ""}`,
		);
		expect(body.runs.length).toBeLessThanOrEqual(2);
		found.push(...body.runs.map(({ id }: { id: string }) => id));
		next = body.next;
	} while (next !== undefined);
	expect(found).toEqual(ids);
	expect((await call("GET", "/control/v1/runs?namespace=pages&status=failed")).body).toEqual({ runs: [] });
});

test("an external run is ended by its report, which counts once", async () => {
	const { call } = server;
	const { id } = (await call("POST", "/control/v1/runs", { mode: "external", input: [1] })).body;
	expect(
		await call("POST", `/control/v1/runs/${id}/end`, '{"status":"failed","message":"exit code 3","output":1.0}'),
	).toMatchObject({
		status: 200,
		text: expect.stringContaining('"output":1.0'),
		body: { status: "failed", exitCode: 1, error: { code: "script-error", message: "exit code 3" } },
	});
	expect(await call("POST", `/control/v1/runs/${id}/end`, { status: "succeeded" })).toMatchObject({
		status: 409,
		body: { code: "cancelled" },
	});
	expect((await call("GET", `/control/v1/runs/${id}`)).body).toMatchObject({ status: "failed", mode: "external" });
});

test.each([
	["an unknown member", { scripts: 1 }, "body must NOT have additional properties: scripts."],
	["a script without a source", { script: { name: "a.js" } }, "source"],
	["no script", {}, "script is missing"],
	["an external run with a script", { mode: "external", script: { name: "a.js", source: "" } }, "no script"],
	[
		"an external run with hosts",
		{ mode: "external", allowedHosts: ["a.example"] },
		"allowedHosts is for runs that this host starts",
	],
	["an unknown limit", { script: { name: "a.js", source: "" }, limits: { maxThings: 1 } }, "maxThings"],
	["a limit of the host", { script: { name: "a.js", source: "" }, limits: { maxWorkers: 1 } }, "maxWorkers"],
	["a limit out of range", { script: { name: "a.js", source: "" }, limits: { maxWallTimeMs: 0 } }, "maxWallTimeMs is 0"],
	["a malformed namespace", { script: { name: "a.js", source: "" }, namespace: "../x" }, "namespace"],
	["an unknown scope", { script: { name: "a.js", source: "" }, scopes: ["everything"] }, "scopes"],
	["an event with an unknown field", { script: { name: "a.js", source: "" }, event: { colour: 1 } }, "colour"],
	["a body twice named", '{"input":1,"input":2}', "twice"],
	["a body that is no object", "[]", "body must be object"],
	["malformed JSON", "{", "the body is not JSON"],
])("%s is refused", async (_name, body, message) => {
	const answer = await server.call("POST", "/control/v1/runs", body);
	expect(answer).toMatchObject({ status: 400, body: { code: "invalid", detail: expect.stringContaining(message) } });
	expect(answer.headers.get("content-type")).toContain("application/problem+json");
});

test("what does not exist is not found", async () => {
	const { call } = server;
	for (const [method, path] of [
		["GET", "/control/v1/runs/none"],
		["GET", "/control/v1/runs/none/outcome"],
		["GET", "/control/v1/runs/none/logs"],
		["GET", "/control/v1/runs/none/journal"],
		["POST", "/control/v1/runs/none/cancel"],
		["DELETE", "/control/v1/bundles/none"],
		["DELETE", "/control/v1/runs/none/tokens"],
		["GET", "/control/v1/nothing"],
	] as const)
		expect(await call(method, path), `${method} ${path}`).toMatchObject({ status: 404, body: { code: "not-found" } });
});

test("nothing is answered without the operator's credential, before a body is read", async () => {
	for (const authorization of ["", "Bearer", "Bearer wrong", "Basic b3BlcmF0b3I6eA==", "Bearer a b"]) {
		const response = await fetch(`${server.url}/control/v1/runs`, {
			method: "POST",
			headers: { authorization, "content-type": "application/json" },
			body: "{ not json",
		});
		expect(response.status).toBe(401);
		expect(response.headers.get("www-authenticate")).toBe("Bearer");
		expect(await response.json()).toMatchObject({ code: "unauthenticated" });
	}
	expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
});

test("a body over the limit is refused by its length", async () => {
	await using small = await openControlServer({ maxControlBodyBytes: 65_536 });
	const answer = await small.call("POST", "/control/v1/runs", { script: { name: "a.js", source: "x".repeat(70_000) } });
	expect(answer).toMatchObject({
		status: 413,
		body: { code: "too-large", limit: { name: "maxControlBodyBytes", value: 65_536 } },
	});
	expect(await small.call("GET", "/control/v1/runs")).toMatchObject({ status: 200 });
});
