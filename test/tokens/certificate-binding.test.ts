import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identifyByToken } from "../../host/http/credentials.ts";
import { runtimeApi } from "../../host/http/runtime-api.ts";
import { createServer, drainServer } from "../../host/http/server.ts";
import { Traffic } from "../../host/http/traffic.ts";
import { type Door, type DoorRun, openDoor } from "../http/door.ts";
import { sendRequest } from "../http/send-request.ts";
import { type Certificates, type ClientName, makeCertificates, readClient, thumbprintOf } from "./certificates.ts";

let directory: string;
let files: Certificates;
/** Over TLS, with clients that show certificates. */
let door: Door;
/** A run with a token that is bound to the certificate of `client`. */
let run: DoorRun;
beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), "cronium-certificates-"));
	files = makeCertificates(directory);
	door = await openDoor({ server: { tls: { ...serverTls(), clientIssuers: readFileSync(files.ca, "utf8") } } });
	run = await door.startRun({}, { certificateThumbprint: thumbprintOf(files, "client") });
}, 60_000);
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await run.end();
	await door[Symbol.asyncDispose]();
	await rm(directory, { recursive: true, force: true });
});

const serverTls = () => ({ key: readFileSync(files.serverKey, "utf8"), certificate: readFileSync(files.serverCert, "utf8") });
const call = (client: ClientName, token = run.token, path = "/v1/input", method = "GET", headers: Record<string, string> = {}) =>
	sendRequest({ url: door.url, tls: readClient(files, client) }, method, path, {
		headers: { authorization: `Bearer ${token}`, ...headers },
	});
const bound = {
	status: 401,
	body: {
		code: "unauthenticated",
		detail: "The execution token is bound to a client certificate, which this connection has not shown.",
	},
};

test("a bound token names its certificate, and is good on connections that have shown it", async () => {
	const { cnf } = JSON.parse(Buffer.from(run.token.split(".")[1] as string, "base64url").toString());
	expect(cnf).toEqual({ "x5t#S256": thumbprintOf(files, "client") });
	for (let connection = 0; connection < 2; connection++) expect(await call("client")).toMatchObject({ status: 200 });
});

test("it is refused on a connection that has shown another certificate of the same issuer, also when it is known already", async () => {
	expect(await call("client")).toMatchObject({ status: 200 });
	expect(await call("other")).toMatchObject(bound);
	expect(await call("other", run.token, "/v1/token", "POST")).toMatchObject(bound);
});

test("a client without a certificate, or with one of another issuer, does not get to ask", async () => {
	const ca = readFileSync(files.ca, "utf8");
	const headers = { authorization: `Bearer ${run.token}` };
	await expect(sendRequest({ url: door.url, tls: { ca } }, "GET", "/v1/input", { headers })).rejects.toThrow();
	await expect(call("stranger")).rejects.toThrow();
	await expect(sendRequest({ url: door.url.replace("https:", "http:") }, "GET", "/v1/input", { headers })).rejects.toThrow();
});

test("headers in which a proxy would tell of a certificate are not believed", async () => {
	const certificate = encodeURIComponent(readFileSync(files.clientCert, "utf8"));
	const headers = {
		"client-cert": certificate,
		"x-forwarded-client-cert": `Hash=${thumbprintOf(files, "client")};Cert="${certificate}"`,
		"x-ssl-client-verify": "SUCCESS",
		"x-ssl-cert": certificate,
	};
	expect(await call("other", run.token, "/v1/input", "GET", headers)).toMatchObject(bound);
});

test("a renewed token is bound to the same certificate", async () => {
	const renewed = await call("client", run.token, "/v1/token", "POST");
	expect(renewed.status).toBe(200);
	expect(await call("client", renewed.body.token)).toMatchObject({ status: 200 });
	expect(await call("other", renewed.body.token)).toMatchObject(bound);
	const again = await call("client", renewed.body.token, "/v1/token", "POST");
	expect(await call("other", again.body.token)).toMatchObject(bound);
});

test("a token that is bound to nothing is good with every certificate", async () => {
	const free = await door.startRun();
	for (const client of ["client", "other"] as const) expect(await call(client, free.token)).toMatchObject({ status: 200 });
	await free.end();
});

/** The same host behind another listener. */
async function openSecondDoor(tls?: ReturnType<typeof serverTls>) {
	const server = createServer({ ...(tls && { tls }) });
	await server.register(runtimeApi, {
		identify: identifyByToken(door.tokens, "bridge"),
		tokens: door.tokens,
		traffic: new Traffic(door.host.limits),
		isReady: () => true,
	});
	const url = await server.listen({ host: "127.0.0.1", port: 0 });
	return { url, [Symbol.asyncDispose]: () => drainServer(server, 100) };
}

test("it is refused by a door that has not verified certificates: plain HTTP, and TLS that does not ask for one", async () => {
	const headers = { authorization: `Bearer ${run.token}` };
	await using inClear = await openSecondDoor();
	expect(await sendRequest(inClear, "GET", "/v1/input", { headers })).toMatchObject(bound);
	await using withoutAsking = await openSecondDoor(serverTls());
	const target = { url: withoutAsking.url, tls: readClient(files, "client") };
	expect(await sendRequest(target, "GET", "/v1/input", { headers })).toMatchObject(bound);
});

test("a session that is resumed has the certificate of the session before, and no other", async () => {
	const resumed = async (client: ClientName, token: string) => {
		const { hostname, port } = new URL(door.url);
		const open = (session?: Buffer): TLSSocket =>
			connect({
				host: hostname,
				port: Number(port),
				servername: "localhost",
				...readClient(files, client),
				...(session && { session }),
			});
		const first = open();
		const session = await new Promise<Buffer>((resolve, reject) => first.once("session", resolve).once("error", reject).resume());
		first.destroy();
		const second = open(session);
		await new Promise<void>((resolve, reject) => second.once("secureConnect", resolve).once("error", reject));
		const isReused = second.isSessionReused();
		second.end(`GET /v1/input HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`);
		let text = "";
		for await (const chunk of second) text += chunk;
		return [isReused, text.split(" ", 2)[1]];
	};
	expect(await resumed("client", run.token)).toEqual([true, "200"]);
	expect(await resumed("other", run.token)).toEqual([true, "401"]);
});

test("versions of TLS before 1.3 are refused", async () => {
	const { hostname, port } = new URL(door.url);
	const socket = connect({ host: hostname, port: Number(port), maxVersion: "TLSv1.2", ...readClient(files, "client") });
	await expect(new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject))).rejects.toThrow(
		/protocol version/,
	);
	socket.destroy();
});
