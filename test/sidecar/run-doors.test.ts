import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identifyByToken } from "../../host/http/credentials.ts";
import { runtimeApi } from "../../host/http/runtime-api.ts";
import { createServer, drainServer } from "../../host/http/server.ts";
import { Traffic } from "../../host/http/traffic.ts";
import { openAuditTrail } from "../../host/index.ts";
import { ExecutionTokens } from "../../host/tokens/execution-tokens.ts";
import { KeyRing } from "../../host/tokens/key-ring.ts";
import { CertificateAuthority, rotateAuthority } from "../../sidecar/certificate-authority.ts";
import { type CertificateSubject, thumbprintOf } from "../../sidecar/certificate-kind.ts";
import { issueCertificate, ServerIdentity } from "../../sidecar/certificates.ts";
import { doorFiles } from "../../sidecar/door-directory.ts";
import { sendRequest } from "../http/send-request.ts";
import { type LocalDoors, openDoors, type RunAtDoor } from "./doors.ts";

let doors: LocalDoors;
beforeAll(async () => {
	doors = await openDoors({ audit: true });
});
afterAll(async () => {
	expect(doors.internalErrors).toEqual([]);
	await doors[Symbol.asyncDispose]();
});

/** A certificate of the same authority, with its key. */
async function issue(subject: CertificateSubject, expiresAt = Date.now() + 60_000) {
	const { newest } = await new CertificateAuthority(doors.dataDirectory).current();
	const { certificate, key } = await issueCertificate(newest, { subject, expiresAt });
	return { cert: certificate, key };
}

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };

test("a run reaches its helpers with its certificate and its token, which nobody else can read", async () => {
	const run = await doors.openRun({ input: '{"n":1}' });
	expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200, body: { n: 1 } });
	expect(await run.call("PUT", "/v1/variables/a%2Fb", { body: "1.0" })).toMatchObject({ status: 200 });
	expect((await run.call("GET", "/v1/variables/a%2Fb")).text).toBe("1.0");
	const certificate = new X509Certificate(run.tls.cert);
	expect(certificate.subjectAltName).toBe(`URI:spiffe://cronium/run/${run.id}`);
	const { cnf, aud, exp } = JSON.parse(Buffer.from(run.token.split(".")[1] as string, "base64url").toString());
	expect({ cnf, aud }).toEqual({ cnf: { "x5t#S256": thumbprintOf(certificate) }, aud: "sidecar" });
	// Both are good to the deadline of the run.
	const deadline = Math.ceil(run.run.execution.deadlineAt / 1_000);
	expect(exp).toBe(deadline);
	expect(certificate.validToDate.getTime() / 1_000).toBe(deadline);
	expect(readdirSync(run.directory).sort()).toEqual(Object.values(doorFiles).sort());
	for (const name of readdirSync(run.directory)) expect(statSync(join(run.directory, name)).mode & 0o777, name).toBe(0o600);
	await run.end();
});

