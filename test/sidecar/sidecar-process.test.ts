import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { serve } from "../../host/serve.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { type CertificateSubject, thumbprintOf } from "../../sidecar/certificate-kind.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import { doorFiles } from "../../sidecar/door-directory.ts";
import type { SidecarCredentials } from "../../sidecar/sidecar-credentials.ts";
import { createDirectory, cronium, launcher } from "../cli/cronium.ts";
import { openCuttingProxy } from "../conformance/cutting-proxy.ts";
import { sendRequest } from "../http/send-request.ts";
import { type ForwardedDoors, type ForwardedRun, openForwardedDoors } from "./forwarded-doors.ts";

let doors: ForwardedDoors;
beforeAll(async () => {
	doors = await openForwardedDoors();
});
afterAll(async () => {
	expect(doors.internalErrors).toEqual([]);
	await doors[Symbol.asyncDispose]();
});

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };

describe("a sidecar process", () => {
	test("forwards what its container asks, and the answer as it is", async () => {
		const run = await doors.openRun({ input: '{"n":1.0}' });
		expect((await run.call("GET", "/v1/input")).text).toBe('{"n":1.0}');
		const written = await run.call("PUT", "/v1/variables/a%2Fb%20%C3%A4?expiresInMs=60000", {
			body: "1.0",
			headers: { "if-none-match": "*" },
		});
		expect(written).toMatchObject({
			status: 200,
			headers: { etag: `"${written.body}"`, "ratelimit-policy": '"run";q=1000;w=1' },
		});
		expect(await run.call("PUT", "/v1/variables/a%2Fb%20%C3%A4", { body: "2", headers: { "if-none-match": "*" } })).toMatchObject(
			{ status: 412, body: { code: "conflict", currentVersion: written.body } },
		);
		expect(
			await run.call("GET", "/v1/variables/a%2Fb%20%C3%A4", { headers: { "if-none-match": `"${written.body}"` } }),
		).toMatchObject({ status: 304, text: "" });
		expect(await run.call("PUT", "/v1/output", { body: "[]" })).toMatchObject({ status: 204 });
		expect(await run.call("PATCH", "/v1/input")).toMatchObject({ status: 405, headers: { allow: "GET" } });
		expect(await run.call("GET", "/v1/nothing")).toMatchObject({ status: 404, body: { code: "not-found" } });
		expect(await run.call("GET", "/sidecar/v1/end")).toMatchObject({ status: 404 });
		expect((await run.end()).output).toEqual([]);
	});

	test("takes another run's certificate, token, or both for nothing", async () => {
		const [run, other] = [await doors.openRun(), await doors.openRun()];
		for (const given of [{ tls: other.tls }, { token: other.token }, { tls: other.tls, token: other.token }])
			expect(await run.call("GET", "/v1/input", given)).toMatchObject(unauthenticated);
		await expect(run.call("GET", "/v1/input", { tls: { ca: run.tls.ca } })).rejects.toThrow();
		const asserting = { "cronium-client-certificate": thumbprintOf(new X509Certificate(run.tls.cert)) };
		expect(await run.call("GET", "/v1/input", { headers: asserting })).toMatchObject(unauthenticated);
		await run.end();
		await other.end();
	});

	test("has a body refused that is over the limit, by itself before it has read it when it is far over", async () => {
		const run = await doors.openRun({ limits: { maxValueBytes: 1_000, maxOutputBytes: 1_000 } });
		for (const bytes of [1_001, 200_000])
			expect(await run.call("PUT", "/v1/variables/a", { body: JSON.stringify("x".repeat(bytes)) })).toMatchObject({
				status: 413,
				body: { code: "too-large" },
			});
		await run.end();
	});

	test("keeps a renewed token for the other processes of the container", async () => {
		const run = await doors.openRun();
		const { body } = await run.call("POST", "/v1/token");
		expect(readFileSync(join(run.directory, doorFiles.token), "utf8")).toBe(body.token);
		expect(await run.call("GET", "/v1/input", { token: body.token })).toMatchObject({ status: 200 });
		await run.end();
	});

	test("ends with its run, and leaves nothing in its directory", async () => {
		const run = await doors.openRun();
		run.run.end({ status: "succeeded" });
		await run.sidecar.ended;
		await run.sidecar[Symbol.asyncDispose]();
		expect(readdirSync(run.directory)).toEqual([]);
		await run.end();
	});

	test("ends when the host does not know its run, and when its deadline has passed", async () => {
		const run = await doors.openRun();
		const stranger = await doors.openRun({}, undefined, { credentials: { ...(await issueSidecar("no-such-run")) } });
		await stranger.sidecar.ended;
		const late = await doors.openRun({}, undefined, { credentials: { address: "127.0.0.1:1", deadlineAt: Date.now() } });
		await late.sidecar.ended;
		for (const one of [run, stranger, late]) await one.end();
	});

	test("has one connection, makes it again when it is cut, and repeats what is safe to repeat", async () => {
		const proxy = await openCuttingProxy({ host: "127.0.0.1", port: doors.server.port as number });
		const run = await doors.openRun({}, undefined, { credentials: { address: `127.0.0.1:${proxy.port}` } });
		expect(await run.call("POST", "/v1/variables/n/increment")).toMatchObject({ status: 200, body: 1 });
		proxy.cutNextAnswer();
		expect(await run.call("GET", "/v1/variables/n")).toMatchObject({ status: 200, body: 1 });
		proxy.cutNextAnswer();
		expect(await run.call("POST", "/v1/variables/n/increment", { headers: { "idempotency-key": "once" } })).toMatchObject({
			status: 200,
			body: 2,
		});
		proxy.cutNextAnswer();
		// Without a key nobody knows whether it took place.
		expect(await run.call("POST", "/v1/variables/n/increment")).toMatchObject({ status: 503, body: { code: "unavailable" } });
		expect(proxy.cuts).toBe(3);
		expect(await run.call("GET", "/v1/variables/n")).toMatchObject({ status: 200 });
		await run.end();
		await proxy[Symbol.asyncDispose]();
	});

	test("lets requests wait for a host that is not there, until their deadline", async () => {
		const changes = { credentials: { address: "127.0.0.1:1" }, requestTimeoutMs: 300 };
		const run = await doors.openRun({}, undefined, changes);
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 504, body: { code: "timed-out" } });
		await run.end();
	});

	test("answers a request that has waited for the host, when it is there", async () => {
		const { createServer } = await import("node:net");
		const place = createServer();
		await new Promise<void>((resolve) => place.listen(0, "127.0.0.1", resolve));
		const { port } = place.address() as { port: number };
		await new Promise((resolve) => place.close(resolve));
		const run = await doors.openRun({ input: "5" }, undefined, { credentials: { address: `127.0.0.1:${port}` } });
		const waiting = run.call("GET", "/v1/input");
		const target = { host: "127.0.0.1", port: doors.server.port as number };
		const way = createServer((socket) => {
			const onward = connectTcp(target);
			for (const one of [socket, onward]) one.on("error", () => undefined);
			socket.pipe(onward).pipe(socket);
		});
		await new Promise<void>((resolve) => way.listen(port, "127.0.0.1", resolve));
		expect(await waiting).toMatchObject({ status: 200, body: 5 });
		await run.end();
		await new Promise((resolve) => way.close(resolve));
	});

	test("comes back less and less often to a host that refuses it", async () => {
		const run = await doors.openRun();
		const { createServer } = await import("node:tls");
		const { certificate, key } = await issueFor({ kind: "server" });
		let connections = 0;
		const server = createServer({ cert: certificate, key, ALPNProtocols: ["h2"] }, (socket) => {
			connections++;
			socket.on("error", () => undefined).destroy();
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as { port: number };
		const refused = await doors.openRun({}, undefined, {
			credentials: { address: `127.0.0.1:${port}` },
			requestTimeoutMs: 1_500,
		});
		expect(await refused.call("GET", "/v1/input")).toMatchObject({ status: 504 });
		expect(connections).toBeGreaterThan(1);
		expect(connections).toBeLessThan(12);
		for (const one of [run, refused]) await one.end();
		await new Promise((resolve) => server.close(resolve));
	});

	test("gives its credentials to nobody but a host of the same authority", async () => {
		const received: string[] = [];
		const { newest } = await new CertificateAuthority(doors.dataDirectory).current();
		const { createServer } = await import("node:tls");
		await using elsewhere = await openForwardedDoors();
		const other = (await new CertificateAuthority(elsewhere.dataDirectory).current()).newest;
		for (const [authority, subject] of [
			[newest, { kind: "door", id: "a" }],
			[newest, { kind: "run", id: "a" }],
			[other, { kind: "server" }],
		] as const) {
			const { certificate, key } = await issueCertificate(authority, { subject, expiresAt: Date.now() + 60_000 });
			const server = createServer({ cert: certificate, key, ALPNProtocols: ["h2"] }, (socket) =>
				socket.on("data", (chunk) => received.push(String(chunk))),
			);
			server.on("tlsClientError", () => undefined);
			await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
			const { port } = server.address() as { port: number };
			const run = await doors.openRun({}, undefined, { credentials: { address: `127.0.0.1:${port}` }, requestTimeoutMs: 300 });
			expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 504 });
			await run.end();
			await new Promise((resolve) => server.close(resolve));
		}
		expect(received).toEqual([]);
	});
});

