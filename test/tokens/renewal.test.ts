import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Door, type DoorRun, openDoor } from "../http/door.ts";

let door: Door;
beforeAll(async () => {
	door = await openDoor();
});
afterEach(() => vi.useRealTimers());
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await door[Symbol.asyncDispose]();
});

const as = (token: string) => ({ authorization: `Bearer ${token}` });
const use = async (run: DoorRun, token: string) => (await run.call("GET", "/v1/input", undefined, as(token))).status;
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString());

async function renew(run: DoorRun, token = run.token): Promise<string> {
	const answer = await run.call("POST", "/v1/token", undefined, as(token));
	expect(answer).toMatchObject({
		status: 200,
		body: { token: expect.stringMatching(/^ey/), expiresAt: expect.stringMatching(/Z$/) },
	});
	return answer.body.token;
}

test("the new token is as good as the old one was when it was new: its door, its scopes, its lifetime", async () => {
	vi.useFakeTimers({ toFake: ["Date"] });
	const run = await door.startRun({}, { scopes: ["input:read"], lifetimeMs: 20_000 });
	vi.setSystemTime(Date.now() + 10_000);
	const renewed = await renew(run);
	const [before, after] = [claimsOf(run.token), claimsOf(renewed)];
	expect(after).toMatchObject({ sub: run.id, aud: before.aud, scope: "input:read" });
	expect(after.jti).not.toBe(before.jti);
	expect(after.exp - before.exp).toBe(10);
	expect(await use(run, renewed)).toBe(200);
	expect(await run.call("GET", "/v1/condition", undefined, as(renewed))).toMatchObject({ status: 403 });
	await run.end();
});

test("the old token is good for 30 seconds, and not a second longer", async () => {
	vi.useFakeTimers({ toFake: ["Date"] });
	const run = await door.startRun();
	const renewed = await renew(run);
	vi.setSystemTime(Date.now() + 29_000);
	expect(await use(run, run.token)).toBe(200);
	// To renew it again does not prolong it.
	const second = await renew(run);
	vi.setSystemTime(Date.now() + 2_000);
	expect(await use(run, run.token)).toBe(401);
	expect(await run.call("POST", "/v1/token")).toMatchObject({ status: 401 });
	expect([await use(run, renewed), await use(run, second)]).toEqual([200, 200]);
	await run.end();
});

test("an old token that had less than 30 seconds left gets no more of them", async () => {
	vi.useFakeTimers({ toFake: ["Date"] });
	const run = await door.startRun({}, { lifetimeMs: 5_000 });
	await renew(run);
	vi.setSystemTime(Date.now() + 7_000);
	expect(await use(run, run.token)).toBe(401);
	await run.end();
});

test("no answer with a token is stored: not by an idempotency key, not in the journal, and by no cache", async () => {
	const run = await door.startRun();
	const headers = { "idempotency-key": "renewal" };
	const answers = [
		await run.call("POST", "/v1/token", undefined, headers),
		await run.call("POST", "/v1/token", "{}", headers),
		await run.call("POST", "/v1/token", undefined, headers),
	];
	expect(new Set(answers.map(({ body }) => body.token)).size).toBe(3);
	for (const answer of answers) expect(answer.headers["cache-control"]).toBe("no-store");
	// The key is free for a call that does store its answer.
	expect(await run.call("PUT", "/v1/variables/a", "1", headers)).toMatchObject({ status: 200 });
	await run.end();
	const journal = await door.host.executions.journal(run.id);
	expect(journal.map(({ operation }) => operation)).toEqual(["variables.set"]);
	const record = JSON.stringify([journal, await door.host.executions.get(run.id)]);
	for (const { body } of answers) expect(record).not.toContain(body.token);
	expect(record).not.toContain(run.token);
});

test("who has no good token gets none", async () => {
	vi.useFakeTimers({ toFake: ["Date"] });
	const run = await door.startRun({}, { lifetimeMs: 1_000 });
	expect(await run.call("POST", "/v1/token", undefined, as(`${run.token}x`))).toMatchObject({ status: 401 });
	vi.setSystemTime(Date.now() + 3_000);
	expect(await run.call("POST", "/v1/token")).toMatchObject({ status: 401 });
	await run.end();
	expect(await run.call("POST", "/v1/token")).toMatchObject({ status: 401 });
});

test("a token is renewed no longer than its run lives", async () => {
	const run = await door.startRun({ limits: { maxWallTimeMs: 30_000 } }, { lifetimeMs: 600_000 });
	const record = await door.host.executions.get(run.id);
	const { exp } = claimsOf(await renew(run));
	expect(exp).toBe(Math.ceil((record?.deadlineAt as number) / 1_000));
	await run.end();
});

test("whoever renews without an end is refused, and the tokens before stay good", async () => {
	const run = await door.startRun();
	let refused: Awaited<ReturnType<DoorRun["call"]>> | undefined;
	for (let time = 0; time < 70 && !refused; time++) {
		const answer = await run.call("POST", "/v1/token");
		if (answer.status !== 200) refused = answer;
	}
	expect(refused).toMatchObject({ status: 429, body: { code: "rate-limited", retryAfterMs: 30_000 } });
	expect(refused?.headers["retry-after"]).toBe("30");
	expect(await use(run, run.token)).toBe(200);
	await run.end();
});