describe("on the right socket", () => {
	let run: RunAtDoor;
	let other: RunAtDoor;
	beforeAll(async () => {
		run = await doors.openRun();
		other = await doors.openRun();
	});
	afterAll(async () => {
		await run.end();
		await other.end();
	});

	test("another run's certificate, token, or both are refused", async () => {
		for (const given of [{ tls: other.tls }, { token: other.token }, { tls: other.tls, token: other.token }])
			expect(await run.call("GET", "/v1/input", given)).toMatchObject(unauthenticated);
		expect(await run.call("POST", "/v1/token", { token: other.token })).toMatchObject(unauthenticated);
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	});

	test("the certificate without the token, and with one that is none, is refused", async () => {
		const target = { socketPath: run.socketPath, tls: run.tls };
		expect(await sendRequest(target, "GET", "/v1/input")).toMatchObject(unauthenticated);
		for (const token of ["x", `${run.token}x`, run.token.split(".").slice(0, 2).join(".")])
			expect(await run.call("GET", "/v1/input", { token })).toMatchObject(unauthenticated);
	});

	test("the token without a certificate does not get to ask", async () => {
		await expect(run.call("GET", "/v1/input", { tls: { ca: run.tls.ca } })).rejects.toThrow();
		const inClear = { headers: { authorization: `Bearer ${run.token}` } };
		await expect(sendRequest({ socketPath: run.socketPath }, "GET", "/v1/input", inClear)).rejects.toThrow();
	});

	test("a certificate of another authority does not get to ask, whatever it says", async () => {
		await using elsewhere = await openDoors();
		const { newest } = await new CertificateAuthority(elsewhere.dataDirectory).current();
		const { certificate, key } = await issueCertificate(newest, {
			subject: { kind: "run", id: run.id },
			expiresAt: Date.now() + 60_000,
		});
		await expect(run.call("GET", "/v1/input", { tls: { ca: run.tls.ca, cert: certificate, key } })).rejects.toThrow();
	});

	test.each<CertificateSubject["kind"]>(["server", "door"])("a certificate of kind %s does not get to ask", async (kind) => {
		const tls = { ca: run.tls.ca, ...(await issue({ kind, id: run.id })) };
		await expect(run.call("GET", "/v1/input", { tls })).rejects.toThrow();
	});

	test("a certificate of a sidecar process is refused, whatever it asserts", async () => {
		const tls = { ca: run.tls.ca, ...(await issue({ kind: "sidecar", id: run.id })) };
		const headers = { "cronium-client-certificate": thumbprintOf(new X509Certificate(run.tls.cert)) };
		expect(await run.call("GET", "/v1/input", { tls })).toMatchObject(unauthenticated);
		expect(await run.call("GET", "/v1/input", { tls, headers })).toMatchObject(unauthenticated);
		// Nor may the run itself assert something.
		expect(await run.call("GET", "/v1/input", { headers })).toMatchObject(unauthenticated);
	});

	test("another certificate of this very run is refused, because the token is bound to one", async () => {
		const tls = { ca: run.tls.ca, ...(await issue({ kind: "run", id: run.id })) };
		expect(await run.call("GET", "/v1/input", { tls })).toMatchObject(unauthenticated);
	});

	test("a certificate that has expired does not get to ask", async () => {
		const tls = { ca: run.tls.ca, ...(await issue({ kind: "run", id: run.id }, Date.now() - 1_000)) };
		await expect(run.call("GET", "/v1/input", { tls })).rejects.toThrow();
	});

	test("a client does not take another server for its door", async () => {
		for (const kind of ["run", "sidecar"] as const) {
			const shown = await issue({ kind, id: run.id });
			const { createServer: createTls } = await import("node:tls");
			const server = createTls({ ...shown });
			const path = join(doors.makeDirectory(), "false.sock");
			await new Promise<void>((resolve) => server.listen(path, resolve));
			await expect(run.call("GET", "/v1/input", { target: { socketPath: path } })).rejects.toThrow(/purpose|altnames/i);
			await new Promise((resolve) => server.close(resolve));
		}
	});

	test("TLS before 1.3 is not spoken", async () => {
		await expect(
			new Promise((resolve, reject) => {
				const socket = connectTls({ path: run.socketPath, servername: "localhost", ...run.tls, maxVersion: "TLSv1.2" });
				socket.once("secureConnect", resolve).once("error", reject);
			}),
		).rejects.toThrow();
	});
});

test("a container's token is refused at the bridge, with its certificate and without", async () => {
	const run = await doors.openRun();
	const { certificate, key, trusted } = await new ServerIdentity(new CertificateAuthority(doors.dataDirectory), []).current();
	const tokens = new ExecutionTokens(new KeyRing(doors.dataDirectory), doors.host.limits, (id) => doors.host.external(id));
	const headers = { authorization: `Bearer ${run.token}` };
	for (const tls of [undefined, { certificate, key, clientIssuers: trusted }]) {
		const bridge = createServer(tls ? { tls } : {});
		const identify = identifyByToken(tokens, "bridge");
		await bridge.register(runtimeApi, { identify, tokens, traffic: new Traffic(doors.host.limits), isReady: () => true });
		const url = (await bridge.listen({ host: "127.0.0.1", port: 0 })).replace("127.0.0.1", "localhost");
		const target = tls ? { url, tls: run.tls } : { url };
		expect(await sendRequest(target, "GET", "/v1/input", { headers })).toMatchObject(unauthenticated);
		const asserting = { ...headers, "cronium-client-certificate": thumbprintOf(new X509Certificate(run.tls.cert)) };
		expect(await sendRequest(target, "GET", "/v1/input", { headers: asserting })).toMatchObject(unauthenticated);
		await drainServer(bridge, 0);
	}
	await run.end();
});

const openTls = (run: RunAtDoor): Promise<TLSSocket> =>
	new Promise((resolve, reject) => {
		const socket = connectTls({ path: run.socketPath, servername: "localhost", ...run.tls });
		socket.once("secureConnect", () => resolve(socket)).once("error", reject);
	});

test.each([
	["the run ends", (run: RunAtDoor) => run.end()],
	["its executor closes it", (run: RunAtDoor) => run.closeDoor()],
	["the run is cancelled", (run: RunAtDoor) => doors.host.cancel(run.id)],
])("when %s, connections are cut and nothing of the door is left", async (_what, close) => {
	const run = await doors.openRun();
	const idle = await openTls(run);
	const waiting = connect({ path: run.socketPath });
	const cut = Promise.all(
		[idle, waiting].map((socket) => new Promise((resolve) => socket.on("error", resolve).on("close", resolve))),
	);
	expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	await close(run);
	await cut;
	await expect.poll(() => readdirSync(run.directory)).toEqual([]);
	await expect(run.call("GET", "/v1/input")).rejects.toMatchObject({ code: "ENOENT" });
	await run.end();
	await run.closeDoor();
});

