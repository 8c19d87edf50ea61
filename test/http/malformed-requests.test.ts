import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AnyServer, everyServer } from "./every-server.ts";
import { exchange, sendRequest } from "./send-request.ts";

describe.each(everyServer)("$name", ({ open }) => {
	let server: AnyServer;
	beforeAll(async () => {
		server = await open();
	});
	afterAll(async () => {
		expect(server.internalErrors).toEqual([]);
		await server[Symbol.asyncDispose]();
	});

	test.each([
		[
			"a length and chunks, which two servers would read differently",
			"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		],
		["two lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
		["a negative length", "Content-Length: -1\r\n\r\n{}"],
		["a length that is no number", "Content-Length: 0x2\r\n\r\n{}"],
		["a chunk that is no number", "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"],
		["another transfer coding", "Transfer-Encoding: gzip\r\n\r\n{}"],
		["a space before the colon", "X-Name : a\r\nContent-Length: 2\r\n\r\n{}"],
		["a header that is folded", "X-Name: a\r\n  b\r\nContent-Length: 2\r\n\r\n{}"],
		["NUL in a header", "X-Name: a\0b\r\nContent-Length: 2\r\n\r\n{}"],
		["a lone line feed", "X-Name: a\rContent-Length: 2\r\n\r\n{}"],
	])("refuses a request with %s", async (_name, rest) => {
		await server.put('"before"');
		const answer = await exchange(server, server.head().slice(0, -2) + rest);
		expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"detail":"The request is not valid HTTP\/1\.1\."/);
		expect(answer).toMatch(/Connection: close/i);
		expect(answer.match(/HTTP\/1\.1/g)?.length, answer).toBe(2);
		expect(await server.readValue()).toMatchObject({ text: '"before"' });
	});

	test.each([
		["noise", Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 193) % 256))],
		["the beginning of TLS", Buffer.from("16030100c8010000c40303", "hex")],
		["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
		["a method that there is not", "FOO / HTTP/1.1\r\nHost: a\r\n\r\n"],
		["a version that there is not", "GET / HTTP/9.9\r\nHost: a\r\n\r\n"],
	])("answers %s with 400 and closes the connection", async (_name, bytes) => {
		expect(await exchange(server, bytes)).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json/);
		expect(await server.readValue()).toMatchObject({ status: 200 });
	});

	test("refuses HEAD without a body, whatever was wrong with it", async () => {
		for (const line of ["X-Name : a", `X-Long: ${"a".repeat(17_000)}`]) {
			const answer = await exchange(server, `HEAD ${server.valuePath} HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`);
			expect(answer).toMatch(/^HTTP\/1\.1 4[\s\S]*Content-Length: \d+[\s\S]*\r\n\r\n$/);
		}
	});

	test("closes a connection that wants to be a tunnel", async () => {
		expect(await exchange(server, "CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n")).toBe("");
		expect(await server.readValue()).toMatchObject({ status: 200 });
	});

	test("refuses a request without a host with problem details, and ignores what a client expects", async () => {
		const answer = await exchange(server, `GET ${server.valuePath} HTTP/1.1\r\nConnection: close\r\n\r\n`);
		expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"detail":"The Host header is missing\."/);
		const headers = { authorization: server.authorization, expect: "miracles" };
		expect(await sendRequest(server, "GET", server.valuePath, { headers })).toMatchObject({ status: 200 });
	});
});
