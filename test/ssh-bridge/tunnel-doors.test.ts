import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAuditTrail } from "../../host/index.ts";
import { exchange, openConnection, sendRequest } from "../http/send-request.ts";
import { sshdObstacle } from "../ssh/sshd.ts";
import { openTunnel, type Tunnel } from "./tunnel.ts";

const obstacle = sshdObstacle();
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
	while (!(await holds())) await sleep(10);
}

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };

describe.skipIf(obstacle !== undefined)("the socket that the SSH connection of a run carries", () => {
	let tunnel: Tunnel;
	beforeAll(async () => {
		tunnel = await openTunnel();
	});
	afterAll(async () => {
		expect(tunnel.internalErrors).toEqual([]);
		await tunnel[Symbol.asyncDispose]();
	});

	test("a script reaches its helpers by it, with its token", async () => {
		const run = await tunnel.openRun({ input: '{"n":1.0}' });
		expect(Object.keys(run.environment)).toEqual(["CRONIUM_SOCKET", "CRONIUM_EXECUTION_TOKEN"]);
		expect(statSync(run.socketPath).mode & 0o777).toBe(0o600);
		expect((await run.call("GET", "/v1/input")).text).toBe('{"n":1.0}');
		expect(await run.call("PUT", "/v1/output", { body: "42" })).toMatchObject({ status: 204 });
		const { aud, exp } = JSON.parse(Buffer.from(run.token.split(".")[1] as string, "base64url").toString());
		// A script's child processes have the environment only, where no renewed token comes.
		expect({ aud, exp }).toEqual({ aud: "tunnel", exp: Math.ceil(run.run.execution.deadlineAt / 1_000) });
		expect(await run.end()).toMatchObject({ status: "succeeded", output: 42 });
	});

	test("calls of one connection follow one another, and many connections are served at one time", async () => {
		const run = await tunnel.openRun();
		const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
		await Promise.all(keys.map((key) => run.call("PUT", `/v1/variables/${key}`, { body: `"${key}"` })));
		using connection = await openConnection({ socketPath: run.socketPath });
		for (const key of keys.slice(0, 5)) {
			connection.write(`GET /v1/variables/${key} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n\r\n`);
			await connection.received(new RegExp(`"${key}"`));
		}
		await run.end();
	});

	test("bodies of a MiB go through whole in both directions", async () => {
		const run = await tunnel.openRun({ limits: { maxValueBytes: 4 * 1024 * 1024 } });
		const value = JSON.stringify(randomBytes(2 * 1024 * 1024).toString("base64"));
		expect(await run.call("PUT", "/v1/variables/large", { body: value })).toMatchObject({ status: 200 });
		expect((await run.call("GET", "/v1/variables/large")).text === value).toBe(true);
		await run.end();
	});

	test("a client that has ended its side of the connection gets its answer, and the end of it", async () => {
		const run = await tunnel.openRun({ input: '"asked"' });
		using connection = await openConnection({ socketPath: run.socketPath });
		connection.socket.end(`GET /v1/input HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n\r\n`);
		expect(await connection.closed).toMatch(/^HTTP\/1\.1 200 OK.*"asked"$/s);
		await run.end();
	});

	test("what is no HTTP is refused, and its connection closed", async () => {
		const run = await tunnel.openRun();
		expect(await exchange({ socketPath: run.socketPath }, "\x16\x03\x01 nonsense\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
		const headers = `GET /v1/input HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`;
		expect(await exchange({ socketPath: run.socketPath }, headers)).toMatch(/^HTTP\/1\.1 431 /);
		await run.end();
	});

	test("a token of another run is refused, also one of the same host", async () => {
		const [run, other] = [await tunnel.openRun(), await tunnel.openRun()];
		expect(await run.call("GET", "/v1/input", { token: other.token })).toMatchObject(unauthenticated);
		expect(await run.call("POST", "/v1/token", { token: other.token })).toMatchObject(unauthenticated);
		expect(await other.call("GET", "/v1/input", { token: other.token })).toMatchObject({ status: 200 });
		await run.end();
		await other.end();
	});

	test("a token for another door, none, and nonsense are refused, and the audit log tells so", async () => {
		const run = await tunnel.openRun();
		const tokens = await tunnel.host.tokens();
		for (const audience of ["bridge", "sidecar", "agent"] as const) {
			const { token } = await tokens.issue(run.run, { audience });
			expect(await run.call("GET", "/v1/input", { token }), audience).toMatchObject(unauthenticated);
		}
		expect(await run.call("GET", "/v1/input", { token: "x" })).toMatchObject(unauthenticated);
		expect(await sendRequest({ socketPath: run.socketPath }, "GET", "/v1/input")).toMatchObject(unauthenticated);
		const asserted = { "cronium-client-certificate": "x" };
		expect(await run.call("GET", "/v1/input", { headers: asserted })).toMatchObject(unauthenticated);
		await run.end();
		await using trail = await openAuditTrail(tunnel.dataDirectory);
		const failures = (await trail.list({ type: "authentication-failure" })).map(({ text }) => JSON.parse(text).entry);
		expect(failures).toContainEqual(
			expect.objectContaining({
				door: "tunnel",
				reason: "The execution token is for the bridge door, and this is the tunnel door.",
			}),
		);
	});

	test("it has the limit of connections of its run, and takes another one when one is closed", async () => {
		const run = await tunnel.openRun({ limits: { maxRunConnections: 2 } });
		const other = await tunnel.openRun();
		const request = `GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n`;
		const first = await openConnection({ socketPath: run.socketPath });
		const second = await openConnection({ socketPath: run.socketPath });
		for (const connection of [first, second]) {
			connection.write(request);
			await connection.received(/200 OK/);
		}
		expect(await exchange({ socketPath: run.socketPath }, request)).toBe("");
		expect(await other.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		first.socket.destroy();
		await until(async () => (await run.call("GET", "/v1/input").catch(() => undefined))?.status === 200);
		second.socket.destroy();
		await run.end();
		await other.end();
	});

	test("a connection that is cut in the middle of a request takes nothing along", async () => {
		const run = await tunnel.openRun();
		for (let index = 0; index < 10; index++) {
			using connection = await openConnection({ socketPath: run.socketPath });
			connection.write(
				`PUT /v1/variables/half HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"half`,
			);
			await sleep(5);
		}
		expect(await run.call("GET", "/v1/variables/half")).toMatchObject({ status: 404 });
		await run.end();
		await until(() => tunnel.streams.size === 0);
	});

	test("a client that does not read its answers keeps neither memory nor the end of its run waiting", async () => {
		const run = await tunnel.openRun({ limits: { maxPendingBytes: 8 * 1024 * 1024, maxValueBytes: 4 * 1024 * 1024 } });
		const value = JSON.stringify("v".repeat(4 * 1024 * 1024 - 2));
		await run.call("PUT", "/v1/variables/large", { body: value });
		const held = await Promise.all(Array.from({ length: 6 }, () => openConnection({ socketPath: run.socketPath })));
		for (const { socket, write } of held) {
			socket.pause();
			write(`GET /v1/variables/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n\r\n`);
		}
		// What waits to be sent counts, so that a further one is refused, and the window of a channel is all that is taken beyond.
		await until(async () => (await run.call("GET", "/v1/variables/large")).status === 429);
		expect(await run.end()).toMatchObject({ status: "succeeded" });
		// What sshd has taken of an answer it keeps until its client reads or goes.
		for (const { socket } of held) socket.destroy();
		await until(() => tunnel.streams.size === 0);
	});

	test("with the run everything of it ends: connections are cut, the token is worth nothing, nobody listens", async () => {
		const run = await tunnel.openRun();
		const other = await tunnel.openRun();
		const connection = await openConnection({ socketPath: run.socketPath });
		connection.write(`GET /v1/input HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n`);
		await run.end();
		await connection.closed;
		await until(() =>
			run.call("GET", "/v1/input").then(
				() => false,
				() => true,
			),
		);
		expect(await other.call("GET", "/v1/input", { token: run.token })).toMatchObject(unauthenticated);
		await other.end();
	});

	test("a door that is closed before its run ends has taken its token along", async () => {
		const run = await tunnel.openRun();
		const other = await tunnel.openRun();
		const renewed = (await run.call("POST", "/v1/token")).body as { readonly token: string };
		await run.closeDoor();
		for (const token of [run.token, renewed.token])
			expect(await other.call("GET", "/v1/input", { token })).toMatchObject(unauthenticated);
		await expect(run.call("GET", "/v1/input")).rejects.toThrow();
		await run.end();
		await other.end();
	});

	test("a run that has ended gets no door", async () => {
		const run = await tunnel.host.open({});
		run.end({ status: "succeeded" });
		await run.outcome;
		await expect(tunnel.doors.open(run, tunnel.place())).rejects.toMatchObject({ code: "cancelled" });
	});

	test("a run that ends while its door is made leaves none", async () => {
		const run = await tunnel.host.open({});
		const place = tunnel.place();
		let closed = 0;
		const line = {
			...place.line,
			async listen(path: string, take: Parameters<typeof place.line.listen>[1]) {
				const listener = await place.line.listen(path, take);
				run.end({ status: "succeeded" });
				await run.outcome;
				return {
					async [Symbol.asyncDispose]() {
						closed += 1;
						await listener[Symbol.asyncDispose]();
					},
				};
			},
		};
		await expect(tunnel.doors.open(run, { ...place, line })).rejects.toMatchObject({ code: "cancelled" });
		expect(closed).toBe(1);
	});

	test("a socket that cannot be made is an error which names host, path and what to do", async () => {
		const run = await tunnel.host.open({});
		const place = tunnel.place();
		const missing = { ...place, directory: `${place.directory}/missing` };
		await expect(tunnel.doors.open(run, missing)).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(/host web-1 .*missing\/api\.sock.*AllowStreamLocalForwarding/),
		});
		const long = { ...place, directory: `${place.directory}/${"x".repeat(100)}` };
		await expect(tunnel.doors.open(run, long)).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(/has \d+ bytes; the limit is 100/),
		});
		// Neither has left a token.
		expect((await tunnel.host.tokens()).revoke(run)).toBe(0);
		run.end({ status: "succeeded" });
		await run.outcome;
	});
});
