import { existsSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identifyByToken } from "../../host/http/credentials.ts";
import { runtimeApi } from "../../host/http/runtime-api.ts";
import { createServer } from "../../host/http/server.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import type { CertificateSubject } from "../../sidecar/certificate-kind.ts";
import { createCertificateRequest } from "../../sidecar/certificate-request.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import { SidecarServer } from "../../sidecar/sidecar-server.ts";
import { sendRequest } from "../http/send-request.ts";
import { type AgentHost, openAgentHost, type RunAtAgent, type RunningAgent, until } from "./agent-host.ts";
import { connectBridge } from "./bridge-client.ts";

let agents: AgentHost;
let agent: RunningAgent;
beforeAll(async () => {
	agents = await openAgentHost();
	agent = await agents.startAgent();
});
afterAll(async () => {
	expect(agents.internalErrors).toEqual([]);
	await agents[Symbol.asyncDispose]();
});

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };

async function issueFor(subject: CertificateSubject, expiresAt = Date.now() + 60_000) {
	const { newest } = await new CertificateAuthority(agents.dataDirectory).current();
	return await issueCertificate(newest, { subject, expiresAt });
}

describe("an agent", () => {
	test("forwards what a script asks, and the answer as it is", async () => {
		const run = await agents.openRun("web-1", { input: '{"n":1.0}' });
		expect((await run.call("GET", "/v1/input")).text).toBe('{"n":1.0}');
		const written = await run.call("PUT", "/v1/variables/a%2Fb%20%C3%A4", { body: "1.0" });
		expect(written).toMatchObject({ status: 200, headers: { etag: `"${written.body}"` } });
		expect((await run.call("GET", "/v1/variables/a%2Fb%20%C3%A4")).text).toBe("1.0");
		expect(await run.call("PUT", "/v1/output", { body: "[]" })).toMatchObject({ status: 204 });
		expect(await run.call("PATCH", "/v1/input")).toMatchObject({ status: 405, headers: { allow: "GET" } });
		expect(await run.call("POST", "/v1/token")).toMatchObject({ status: 200 });
		expect((await run.end()).output).toEqual([]);
	});

	test("has a socket for each run that nobody else can use, and removes it with the run", async () => {
		const run = await agents.openRun();
		expect(dirname(dirname(run.socketPath))).toBe(agent.directory);
		expect(lstatSync(run.socketPath).mode & 0o777).toBe(0o600);
		for (const directory of [agent.directory, dirname(run.socketPath)]) expect(lstatSync(directory).mode & 0o777).toBe(0o700);
		// Whoever is connected when the run ends is cut.
		const open = connect(run.socketPath);
		const closed = new Promise((resolve) => open.once("close", resolve));
		await new Promise((resolve) => open.once("connect", resolve));
		await run.end();
		await closed;
		await until(() => !existsSync(run.socketPath));
		expect(readdirSync(dirname(run.socketPath))).toEqual([]);
	});

	test("has a body refused that is over the limit, and holds so many connections of a run", async () => {
		const run = await agents.openRun("web-1", { limits: { maxValueBytes: 1_000, maxOutputBytes: 1_000, maxRunConnections: 2 } });
		for (const bytes of [1_001, 200_000])
			expect(await run.call("PUT", "/v1/variables/a", { body: JSON.stringify("x".repeat(bytes)) })).toMatchObject({
				status: 413,
				body: { code: "too-large" },
			});
		const open = [connect(run.socketPath), connect(run.socketPath)];
		await Promise.all(open.map((socket) => new Promise((resolve) => socket.once("connect", resolve))));
		await expect(run.call("GET", "/v1/input")).rejects.toThrow();
		for (const socket of open) socket.destroy();
		await until(() =>
			run.call("GET", "/v1/input").then(
				({ status }) => status === 200,
				() => false,
			),
		);
		await run.end();
	});

	test("lets a script ask through its socket for nothing that is the agent's own", async () => {
		const run = await agents.openRun();
		const body = JSON.stringify({ request: createCertificateRequest().request });
		for (const [method, path, given] of [
			["POST", "/agent/v1/certificate", { body }],
			["POST", `/agent/v1/runs/${run.id}`, { body: '{"socketPath":"/tmp/s"}' }],
			["GET", "/agent/v1/runs", {}],
		] as const)
			expect(await run.call(method, path, given), path).toMatchObject({ status: 403, body: { code: "denied" } });
		// The agent still hears of runs.
		expect(await (await agents.openRun()).call("GET", "/v1/input")).toMatchObject({ status: 200 });
		await run.end();
	});

	test("gives what its invitation grants, and no more than the run has", async () => {
		await using _narrow = await agents.startAgent({ terms: { host: "narrow", scopes: ["input:read", "variables:write"] } });
		expect(agents.server.find("narrow")?.scopes).toEqual(["input:read", "variables:write"]);
		const run = await agents.openRun("narrow", { scopes: ["input:read", "variables:read"] });
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		for (const [method, path, body] of [
			["GET", "/v1/variables/a", undefined],
			["PUT", "/v1/variables/a", "1"],
		] as const)
			expect(await run.call(method, path, body === undefined ? {} : { body })).toMatchObject({
				status: 403,
				body: { code: "denied" },
			});
		await run.end();
	});

	test("is asked for by runs of its host only, while it is connected", async () => {
		expect(agents.server.find("web-2")).toBeUndefined();
		await expect(agents.openRun("web-2")).rejects.toMatchObject({ code: "unavailable" });
		const other = await agents.startAgent({ terms: { host: "web-2" } });
		const run = await agents.openRun("web-2");
		expect(dirname(dirname(run.socketPath))).toBe(other.directory);
		await run.end();
		await other[Symbol.asyncDispose]();
		await until(() => agents.server.find("web-2") === undefined);
	});

	test("says why there is no socket", async () => {
		await using other = await agents.startAgent({ terms: { host: "broken" } });
		rmSync(join(other.directory, "sockets"), { recursive: true });
		await expect(agents.openRun("broken")).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("cannot open a socket"),
		});
	});
});

