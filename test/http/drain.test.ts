import { afterEach, expect, test } from "vitest";
import { type Door, openDoor } from "./door.ts";
import { openConnection, sendRequest } from "./send-request.ts";

let door: Door;
afterEach(async () => {
	expect(door.internalErrors).toEqual([]);
	await door[Symbol.asyncDispose]();
});

const head = (token: string, ...lines: readonly string[]) =>
	`PUT /v1/variables/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n${lines.join("\r\n")}\r\n\r\n`;

test("a request that is under way is finished, and its answer says that the connection ends", async () => {
	door = await openDoor();
	const run = await door.startRun();
	using connection = await openConnection(door);
	connection.write(head(run.token, "Content-Length: 7", "Expect: 100-continue"));
	await connection.received(/100 Continue/);
	const drained = door.drain(10_000);
	connection.write('"value"');
	const answer = await connection.closed;
	expect(answer).toMatch(/HTTP\/1\.1 200 OK/);
	expect(answer).toMatch(/connection: close/i);
	await drained;
	expect(await door.host.variables().get("a")).toBe('"value"');
	await run.end();
});

test("nobody new is let in, and idle connections are closed", async () => {
	door = await openDoor();
	const run = await door.startRun();
	using busy = await openConnection(door);
	busy.write(head(run.token, "Content-Length: 1", "Expect: 100-continue"));
	await busy.received(/100 Continue/);
	using idle = await openConnection(door);
	idle.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
	await idle.received(/"ok"/);
	const drained = door.drain(10_000);
	await idle.closed;
	await expect(sendRequest(door, "GET", "/healthz")).rejects.toMatchObject({ code: "ECONNREFUSED" });
	busy.write("1");
	await drained;
	expect(await busy.closed).toContain("200 OK");
	await run.end();
});

test("what does not finish in the time that it has is cut, and leaves nothing", async () => {
	door = await openDoor();
	const run = await door.startRun();
	using connection = await openConnection(door);
	connection.write(`${head(run.token, "Content-Length: 100")}"`);
	using silent = await openConnection(door);
	await door.drain(50);
	expect(await connection.closed).not.toContain("200");
	await silent.closed;
	await run.end();
	expect(await door.host.variables().get("a")).toBeUndefined();
	expect(await door.host.executions.journal(run.id)).toEqual([]);
});

test("a token is worth nothing when its host has ended, and its run has a final status", async () => {
	door = await openDoor();
	const run = await door.startRun();
	await door.host.dispose();
	expect(await run.call("GET", "/v1/condition")).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
	expect(await run.outcome).toMatchObject({ status: "cancelled" });
});
