import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createServer, drainServer } from "../../host/http/server.ts";
import { maxOpenFiles } from "../../host/process-limits.ts";
import { serve } from "../../host/serve.ts";
import { testCertificate } from "../sandbox/test-certificate.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { openDoor } from "./door.ts";
import { openConnection } from "./send-request.ts";

test("a connection over maxConnections is closed, those within it are served, and when one has gone another gets in", async () => {
	await using door = await openDoor({ server: { maxConnections: 3 } });
	const run = await door.startRun();
	const get = `GET /v1/condition HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${run.token}\r\n\r\n`;
	const ask = async () => {
		const connection = await openConnection(door);
		connection.write(get);
		return connection;
	};
	const within = [];
	for (let index = 0; index < 3; index++) {
		const connection = await ask();
		await connection.received(/ 200 /);
		within.push(connection);
	}
	for (let index = 0; index < 5; index++) expect(await (await ask()).closed).toBe("");
	for (const connection of within) {
		connection.write(get);
		await connection.received(/ 200 [\s\S]* 200 /);
	}
	const [first, ...others] = within;
	first?.socket.destroy();
	await first?.closed;
	await expect
		.poll(
			async () => {
				using connection = await ask();
				return await connection.received(/ 200 /).catch(() => "closed");
			},
			{ interval: 5 },
		)
		.toContain(" 200 ");
	for (const { socket } of others) socket.destroy();
	await run.end();
});

test.each([
	["without TLS", {}],
	["with TLS", { tls: testCertificate }],
])("a server %s has never more than a third of the files that the process may open", async (_name, options) => {
	const most = Math.floor(maxOpenFiles() / 3);
	for (const [maxConnections, expected] of [
		[5, Math.min(5, most)],
		[Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, most)],
	]) {
		const server = createServer({ ...options, maxConnections: maxConnections as number });
		expect(server.server.maxConnections).toBe(expected);
		await drainServer(server, 0);
	}
});

test.runIf(process.platform === "linux")("the limit of open files is the one that the system has for this process", () => {
	expect(readFileSync("/proc/self/limits", "utf8")).toMatch(new RegExp(`Max open files +(${maxOpenFiles()}|unlimited) `));
});

test("cronium serve has the limit for both of its servers", async () => {
	const directory = temporaryDirectory();
	const anywhere = { host: "127.0.0.1", port: 0 };
	const server = await serve({
		dataDirectory: directory.path,
		listen: anywhere,
		controlListen: anywhere,
		drainMs: 0,
		limits: { maxConnections: 1 },
	});
	try {
		for (const url of [server.url, server.controlUrl]) {
			using held = await openConnection({ url });
			held.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
			await held.received(/ 200 /);
			using refused = await openConnection({ url });
			expect(await refused.closed).toBe("");
		}
	} finally {
		await server.close();
		directory.remove();
	}
});
