import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AnyServer, everyServer } from "./every-server.ts";
import { exchange, openConnection } from "./send-request.ts";

describe.each(everyServer)("$name", ({ open }) => {
	let server: AnyServer;
	beforeAll(async () => {
		server = await open();
	});
	afterAll(async () => {
		expect(server.internalErrors).toEqual([]);
		await server[Symbol.asyncDispose]();
	});

	test("takes a body of just the limit, and refuses one byte more by its announced length, before it is sent", async () => {
		const { name, value } = server.bodyLimit;
		expect(await server.put(`"${"a".repeat(value - 2)}"`)).toMatchObject({ status: 200 });
		using connection = await openConnection(server);
		connection.write(server.head(`Content-Length: ${value + 1}`));
		const answer = await connection.received(/\}$/);
		expect(answer).toMatch(/^HTTP\/1\.1 413 /);
		expect(answer).toContain(`"limit":{"name":"${name}","value":${value},"unit":"bytes"}`);
		// What is still to come would be taken for the next request.
		expect(answer).toMatch(/connection: close/i);
	});

	test("cuts off a body without a length where the limit is, and keeps nothing of it", async () => {
		await server.put('"before"');
		using connection = await openConnection(server);
		connection.write(server.head("Transfer-Encoding: chunked"));
		const chunk = "a".repeat(16 * 1024);
		connection.write(`1\r\n"\r\n${`4000\r\n${chunk}\r\n`.repeat(5)}`);
		const answer = await connection.received(/\}$/);
		expect(answer).toMatch(/^HTTP\/1\.1 413 /);
		expect(answer).toContain(server.bodyLimit.name);
		expect(await server.readValue()).toMatchObject({ status: 200, text: '"before"' });
	});

	test.each([
		["one that goes on for ever", (line: string) => `X-Long: ${line}`],
		[
			"many of them",
			(line: string) => Array.from({ length: 40 }, (_, index) => `X-${index}: ${line.slice(0, 500)}`).join("\r\n"),
		],
		["an Authorization header", (line: string) => `Authorization: Bearer ${line}`],
		["a path", (_line: string) => ""],
	])("refuses headers over 16 KiB: %s", async (name, headers) => {
		const long = "a".repeat(17 * 1024);
		const path = name === "a path" ? `/${long}` : server.valuePath;
		const answer = await exchange(server, `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers(long)}\r\n\r\n`);
		expect(answer).toMatch(/^HTTP\/1\.1 431 /);
		expect(answer).toContain('"detail":"The headers are larger than 16384 bytes."');
	});

	test("tells a client that waits for 100 to go on", async () => {
		using connection = await openConnection(server);
		connection.write(server.head("Content-Length: 2", "Expect: 100-continue"));
		await connection.received(/100 Continue/);
		connection.write('""');
		await connection.received(/200 OK/);
		expect(await server.readValue()).toMatchObject({ text: '""' });
	});
});