/** Credentials of a sidecar process for any run. */
async function issueSidecar(id: string): Promise<Partial<SidecarCredentials>> {
	return { run: id, sidecar: await issueFor({ kind: "sidecar", id }) };
}

async function issueFor(subject: CertificateSubject) {
	const { newest } = await new CertificateAuthority(doors.dataDirectory).current();
	return await issueCertificate(newest, { subject, expiresAt: Date.now() + 60_000 });
}

describe("the host's listener for sidecar processes", () => {
	let run: ForwardedRun;
	let other: ForwardedRun;
	beforeAll(async () => {
		run = await doors.openRun({ input: '"mine"' });
		other = await doors.openRun({ input: '"other"' });
	});
	afterAll(async () => {
		await run.end();
		await other.end();
	});

	/** Asks for the input with a certificate, a token and an assertion. */
	async function ask(
		shown: { readonly certificate: string; readonly key: string },
		headers: IncomingHttpHeaders,
	): Promise<{ status: number; text: string }> {
		const session = await openSession(shown);
		try {
			return await new Promise((resolve, reject) => {
				const stream = session.request({ ":path": "/v1/input", ...headers });
				let status = 0;
				let text = "";
				stream.setEncoding("utf8").on("response", (found) => {
					status = found[":status"] ?? 0;
				});
				stream.on("data", (chunk: string) => {
					text += chunk;
				});
				stream.on("error", reject).on("end", () => resolve({ status, text }));
			});
		} finally {
			session.destroy();
		}
	}

	function openSession({
		certificate,
		key,
	}: {
		readonly certificate: string;
		readonly key: string;
	}): Promise<ClientHttp2Session> {
		return new Promise((resolve, reject) => {
			const socket = connectTls({
				host: "127.0.0.1",
				port: doors.server.port as number,
				cert: certificate,
				key,
				ca: run.credentials.trusted,
				servername: "localhost",
				ALPNProtocols: ["h2"],
			});
			socket.on("error", reject).on("close", () => reject(new Error("closed")));
			const session = connectHttp2("https://localhost", { createConnection: () => socket });
			session.on("error", reject);
			// In TLS 1.3 a client is done before the server has looked at its certificate.
			session.once("remoteSettings", () => resolve(session));
		});
	}

	const headersOf = ({ token, tls }: ForwardedRun) => ({
		authorization: `Bearer ${token}`,
		"cronium-client-certificate": thumbprintOf(new X509Certificate(tls.cert)),
	});

	test("believes what a sidecar process asserts for its own run", async () => {
		expect(await ask(run.credentials.sidecar, headersOf(run))).toEqual({ status: 200, text: '"mine"' });
	});

	test("does not for another run, nor without an assertion, nor with a wrong one", async () => {
		expect(await ask(other.credentials.sidecar, headersOf(run))).toMatchObject({ status: 401 });
		const { authorization } = headersOf(run);
		expect(await ask(run.credentials.sidecar, { authorization })).toMatchObject({ status: 401 });
		for (const wrong of [headersOf(other)["cronium-client-certificate"], "x", ""])
			expect(await ask(run.credentials.sidecar, { authorization, "cronium-client-certificate": wrong })).toMatchObject({
				status: 401,
			});
	});

	test("takes no token that is bound to no certificate, or is for another door", async () => {
		for (const audience of ["sidecar", "bridge"] as const) {
			const { token } = await doors.tokens.issue(run.run, { audience });
			const headers = { ...headersOf(run), authorization: `Bearer ${token}` };
			expect(await ask(run.credentials.sidecar, headers), audience).toMatchObject({ status: 401 });
		}
	});

	test("takes no connection with another kind of certificate, not even of the run itself", async () => {
		await expect(ask(run.credentials.client, headersOf(run))).rejects.toThrow();
		await expect(ask(run.credentials.door, headersOf(run))).rejects.toThrow();
		await expect(ask(await issueFor({ kind: "server" }), headersOf(run))).rejects.toThrow();
		await using elsewhere = await openForwardedDoors();
		const theirs = await elsewhere.openRun();
		await expect(ask(theirs.credentials.sidecar, headersOf(run))).rejects.toThrow();
		await theirs.end();
	});

	test("takes so many connections of a run and no more", async () => {
		// One is the process's own.
		const open = [
			await openSession(run.credentials.sidecar),
			await openSession(run.credentials.sidecar),
			await openSession(run.credentials.sidecar),
		];
		await expect(openSession(run.credentials.sidecar)).rejects.toThrow();
		(await openSession(other.credentials.sidecar)).destroy();
		for (const session of open) session.destroy();
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	});

	test("speaks nothing but HTTP/2", async () => {
		const { certificate: cert, key } = run.credentials.sidecar;
		const tls = { ca: run.credentials.trusted, cert, key };
		await expect(
			sendRequest({ url: `https://localhost:${doors.server.port}`, tls }, "GET", "/v1/input", { headers: headersOf(run) }),
		).rejects.toThrow();
	});
});

