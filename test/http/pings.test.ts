import { type ClientHttp2Session, connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { createServer } from "../../host/http/server.ts";

const stalledTimeoutMs = 800;

/** A session with a stream that is held open, as those of sidecar processes and agents. */
async function openSession(): Promise<ClientHttp2Session> {
	const server = createServer({ http2: true, stalledTimeoutMs });
	server.get("/wait", () => new Promise(() => undefined));
	const url = await server.listen({ host: "127.0.0.1", port: 0 });
	const session = connect(url);
	session.on("error", () => undefined);
	onTestFinished(async () => {
		session.destroy();
		await server.close();
	});
	await new Promise((resolve) => session.once("remoteSettings", resolve));
	session.request({ ":path": "/wait" }).on("error", () => undefined);
	return session;
}

test("a session over HTTP/2 on which nothing but pings move is kept", async () => {
	const session = await openSession();
	for (let elapsed = 0; elapsed < 3 * stalledTimeoutMs; elapsed += stalledTimeoutMs / 8) {
		await new Promise((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve(undefined))));
		await new Promise((resolve) => setTimeout(resolve, stalledTimeoutMs / 8));
	}
	expect({ closed: session.closed, destroyed: session.destroyed }).toEqual({ closed: false, destroyed: false });
});

test("a session over HTTP/2 on which nothing moves is ended", async () => {
	const session = await openSession();
	await new Promise((resolve) => session.once("goaway", resolve));
});