describe("a token of a run", () => {
	let run: RunAtAgent;
	let other: RunAtAgent;
	beforeAll(async () => {
		run = await agents.openRun("web-1", { input: '"mine"' });
		other = await agents.openRun("web-1", { input: '"other"' });
	});
	afterAll(async () => {
		await run.end();
		await other.end();
	});

	test("is good at the socket of its own run only", async () => {
		expect((await run.call("GET", "/v1/input")).body).toBe("mine");
		expect(await run.call("GET", "/v1/input", { token: other.token })).toMatchObject(unauthenticated);
		expect(await run.call("GET", "/v1/input", { socketPath: other.socketPath })).toMatchObject(unauthenticated);
		// Only the agent says which run it is.
		const asserting = { headers: { "cronium-run": other.id }, token: other.token };
		expect(await run.call("GET", "/v1/input", asserting)).toMatchObject(unauthenticated);
	});

	test("is refused at the other doors, and theirs here", async () => {
		for (const audience of ["bridge", "tunnel", "sidecar"] as const) {
			const { token } = await agents.tokens.issue(run.run, { audience });
			expect(await run.call("GET", "/v1/input", { token }), audience).toMatchObject(unauthenticated);
			await using door = createServer();
			await door.register(runtimeApi, {
				identify: identifyByToken(agents.tokens, audience),
				tokens: agents.tokens,
				traffic: await agents.host.traffic(),
				isReady: () => true,
			});
			const url = await door.listen({ host: "127.0.0.1", port: 0 });
			const ask = (text: string) => sendRequest({ url }, "GET", "/v1/input", { headers: { authorization: `Bearer ${text}` } });
			expect(await ask(run.token), audience).toMatchObject(unauthenticated);
			expect(await ask(token), audience).toMatchObject({ status: 200 });
		}
	});

	test("is refused when it is bound to no agent, or to another one", async () => {
		const { agent: id } = agent.identity;
		const tokenFor = async (terms: { readonly agent?: string }) =>
			(await agents.tokens.issue(run.run, { audience: "agent", ...terms })).token;
		expect(await run.call("GET", "/v1/input", { token: await tokenFor({ agent: id }) })).toMatchObject({ status: 200 });
		expect(await run.call("GET", "/v1/input", { token: await tokenFor({}) })).toMatchObject(unauthenticated);
		expect(await run.call("GET", "/v1/input", { token: await tokenFor({ agent: "other" }) })).toMatchObject(unauthenticated);
	});

	test("is refused on the channel of another agent, whatever that says", async () => {
		await using stranger = await agents.startAgent({ terms: { host: "stranger" } });
		using client = await connectBridge(agents, stranger.identity);
		const { id, token } = run;
		const authorization = `Bearer ${token}`;
		expect(await client.ask("GET", "/v1/input", { headers: { authorization, "cronium-run": id } })).toMatchObject({
			status: 401,
		});
		// It cannot say where the socket of another's run is.
		const body = JSON.stringify({ socketPath: "/tmp/stranger" });
		expect(await client.ask("POST", `/agent/v1/runs/${id}`, { body })).toMatchObject({ status: 404 });
		using own = await connectBridge(agents, agent.identity);
		expect(await own.ask("GET", "/v1/input", { headers: { authorization } })).toMatchObject({ status: 401 });
		expect(await own.ask("GET", "/v1/input", { headers: { authorization, "cronium-run": other.id } })).toMatchObject({
			status: 401,
		});
		expect(await own.ask("GET", "/v1/input", { headers: { authorization, "cronium-run": id } })).toMatchObject({ status: 200 });
	});

	test("is worth nothing after the end of the run", async () => {
		const ended = await agents.openRun();
		await ended.end();
		using client = await connectBridge(agents, agent.identity);
		const headers = { authorization: `Bearer ${ended.token}`, "cronium-run": ended.id };
		expect(await client.ask("GET", "/v1/input", { headers })).toMatchObject({ status: 401 });
	});
});