test("a client that has ended its side of the connection gets its answers", async () => {
	const run = await doors.openRun({ input: "7" });
	const socket = connectTls({ path: run.socketPath, servername: "localhost", ...run.tls });
	const head = (method: string, path: string) =>
		`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${run.token}\r\n`;
	socket.end(
		`${head("PUT", "/v1/variables/half")}Content-Type: application/json\r\nContent-Length: 1\r\n\r\n1${head("GET", "/v1/input")}\r\n`,
	);
	let received = "";
	for await (const chunk of socket) received += chunk;
	expect(received.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
	expect(received).toMatch(/\r\n\r\n7$/);
	await run.end();
});

test("a renewed token is in the file, for the other processes of the container, and the one before is good for a while", async () => {
	const run = await doors.openRun();
	const renewed = await run.call("POST", "/v1/token");
	expect(renewed.status).toBe(200);
	expect(readFileSync(join(run.directory, doorFiles.token), "utf8")).toBe(renewed.body.token);
	expect(statSync(join(run.directory, doorFiles.token)).mode & 0o777).toBe(0o600);
	for (const token of [run.token, renewed.body.token])
		expect(await run.call("GET", "/v1/input", { token })).toMatchObject({ status: 200 });
	await run.end();
});

test("doors that are open go on over a rotation of the authority, and new ones have the new one", async () => {
	const before = await doors.openRun();
	await rotateAuthority(doors.dataDirectory);
	await expect
		.poll(
			async () => {
				const run = await doors.openRun();
				const issuer = new X509Certificate(run.tls.cert).issuer;
				expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
				await run.end();
				return issuer === new X509Certificate(before.tls.cert).issuer;
			},
			{ timeout: 10_000 },
		)
		.toBe(false);
	expect(await before.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	await before.end();
});

test("those who are refused are in the audit log, as at every door", async () => {
	await using refusing = await openDoors({ audit: true });
	const run = await refusing.openRun();
	await run.call("GET", "/v1/input", { token: "nonsense" });
	await run.call("GET", "/v1/input", { tls: { ca: run.tls.ca } }).catch(() => undefined);
	await run.end();
	await refusing.host.dispose();
	await using trail = await openAuditTrail(refusing.dataDirectory);
	const failures = (await trail.list({ type: "authentication-failure" })).map(({ entry }) => entry);
	expect(failures).toEqual(
		expect.arrayContaining([
			expect.objectContaining({ door: "sidecar", reason: "The execution token is not valid." }),
			expect.objectContaining({ door: "sidecar", reason: "The client has shown no certificate that this host has issued." }),
		]),
	);
});

describe("with a listener on TCP", () => {
	test("the certificate says which run a connection is for, and there are no sockets", async () => {
		await using tcp = await openDoors({ tcp: { host: "127.0.0.1", port: 0, names: ["127.0.0.1"] } });
		const target = { url: `https://127.0.0.1:${tcp.doors.port}` };
		const [run, other] = [await tcp.openRun({ input: "1" }), await tcp.openRun({ input: "2" })];
		expect(readdirSync(run.directory)).not.toContain(doorFiles.socket);
		expect(await run.call("GET", "/v1/input", { target })).toMatchObject({ status: 200, body: 1 });
		expect(await other.call("GET", "/v1/input", { target })).toMatchObject({ status: 200, body: 2 });
		for (const given of [{ tls: other.tls }, { token: other.token }])
			expect(await run.call("GET", "/v1/input", { target, ...given })).toMatchObject(unauthenticated);
		await expect(run.call("GET", "/v1/input", { target, tls: { ca: run.tls.ca } })).rejects.toThrow();
		const kept = connectTls({ host: "127.0.0.1", port: tcp.doors.port as number, ...run.tls });
		kept.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		await new Promise((resolve) => kept.once("data", resolve));
		const cut = new Promise((resolve) => kept.on("error", resolve).on("close", resolve));
		await run.end();
		await cut;
		expect(await run.call("GET", "/v1/input", { target })).toMatchObject(unauthenticated);
		await rotateAuthority(tcp.dataDirectory);
		expect(await other.call("GET", "/v1/input", { target })).toMatchObject({ status: 200, body: 2 });
		await other.end();
		expect(tcp.internalErrors).toEqual([]);
	});
});

test("doors that are closed leave no sockets, timers or files", async () => {
	const count = () => {
		const names = process.getActiveResourcesInfo().filter((name) => /Pipe|TCP|TLS|Timeout|Immediate/.test(name));
		return Object.fromEntries([...new Set(names)].sort().map((name) => [name, names.filter((one) => one === name).length]));
	};
	const before = count();
	const own = await openDoors({ tcp: { host: "127.0.0.1", port: 0, names: [] } });
	const run = await own.openRun();
	const [place] = [run.directory];
	await run.call("GET", "/v1/input", { target: { url: `https://localhost:${own.doors.port}` } });
	await own.doors[Symbol.asyncDispose]();
	expect(readdirSync(place)).toEqual([]);
	await run.end();
	await own[Symbol.asyncDispose]();
	await expect.poll(count).toEqual(before);
});
