import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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
