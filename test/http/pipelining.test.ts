import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServer } from "../../host/http/server.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { exchange, openConnection } from "./send-request.ts";

const server = createServer();
const { path: directory, remove } = temporaryDirectory();
const socketPath = join(directory, "pipelining.sock");
let handled = 0;

beforeAll(async () => {
	server.get("/", async () => {
		handled++;
		return "answer";
	});
	await server.listen({ path: socketPath });
});
afterAll(async () => {
	await server.close();
	remove();
});

const request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

test("a connection with thousands of requests at one time is cut before they are handled, whatever they are", async () => {
	for (const flood of [request, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]) {
		handled = 0;
		await exchange({ socketPath }, flood.repeat(5_000));
		expect(handled).toBeLessThan(20);
	}
});

test("a few are answered in their order, and again when they have been", async () => {
	using connection = await openConnection({ socketPath });
	let answers = 0;
	connection.socket.on("data", (text: string) => {
		answers += text.split("HTTP/1.1 200 ").length - 1;
	});
	for (let round = 1; round <= 5; round++) {
		handled = 0;
		connection.write(request.repeat(16));
		await expect.poll(() => answers).toBe(16 * round);
		expect(handled).toBe(16);
	}
});