describe("the bridge", () => {
	test("takes no other certificate for an agent's", async () => {
		const { agent: id } = agent.identity;
		const others: CertificateSubject[] = [{ kind: "server" }, { kind: "run", id }, { kind: "sidecar", id }, { kind: "door", id }];
		for (const subject of others) await expect(connectBridge(agents, await issueFor(subject)), subject.kind).rejects.toThrow();
		await expect(connectBridge(agents, await issueFor({ kind: "agent", id: "unknown" }))).rejects.toThrow();
		await expect(connectBridge(agents, await issueFor({ kind: "agent", id }, Date.now() - 1_000))).rejects.toThrow();
		await using elsewhere = await openAgentHost();
		await using theirs = await elsewhere.startAgent();
		await expect(connectBridge(agents, theirs.identity)).rejects.toThrow();
		(await connectBridge(agents, await issueFor({ kind: "agent", id })))[Symbol.dispose]();
	});

	test("takes few requests of a connection at one time, each of which takes memory", async () => {
		using stranger = await connectBridge(agents);
		expect(stranger.session.remoteSettings).toMatchObject({ maxConcurrentStreams: 1, maxHeaderListSize: 32 * 1024 });
		using known = await connectBridge(agents, await issueFor({ kind: "agent", id: agent.identity.agent }));
		expect(known.session.remoteSettings).toMatchObject({ maxConcurrentStreams: 1_000, maxHeaderListSize: 32 * 1024 });
	});

	test("lets nobody do anything but join without a certificate", async () => {
		using client = await connectBridge(agents);
		for (const [method, path] of [
			["GET", "/v1/input"],
			["GET", "/agent/v1/runs"],
			["POST", "/agent/v1/certificate"],
			["GET", "/v1/health"],
			["GET", "/openapi.json"],
		] as const)
			expect(await client.ask(method, path), path).toMatchObject({ status: 404 });
		const wrong = { body: JSON.stringify({ secret: "wrong", request: "" }) };
		expect(await client.ask("POST", "/agent/v1/join", wrong)).toMatchObject({ status: 401 });
		for (const body of ["", "[]", "{}", '{"secret":1,"request":""}', `{"secret":"${"x".repeat(20_000)}","request":""}`])
			expect([400, 413]).toContain((await client.ask("POST", "/agent/v1/join", { body })).status);
	});

	test("has an agent's certificate refused where sidecar processes come in", async () => {
		const { host, dataDirectory, tokens } = agents;
		await using sidecars = await SidecarServer.listen({
			dataDirectory,
			listen: { host: "127.0.0.1", port: 0 },
			limits: host.limits,
			tokens,
			traffic: await host.traffic(),
			findRun: (id) => host.external(id),
			isReady: () => true,
		});
		const server = { port: sidecars.port } as AgentHost["server"];
		await expect(connectBridge({ ...agents, server }, agent.identity)).rejects.toThrow();
		await expect(connectBridge({ ...agents, server })).rejects.toThrow();
	});

	test("takes so many connections of an agent and no more", async () => {
		const open = [];
		for (let count = 0; count < 3; count++) open.push(await connectBridge(agents, agent.identity));
		await expect(connectBridge(agents, agent.identity)).rejects.toThrow();
		for (const client of open) client[Symbol.dispose]();
		await until(() => agents.server.find("web-1"));
	});

	test("lets addresses take turns, so that a flood from one does not keep agents of others away", async () => {
		await using slow = await openAgentHost({ limits: { maxHandshakesPerSecond: 4 } });
		let secured = 0;
		const flood = Array.from({ length: 60 }, () => {
			const line = connect({ host: "127.0.0.1", port: slow.server.port, localAddress: "127.0.0.2" });
			const socket = connectTls({ socket: line, rejectUnauthorized: false });
			return socket.on("error", () => undefined).once("secureConnect", () => secured++);
		});
		await until(() => secured > 0);
		(await connectBridge(slow))[Symbol.dispose]();
		expect(secured).toBeLessThan(flood.length / 2);
		for (const socket of flood) socket.destroy();
	});

	test("takes no socket path from an agent that could be something else", async () => {
		const other = await agents.startAgent({ terms: { host: "liar" } });
		await other[Symbol.asyncDispose]();
		await until(() => agents.server.find("liar") === undefined);
		using client = await connectBridge(agents, other.identity);
		const stream = client.session.request({ ":path": "/agent/v1/runs" });
		const opened = new Promise<string>((resolve) => {
			stream.setEncoding("utf8").on("data", (text: string) => {
				for (const line of text.trim().split("\n")) {
					const message = JSON.parse(line);
					if (message.type === "open") resolve(message.run.id);
				}
			});
		});
		stream.on("error", () => undefined);
		await until(() => agents.server.find("liar"));
		const run = await agents.host.open({});
		const place = { host: { name: "liar" } } as Parameters<AgentHost["server"]["open"]>[1];
		const door = agents.server.open(run, place).catch((refusal: Error) => refusal);
		const path = `/agent/v1/runs/${await opened}`;
		for (const socketPath of ["", "relative", "/a\nb", "/a b", `/${"x".repeat(100)}`, "/a\u0000"])
			expect(await client.ask("POST", path, { body: JSON.stringify({ socketPath }) }), socketPath).toMatchObject({ status: 400 });
		const body = JSON.stringify({ problem: `no\u001b[31m room ${"x".repeat(5_000)}` });
		expect(await client.ask("POST", path, { body })).toMatchObject({ status: 204 });
		const error = (await door) as Error;
		expect(error.message).toContain("\\u001b");
		expect(error.message.length).toBeLessThan(500);
		run.end({ status: "failed" });
		await run.outcome;
	});
});
