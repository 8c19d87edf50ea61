import { execFileSync, spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { lstatSync, mkdirSync, readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAuditTrail } from "../../host/index.ts";
import { join } from "../../sidecar/agent-identity.ts";
import type { IssuedIdentity } from "../../sidecar/agent-messages.ts";
import { rotateAuthority } from "../../sidecar/certificate-authority.ts";
import { readSubject } from "../../sidecar/certificate-kind.ts";
import { createCertificateRequest } from "../../sidecar/certificate-request.ts";
import { formatJoinToken, readJoinToken } from "../../sidecar/join-token.ts";
import { cronium } from "../cli/cronium.ts";
import { type AgentHost, openAgentHost, until } from "./agent-host.ts";
import { connectBridge } from "./bridge-client.ts";

let agents: AgentHost;
beforeAll(async () => {
	agents = await openAgentHost();
});
afterAll(async () => {
	expect(agents.internalErrors).toEqual([]);
	await agents[Symbol.asyncDispose]();
});

const unauthenticated = {
	code: "unauthenticated",
	message: "The join token has been used, has expired or was revoked: cronium agents invite makes another one.",
};

describe("joining", () => {
	test("gives a certificate of the agent's own, and leaves its key where it was made", async () => {
		const identity = await join(await agents.invite({ host: "new" }));
		const certificate = new X509Certificate(identity.certificate);
		expect(readSubject(certificate)).toEqual({ kind: "agent", id: identity.agent });
		expect(certificate.validToDate.getTime() - Date.now()).toBeGreaterThan(23 * 3_600_000);
		expect(certificate.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(24 * 3_600_000 + 1_000);
		expect(await agents.registry.get(identity.agent)).toMatchObject({ host: "new", state: "pending", address: "127.0.0.1" });
		// Neither the secret nor the key is anywhere in the data directory.
		const token = await agents.invite({ host: "secret" });
		// By a process of its own: whoever opens the lock file of a store and closes it again, gives up the locks of its process.
		const { status, stdout } = spawnSync("grep", ["-rlF", token.secret, agents.dataDirectory], { encoding: "utf8" });
		expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
	});

	test("ignores the names and extensions that a request asks for", async () => {
		const directory = await agents.makeDirectory();
		mkdirSync(directory);
		const file = (name: string): string => joinPath(directory, name);
		execFileSync("openssl", [
			...["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
			...["-keyout", file("key"), "-out", file("csr"), "-subj", "/CN=Cronium server"],
			...["-addext", "subjectAltName=URI:spiffe://cronium/server,DNS:localhost"],
			...["-addext", "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=critical,CA:TRUE"],
		]);
		using client = await connectBridge(agents);
		const { secret } = await agents.invite({ host: "impostor" });
		const body = JSON.stringify({ secret, request: readFileSync(file("csr"), "utf8") });
		const { status, body: text } = await client.ask("POST", "/agent/v1/join", { body });
		expect(status).toBe(200);
		const { certificate, agent } = JSON.parse(text) as IssuedIdentity;
		const read = new X509Certificate(certificate);
		expect(readSubject(read)).toEqual({ kind: "agent", id: agent });
		expect(read.subject).toBe(`CN=Cronium agent ${agent}`);
		expect(read.subjectAltName).toBe(`URI:spiffe://cronium/agent/${agent}`);
		expect(read.ca).toBe(false);
	});

	test("takes no key of another kind, and no request that was not signed with it", async () => {
		const directory = await agents.makeDirectory();
		mkdirSync(directory);
		const make = (...words: string[]): string =>
			execFileSync("openssl", ["req", "-new", ...words, "-nodes", "-keyout", joinPath(directory, "key"), "-subj", "/CN=a"], {
				encoding: "utf8",
				stdio: ["ignore", "pipe", "ignore"],
			});
		const { request } = createCertificateRequest();
		const bytes = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ""), "base64");
		// Within the public key.
		bytes[60] = (bytes[60] as number) ^ 1;
		const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
		const { secret } = await agents.invite({ host: "odd" });
		using client = await connectBridge(agents);
		for (const asked of [
			"",
			"x",
			forged,
			make("-newkey", "rsa:2048"),
			make("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"),
			make("-newkey", "ed25519"),
		])
			expect(
				await client.ask("POST", "/agent/v1/join", { body: JSON.stringify({ secret, request: asked }) }),
				asked,
			).toMatchObject({ status: 400 });
		// Nothing of that has used it up.
		expect(await client.ask("POST", "/agent/v1/join", { body: JSON.stringify({ secret, request }) })).toMatchObject({
			status: 200,
		});
	});

	test("is done once with a token, also by two at one time", async () => {
		const token = await agents.invite({ host: "once" });
		await join(token);
		await expect(join(token)).rejects.toMatchObject(unauthenticated);
		const contested = await agents.invite({ host: "contested" });
		const results = await Promise.allSettled(Array.from({ length: 8 }, () => join(contested)));
		expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
		for (const result of results) if (result.status === "rejected") expect(result.reason).toMatchObject(unauthenticated);
		expect((await agents.registry.list()).filter(({ host }) => host === "contested")).toHaveLength(1);
	});

	test("is refused with a token that has expired, was withdrawn, or was never made", async () => {
		const old = await agents.invite({ lifetimeMs: 1 });
		await new Promise((resolve) => setTimeout(resolve, 5));
		await expect(join(old)).rejects.toMatchObject(unauthenticated);
		const withdrawn = await agents.invite({ host: "withdrawn" });
		const [invitation] = (await agents.registry.invitations()).filter(({ host }) => host === "withdrawn");
		expect(await agents.registry.withdraw(invitation?.id as string)).toBe(true);
		await expect(join(withdrawn)).rejects.toMatchObject(unauthenticated);
		await expect(join({ ...old, secret: "x".repeat(43) })).rejects.toMatchObject(unauthenticated);
		// What the store has of a secret is not one.
		await agents.invite({ host: "hashed" });
		const [hashed] = (await agents.registry.invitations()).filter(({ host }) => host === "hashed");
		await expect(join({ ...old, secret: hashed?.id as string })).rejects.toMatchObject(unauthenticated);
	});

	test("tells its secret to nobody but the bridge that the token names", async () => {
		await using elsewhere = await openAgentHost();
		const { trusted } = await elsewhere.invite();
		const token = await agents.invite({ host: "pinned" });
		await expect(join({ ...token, trusted })).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("has not shown a certificate of the authority that the join token names"),
		});
		// It was not used up.
		await join(token);
		await expect(join({ ...token, address: "127.0.0.1:1" })).rejects.toMatchObject({
			code: "unavailable",
			message: "The bridge at 127.0.0.1:1 cannot be reached: ECONNREFUSED.",
		});
	});

	test("reads tokens as they were printed, and says what is wrong with others", async () => {
		const token = await agents.invite({ host: "text" });
		const text = formatJoinToken(token);
		expect(text).toMatch(/^cronium-join-1\.[\w-]+$/);
		expect(readJoinToken(`\n${text}\n`)).toEqual(token);
		for (const wrong of ["", "x", text.slice(0, -10), "cronium-join-1.e30", `cronium-join-1.${"A".repeat(70_000)}`]) {
			expect(() => readJoinToken(wrong)).toThrow(expect.objectContaining({ code: "invalid" }));
		}
	});
});

