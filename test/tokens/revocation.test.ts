import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExternalRun } from "../../host/executors/external.ts";
import { type ControlServer, openControlServer } from "../http/control/control-server.ts";
import { type Door, type DoorRun, openDoor } from "../http/door.ts";
import { openConnection } from "../http/send-request.ts";

let door: Door;
beforeAll(async () => {
	door = await openDoor();
});
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await door[Symbol.asyncDispose]();
});

const externalOf = (run: DoorRun): ExternalRun => {
	const live = door.host.external(run.id);
	if (!live) throw new Error("The run is not under way.");
	return live;
};
const revoke = (run: DoorRun, id?: string): number => door.tokens.revoke(externalOf(run), id);
const idOf = (token: string): string => JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString()).jti;
const refusal = {
	status: 401,
	body: { code: "unauthenticated", detail: expect.stringMatching(/ended, or the token was revoked|not valid/) },
};

describe("the next call is refused", () => {
	/** What makes a token worthless. */
	const ends: readonly [string, (run: DoorRun) => unknown][] = [
		["it was revoked", (run) => revoke(run, idOf(run.token))],
		["all tokens of the run were revoked", (run) => revoke(run)],
		["its run has succeeded", (run) => void run.end()],
		["its run has failed", (run) => void run.end({ status: "failed" })],
		["its run was cancelled", (run) => void door.host.cancel(run.id)],
	];
	test.each(ends)("when %s, without waiting for anything", async (_name, end) => {
		const run = await door.startRun();
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		end(run);
		expect(await run.call("GET", "/v1/input")).toMatchObject(refusal);
		expect(await run.call("PUT", "/v1/variables/late", "1")).toMatchObject(refusal);
		expect(await run.call("POST", "/v1/token")).toMatchObject(refusal);
		await run.end();
		expect(await door.host.variables().get("late")).toBeUndefined();
	});

	test("when its run was over its deadline", async () => {
		const run = await door.startRun({ limits: { maxWallTimeMs: 300 } });
		expect(await run.outcome).toMatchObject({ status: "timed-out" });
		expect(await run.call("GET", "/v1/input")).toMatchObject(refusal);
	});

	test("when it had never been used before", async () => {
		const run = await door.startRun();
		revoke(run);
		expect(await run.call("GET", "/v1/input")).toMatchObject(refusal);
		await run.end();
	});
});

/** Begins a call, and holds its body back. */
async function beginCall(run: DoorRun, request: string, bytes: number) {
	const connection = await openConnection(door);
	connection.write(
		`${request} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\nExpect: 100-continue\r\n\r\n`,
	);
	// The token was good when the head of the request was read.
	await connection.received(/100 Continue/);
	return connection;
}

describe("a body that arrives", () => {
	test.each<[string, (run: DoorRun) => unknown]>([
		["after the run has ended", (run) => run.end()],
		["after the run was cancelled", (run) => door.host.cancel(run.id)],
		["after the token was revoked", (run) => revoke(run)],
	])("%s changes nothing", async (_name, end) => {
		const run = await door.startRun();
		using put = await beginCall(run, "PUT /v1/variables/held", 6);
		using output = await beginCall(run, "PUT /v1/output", 6);
		using condition = await beginCall(run, "PUT /v1/condition", 4);
		using log = await beginCall(run, "POST /v1/logs", 32);
		await end(run);
		put.write('"held"');
		output.write('"held"');
		condition.write("true");
		log.write('{"level":"info","message":"held"');
		log.write("}");
		for (const call of [put, output, condition]) expect(await call.received(/\}$/)).toMatch(/HTTP\/1\.1 401 /);
		const { output: kept, condition: set } = await run.end();
		expect([kept, set ?? null]).toEqual([undefined, null]);
		expect(await door.host.executions.logs(run.id)).toEqual([]);
		expect(await door.host.executions.journal(run.id)).toEqual([]);
		expect(await door.host.variables().get("held")).toBeUndefined();
	});

	test("after the token was revoked gets no new token", async () => {
		const run = await door.startRun();
		using renewal = await beginCall(run, "POST /v1/token", 2);
		revoke(run);
		renewal.write("{}");
		expect(await renewal.received(/\}$/)).toMatch(/HTTP\/1\.1 401 /);
		await run.end();
	});
});