describe("cronium sidecar", () => {
	const running = new Set<ChildProcess>();
	afterEach(() => {
		for (const child of running) child.kill("SIGKILL");
		running.clear();
	});

	/** One for a run of the host, once it listens. */
	async function start(credentials: SidecarCredentials, from: "file" | "standard input") {
		const directory = createDirectory();
		const place = join(directory, "door");
		mkdirSync(place, { mode: 0o710 });
		const file = join(directory, "credentials.json");
		writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 });
		const child = spawn(
			process.execPath,
			[launcher, "sidecar", "--credentials", from === "file" ? file : "-", "--directory", place],
			{
				stdio: ["pipe", "ignore", "pipe"],
				env: { PATH: process.env.PATH },
			},
		);
		running.add(child);
		child.stdin.end(from === "file" ? "" : JSON.stringify(credentials));
		const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
		for await (const line of createInterface({ input: child.stderr })) {
			expect(line).toContain(`run ${credentials.run} on unix:${join(place, doorFiles.socket)}`);
			break;
		}
		const tls = { ca: credentials.trusted, cert: credentials.client.certificate, key: credentials.client.key };
		return {
			child,
			exited,
			place,
			call: () =>
				sendRequest({ socketPath: join(place, doorFiles.socket), tls }, "GET", "/v1/input", {
					headers: { authorization: `Bearer ${credentials.client.token}` },
				}),
		};
	}

	test("serves one run of cronium serve, and ends with it", async () => {
		const data = join(createDirectory(), "data");
		const loopback = { host: "127.0.0.1", port: 0 };
		const server = await serve({
			dataDirectory: data,
			listen: loopback,
			controlListen: loopback,
			sidecarListen: loopback,
			drainMs: 0,
			limits: { maxWorkers: 1 },
		});
		const control = async (method: string, path: string, body: unknown = {}) => {
			const authorization = `Bearer ${readFileSync(server.operatorTokenFile, "utf8").trim()}`;
			const answer = await fetch(`${server.controlUrl}/control/v1${path}`, {
				method,
				headers: { authorization, "content-type": "application/json" },
				body: JSON.stringify(body),
			});
			return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
		};
		const { id } = (await control("POST", "/runs", { mode: "external", input: "in" })).body as { id: string };
		const made = await control("POST", `/runs/${id}/sidecar`);
		expect(made).toMatchObject({ status: 201, body: { run: id, version: 1 } });
		const sidecar = await start(made.body as unknown as SidecarCredentials, "file");
		expect(await sidecar.call()).toMatchObject({ status: 200, body: "in" });
		await control("POST", `/runs/${id}/end`, { status: "succeeded" });
		expect(await sidecar.exited).toBe(0);
		expect(readdirSync(sidecar.place)).toEqual([]);
		expect(await control("POST", `/runs/${id}/sidecar`)).toMatchObject({ status: 409, body: { code: "cancelled" } });
		expect(await control("POST", "/runs/nonsense/sidecar")).toMatchObject({ status: 404 });
		await server.close();
	});

	test("takes its credentials from standard input, and ends when it is told to", async () => {
		const run = await doors.openRun({ input: "1" });
		const sidecar = await start(run.credentials, "standard input");
		expect(await sidecar.call()).toMatchObject({ status: 200, body: 1 });
		for (const name of Object.values(doorFiles)) expect(statSync(join(sidecar.place, name)).mode & 0o777, name).toBe(0o600);
		const environment =
			readFileSync(`/proc/${sidecar.child.pid}/environ`, "utf8") + readFileSync(`/proc/${sidecar.child.pid}/cmdline`, "utf8");
		expect(environment).not.toContain(run.token);
		sidecar.child.kill("SIGTERM");
		expect(await sidecar.exited).toBe(0);
		expect(readdirSync(sidecar.place)).toEqual([]);
		// The run goes on: another process can take its place.
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		await run.end();
	});

	test.each<[string, readonly string[], string, RegExp]>([
		["no credentials", ["--directory", "/nowhere"], "", /^cronium: --credentials is missing/],
		["no directory", ["--credentials", "-"], "", /^cronium: --directory is missing/],
		[
			"a group that is a name",
			["--credentials", "-", "--directory", "/nowhere", "--group", "root"],
			"",
			/--group is "root"; it must be the number of a group/,
		],
		[
			"credentials that are not JSON",
			["--credentials", "-", "--directory", "/nowhere"],
			'{"key":"secret',
			/^cronium: The credentials are not JSON\.\n$/,
		],
		[
			"credentials that lack something",
			["--credentials", "-", "--directory", "/nowhere"],
			'{"version":1,"run":"secret"}',
			/^cronium: deadlineAt must be a whole number\.\n$/,
		],
		[
			"a file that does not exist",
			["--credentials", "/nowhere/c.json", "--directory", "/nowhere"],
			"",
			/\/nowhere\/c\.json cannot be read \(ENOENT\)/,
		],
	])("says what is wrong with %s, and tells no secret", async (_what, argv, stdin, message) => {
		const { code, stderr } = await cronium(["sidecar", ...argv], { stdin });
		expect(stderr).toMatch(message);
		expect(stderr).not.toContain("secret");
		expect(code).toBe(2);
	});

	test("refuses a file of credentials that others can read", async () => {
		const file = join(createDirectory(), "credentials.json");
		writeFileSync(file, "{}");
		chmodSync(file, 0o640);
		const { code, stderr } = await cronium(["sidecar", "--credentials", file, "--directory", "/nowhere"]);
		expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining("is open to others (mode 640)") });
	});
});