describe("an agent", () => {
	test("gets nothing before it is approved, and everything at once when it is", async () => {
		await using agent = await agents.startAgent({ terms: { host: "patient", isApproved: false } });
		await until(() => agent.said.some((line) => line.includes("waits for approval")));
		expect(agents.server.find("patient")).toBeUndefined();
		await expect(agents.openRun("patient")).rejects.toMatchObject({ code: "unavailable" });
		using client = await connectBridge(agents, agent.identity);
		const { request } = createCertificateRequest();
		for (const [method, path, body] of [
			["GET", "/v1/input", undefined],
			["GET", "/v1/health", undefined],
			["POST", "/agent/v1/certificate", JSON.stringify({ request })],
			["POST", "/agent/v1/runs/any", JSON.stringify({ socketPath: "/tmp/a" })],
		] as const)
			expect(await client.ask(method, path, body === undefined ? {} : { body }), path).toMatchObject({ status: 403 });
		client[Symbol.dispose]();
		await agents.registry.approve("patient");
		await until(() => agents.server.find("patient"));
		const run = await agents.openRun("patient");
		expect(await run.call("PUT", "/v1/variables/a", { body: "1" })).toMatchObject({ status: 200 });
		await run.end();
	});

	test("is the only approved one of its host until it is revoked", async () => {
		const first = await join(await agents.invite({ host: "single", isApproved: true }));
		await expect(agents.invite({ host: "single", isApproved: true })).rejects.toMatchObject({
			code: "conflict",
			message: expect.stringContaining(`cronium agents revoke ${first.agent}`),
		});
		const second = await join(await agents.invite({ host: "single" }));
		await expect(agents.registry.approve(second.agent)).rejects.toMatchObject({ code: "conflict" });
		await expect(agents.registry.revoke("single")).rejects.toMatchObject({
			code: "conflict",
			message: expect.stringContaining(first.agent),
		});
		await agents.registry.revoke(first.agent);
		await expect(agents.registry.approve(first.agent)).rejects.toMatchObject({ code: "conflict" });
		expect(await agents.registry.approve("single")).toMatchObject({ id: second.agent, state: "approved" });
		await expect(agents.registry.approve("single")).rejects.toMatchObject({ code: "not-found" });
	});

	test("that was invited as approved waits when its host has got another one meanwhile", async () => {
		const [one, other] = [
			await agents.invite({ host: "twice", isApproved: true }),
			await agents.invite({ host: "twice", isApproved: true }),
		];
		await Promise.all([join(one), join(other)]);
		const states = (await agents.registry.list()).filter(({ host }) => host === "twice").map(({ state }) => state);
		expect(states.sort()).toEqual(["approved", "pending"]);
	});

	test("is cut when it is revoked, also by another process, and refused from then on", async () => {
		await using agent = await agents.startAgent({ terms: { host: "revoked" } });
		const run = await agents.openRun("revoked");
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		using client = await connectBridge(agents, agent.identity);
		const { code, stderr } = await cronium(["agents", "revoke", "revoked", "--data", agents.dataDirectory]);
		expect({ code, stderr }).toEqual({
			code: 0,
			stderr: `cronium: agent ${agent.identity.agent} of the host revoked is revoked\n`,
		});
		await client.closed;
		await until(() => agents.server.find("revoked") === undefined);
		await expect(connectBridge(agents, agent.identity)).rejects.toThrow();
		await until(() => agent.said.some((line) => line.includes("refuses this agent")));
		await expect(agents.openRun("revoked")).rejects.toMatchObject({ code: "unavailable" });
		run.run.end({ status: "failed" });
		await run.run.outcome;
	});

	test("is told of in the audit log", async () => {
		const { agent } = await join(await agents.invite({ host: "audited" }));
		await agents.registry.approve("audited");
		await agents.registry.revoke("audited");
		await using trail = await openAuditTrail(agents.dataDirectory);
		const told = [];
		for await (const { entry } of trail.entries()) if (String(entry.key).startsWith("audited/")) told.push(entry);
		expect(told).toEqual([
			{ type: "control", action: "agents.invite", actor: "operator", key: expect.any(String) },
			{ type: "control", action: "agents.join", actor: "agent", key: `audited/${agent}` },
			{ type: "control", action: "agents.approve", actor: "operator", key: `audited/${agent}` },
			{ type: "control", action: "agents.revoke", actor: "operator", key: `audited/${agent}` },
		]);
	});

	test("learns of a new authority with its next certificate", async () => {
		await using elsewhere = await openAgentHost({ certificateMs: 2_000 });
		await using agent = await elsewhere.startAgent();
		await rotateAuthority(elsewhere.dataDirectory);
		const file = joinPath(agent.directory, "identity.json");
		const read = () => JSON.parse(readFileSync(file, "utf8")) as typeof agent.identity;
		await until(() => read().trusted.split("BEGIN CERTIFICATE").length > 2);
		const renewed = read();
		expect(renewed.key).not.toBe(agent.identity.key);
		expect(lstatSync(file).mode & 0o777).toBe(0o600);
		// It goes on beyond the life of its first one, on the same connection and on a new one.
		await until(() => Date.now() > agent.identity.expiresAt + 1_100);
		const run = await elsewhere.openRun();
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		await expect(connectBridge(elsewhere, agent.identity)).rejects.toThrow();
		await elsewhere.restartServer();
		await until(() => elsewhere.server.find("web-1"));
		await run.end();
		expect(elsewhere.internalErrors).toEqual([]);
	});
});
