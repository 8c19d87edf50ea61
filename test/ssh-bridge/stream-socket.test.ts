import { createServer as createListener, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { createServer, type ServerOptions } from "../../host/http/server.ts";
import { attachServer, endServer } from "../../sidecar/unheard-server.ts";
import { StreamSocket } from "../../ssh-bridge/stream-socket.ts";
import { openConnection } from "../http/send-request.ts";

const opened = new Set<() => Promise<unknown>>();
afterEach(async () => {
	for (const close of opened) await close();
	opened.clear();
});

/** An HTTP server whose connections are streams, nothing more. */
async function serveStreams(options: ServerOptions) {
	const server = createServer(options);
	server.get("/large", (_request, reply) => reply.send("x".repeat(64 * 1024 * 1024)));
	await attachServer(server);
	const streams: Duplex[] = [];
	const listener: Server = createListener({ allowHalfOpen: true }, (stream: Duplex) => {
		streams.push(stream);
		server.server.emit("connection", new StreamSocket(stream));
	});
	await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
	opened.add(() => endServer(server));
	opened.add(() => new Promise((resolve) => listener.close(resolve)));
	const { port } = listener.address() as { readonly port: number };
	return { url: `http://127.0.0.1:${port}`, streams };
}

test("a connection that is idle is closed when its time is over, as one of TCP is", async () => {
	const { url, streams } = await serveStreams({ idleTimeoutMs: 50 });
	using connection = await openConnection({ url });
	connection.write("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
	expect(await connection.closed).toMatch(/^HTTP\/1\.1 404 /);
	expect(streams.map(({ destroyed }) => destroyed)).toEqual([true]);
});

test("an answer that nobody reads is kept for its time, and not for ever", async () => {
	const { url, streams } = await serveStreams({ stalledTimeoutMs: 100 });
	using connection = await openConnection({ url });
	connection.socket.pause();
	connection.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	await expect.poll(() => streams[0]?.destroyed, { timeout: 20_000 }).toBe(true);
});

test("a request that does not come to its end is answered when its time is over", async () => {
	const { url } = await serveStreams({ requestTimeoutMs: 100 });
	using connection = await openConnection({ url });
	connection.write("GET /large HTTP/1.1\r\nHost:");
	expect(await connection.closed).toMatch(/^HTTP\/1\.1 408 /);
});

test("a large answer to a client that reads slowly arrives whole, though the client has ended its side", async () => {
	const { url } = await serveStreams({});
	using connection = await openConnection({ url });
	connection.socket.allowHalfOpen = true;
	connection.socket.end("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
	connection.socket.pause();
	setTimeout(() => connection.socket.resume(), 200);
	const answer = await connection.closed;
	expect(answer.length - answer.indexOf("\r\n\r\n") - 4).toBe(64 * 1024 * 1024);
});