test("one token is revoked, and the others of the run stay good", async () => {
	const run = await door.startRun();
	const { token } = await door.tokens.issue(externalOf(run), { audience: "bridge" });
	expect(revoke(run, idOf(run.token))).toBe(1);
	expect(revoke(run, idOf(run.token))).toBe(0);
	expect(await run.call("GET", "/v1/input")).toMatchObject(refusal);
	expect(await run.call("GET", "/v1/input", undefined, { authorization: `Bearer ${token}` })).toMatchObject({ status: 200 });
	expect(revoke(run)).toBe(1);
	expect(await run.call("GET", "/v1/input", undefined, { authorization: `Bearer ${token}` })).toMatchObject(refusal);
	await run.end();
});

test("a token that was revoked while it was being verified is not good afterwards", async () => {
	const run = await door.startRun();
	const verifying = Promise.resolve(door.tokens.identify(run.token, "bridge"));
	revoke(run);
	await expect(verifying).rejects.toMatchObject({ code: "unauthenticated" });
	expect(await run.call("GET", "/v1/input")).toMatchObject(refusal);
	await run.end();
});

test("the operator revokes over the control API, by the id that he was shown, and a token of another run is not concerned", async () => {
	await using server: ControlServer = await openControlServer();
	const open = async () => (await server.call("POST", "/control/v1/runs", { mode: "external" })).body.id as string;
	const [own, other] = [await open(), await open()];
	const mint = async (id: string) =>
		(await server.call("POST", `/control/v1/runs/${id}/tokens`, {})).body as { id: string; token: string };
	const [ownToken, otherToken] = [await mint(own), await mint(other)];
	expect(await server.call("DELETE", `/control/v1/runs/${own}/tokens/${otherToken.id}`)).toMatchObject({ status: 404 });
	expect(await server.tokens.identify(otherToken.token, "bridge")).toMatchObject({ id: otherToken.id });
	expect(await server.call("DELETE", `/control/v1/runs/${own}/tokens/${ownToken.id}`)).toMatchObject({ status: 200 });
	await expect((async () => server.tokens.identify(ownToken.token, "bridge"))()).rejects.toMatchObject({
		code: "unauthenticated",
	});
	for (const id of [own, other]) await server.call("POST", `/control/v1/runs/${id}/end`, { status: "succeeded" });
	await expect((async () => server.tokens.identify(otherToken.token, "bridge"))()).rejects.toMatchObject({
		code: "unauthenticated",
	});
});

describe("a token that was renewed", () => {
	test("is revoked with the one that it was renewed from, which is the one that the operator knows", async () => {
		const run = await door.startRun();
		const other = await door.tokens.issue(externalOf(run), { audience: "bridge" });
		const { body: first } = await run.call("POST", "/v1/token");
		const renewed = (token: string) => run.call("POST", "/v1/token", undefined, { authorization: `Bearer ${token}` });
		const { body: second } = await renewed(first.token);
		expect(revoke(run, idOf(run.token))).toBe(3);
		for (const token of [run.token, first.token, second.token]) expect(await renewed(token)).toMatchObject(refusal);
		// Another token of the run is another family.
		expect(await renewed(other.token)).toMatchObject({ status: 200 });
		await run.end();
	});

	test("is revoked by the id of the first also when that one has expired", async () => {
		const run = await door.startRun({}, { lifetimeMs: 1_000 });
		const { body: first } = await run.call("POST", "/v1/token");
		await expect.poll(async () => (await run.call("GET", "/v1/input")).status, { timeout: 5_000 }).toBe(401);
		// Tokens that have expired are forgotten with the next one that is made.
		await door.tokens.issue(externalOf(run), { audience: "bridge" });
		revoke(run, idOf(run.token));
		expect(await run.call("GET", "/v1/input", undefined, { authorization: `Bearer ${first.token}` })).toMatchObject({
			status: 401,
		});
		await run.end();
	});
});
