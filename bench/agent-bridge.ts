import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { scopes } from "../host/contract/generated/types.ts";
import { identifyByToken } from "../host/http/credentials.ts";
import { runtimeApi } from "../host/http/runtime-api.ts";
import { createServer } from "../host/http/server.ts";
import { createHost } from "../host/index.ts";
import { CertificateAuthority } from "../sidecar/certificate-authority.ts";
import { ServerIdentity } from "../sidecar/certificates.ts";
import { formatJoinToken } from "../sidecar/join-token.ts";
import { AgentIssuer } from "../ssh-bridge/agent-issuer.ts";
import { AgentServer } from "../ssh-bridge/agent-server.ts";

/** Who agents of the bench are; all have one key. */
export interface BenchAgent {
	readonly id: string;
	readonly certificate: string;
}

/** How the script of a run makes calls: through the socket of an agent, and by URL. */
export interface BenchRun {
	readonly socketPath: string;
	readonly agentToken: string;
	readonly bridgeToken: string;
}

/** What there is to know of the bridge. */
export interface BenchBridge {
	readonly address: string;
	readonly trusted: string;
	readonly bridgePort: number;
	readonly joinToken: string;
}

// A bridge in a process of its own: `node agent-bridge.ts DIRECTORY`. Each line is a command, and is answered by one: `describe PUBLIC-KEY` says where it is, and is told the key of all
// agents (SPKI, base64); `agents N` makes so many, which are approved; `run HOST` opens a run with a variable of 100 bytes at the agent of the host; `memory` says the resident bytes after
// a collection. It ends with its standard input.
const dataDirectory = join(process.argv[2] as string, "data");
const limits = {
	maxWorkers: 1,
	maxCallsPerSecond: 1_000_000,
	maxNamespaceCallsPerSecond: 1_000_000,
	maxHostCalls: 100_000_000,
	maxWallTimeMs: 3_600_000,
	maxHandshakesPerSecond: 1_000,
};
await using host = await createHost({ dataDirectory, limits });
const [registry, tokens, traffic] = [await host.agents(), await host.tokens(), await host.traffic()];
const authority = new CertificateAuthority(dataDirectory);
const issuer = new AgentIssuer(authority);
const listen = { host: "127.0.0.1", port: 0 };
const basis = { tokens, traffic, isReady: () => true };
await using server = await AgentServer.listen({ dataDirectory, listen, limits: host.limits, registry, ...basis });
const { certificate, key, trusted } = await new ServerIdentity(authority, []).current();
await using bridge = createServer({ tls: { certificate, key } });
await bridge.register(runtimeApi, { identify: identifyByToken(tokens, "bridge"), ...basis });
await bridge.listen(listen);
let publicKey: CryptoKey | undefined;
let made = 0;

async function joinAs(hostName: string): Promise<BenchAgent> {
	const { secret } = await registry.invite({ host: hostName, scopes, isApproved: true, lifetimeMs: 60_000 });
	const agent = await registry.join(secret, "127.0.0.1");
	return { id: agent.id, certificate: (await issuer.issue(agent, publicKey as CryptoKey)).certificate };
}

async function answer(command: string, parameter: string): Promise<unknown> {
	if (command === "describe") {
		publicKey = await crypto.subtle.importKey(
			"spki",
			Buffer.from(parameter, "base64"),
			{ name: "ECDSA", namedCurve: "P-256" },
			true,
			["verify"],
		);
		const { secret } = await registry.invite({ host: "bench", scopes, isApproved: true, lifetimeMs: 600_000 });
		const { address } = server;
		const joinToken = formatJoinToken({ address, trusted, secret });
		return { address, trusted, bridgePort: (bridge.server.address() as AddressInfo).port, joinToken } satisfies BenchBridge;
	}
	if (command === "agents") {
		const agents: BenchAgent[] = [];
		for (let count = 0; count < Number(parameter); count++) agents.push(await joinAs(`host-${made++}`));
		return agents;
	}
	if (command === "run") {
		const run = await host.open({ variables: { key: JSON.stringify("x".repeat(98)) } });
		const place = { host: { name: parameter } } as Parameters<AgentServer["open"]>[1];
		const { environment } = await server.open(run, place);
		const { token: bridgeToken } = await tokens.issue(run, { audience: "bridge", lifetimeMs: limits.maxWallTimeMs });
		const { CRONIUM_SOCKET: socketPath = "", CRONIUM_EXECUTION_TOKEN: agentToken = "" } = environment;
		return { socketPath, agentToken, bridgeToken } satisfies BenchRun;
	}
	globalThis.gc?.();
	return process.memoryUsage().rss;
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
	const [command = "", parameter = ""] = line.split(" ");
	console.log(JSON.stringify(await answer(command, parameter)));
}
