import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testCertificate } from "../sandbox/test-certificate.ts";
import { openDoor } from "./door.ts";
import { type AnyServer, everyServer } from "./every-server.ts";
import { openConnection } from "./send-request.ts";

describe.each(everyServer)("$name", ({ open }) => {
	let server: AnyServer;
	beforeAll(async () => {
		server = await open({ requestTimeoutMs: 400, idleTimeoutMs: 300 });
	});
	afterAll(async () => {
		expect(server.internalErrors).toEqual([]);
		await server[Symbol.asyncDispose]();
	});

	test.each([
		["a connection on which nothing comes", [""]],
		["headers that come drop by drop", ["GET / HT", "TP/1.1\r\n", "Host: a\r\n", "X-1: a\r\n", "X-2: a\r\n", "X-3: a\r\n"]],
	])("closes %s with 408", async (_name, drops) => {
		using connection = await openConnection(server);
		void (async () => {
			for (const drop of drops) {
				if (!connection.socket.writable) return;
				connection.write(drop);
				await wait(50);
			}
		})();
		expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"timed-out"/);
	});

	test("closes a body that comes drop by drop with 408, and keeps nothing of it", async () => {
		await server.put('"before"');
		using connection = await openConnection(server);
		connection.write(server.head("Content-Length: 100"));
		const drops = setInterval(() => connection.socket.writable && connection.write(" "), 20);
		const answer = await connection.closed;
		clearInterval(drops);
		expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*"detail":"The request was not complete in time\."/);
		expect(await server.readValue()).toMatchObject({ text: '"before"' });
	});

	test("serves many requests on one connection, and closes it when it has been idle", async () => {
		using connection = await openConnection(server);
		const get = `GET ${server.valuePath} HTTP/1.1\r\nHost: a\r\nAuthorization: ${server.authorization}\r\n\r\n`;
		connection.write(get);
		await connection.received(/"before"/);
		connection.write(get);
		const all = await connection.closed;
		expect(all.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
	});

	test("forgets a request whose connection was cut, wherever that was", async () => {
		await server.put('"before"');
		const whole = `${server.head("Content-Length: 7")}"after"`;
		for (let end = 1; end < whole.length; end += 13) {
			using connection = await openConnection(server);
			connection.write(whole.slice(0, end));
			await wait(1);
			connection.socket.resetAndDestroy();
			await connection.closed;
		}
		expect(await server.readValue()).toMatchObject({ status: 200, text: '"before"' });
	});
});

test("a connection on which TLS is not begun, or not finished, is closed", async () => {
	await using door = await openDoor({ server: { tls: testCertificate, requestTimeoutMs: 400 } });
	const plain = { url: door.url.replace("https:", "http:") };
	using silent = await openConnection(plain);
	using begun = await openConnection(plain);
	begun.write(Buffer.from("16030100c8010000c40303", "hex"));
	expect([await silent.closed, await begun.closed]).toEqual(["", ""]);
	expect(door.internalErrors).toEqual([]);
});

test("an answer that nobody reads is dropped, and its call is not under way any more", async () => {
	const limits = { maxValueBytes: 16 * 1024 * 1024, maxPendingCalls: 1 };
	await using door = await openDoor({ limits, server: { stalledTimeoutMs: 1_000 } });
	const run = await door.startRun();
	// More than the system keeps for a connection.
	await door.host.variables().set("large", `"${"a".repeat(16_000_000)}"`);
	using connection = await openConnection(door);
	connection.write(`GET /v1/variables/large HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\n\r\n`);
	await connection.received(/200 OK/);
	connection.socket.pause();
	expect(await run.call("GET", "/v1/condition")).toMatchObject({ status: 429, body: { limit: { name: "maxPendingCalls" } } });
	await expect.poll(async () => (await run.call("GET", "/v1/condition")).status, { timeout: 10_000 }).toBe(200);
	connection.socket.resume();
	expect((await connection.closed).length).toBeLessThan(16_000_000);
	await run.end();
});
