import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { ClientHttp2Session } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { buildAgent } from "../build-agent.ts";
import { createHost } from "../host/index.ts";
import { agentPaths } from "../sidecar/agent-messages.ts";
import { HostChannel } from "../sidecar/host-channel.ts";
import type { BenchAgent, BenchBridge, BenchRun } from "./agent-bridge.ts";
import { encodeRequest, KeptConnection } from "./http-client.ts";
import { interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row, ratioTarget } from "./measurement.ts";
import { Program } from "./program.ts";

const connections = 1_000;
const pingEveryMs = 30_000;
const megabyte = 2 ** 20;
const revocations = 20;
const program = fileURLToPath(new URL("./agent-bridge.ts", import.meta.url));

/** What do agents cost that do nothing, and what does a helper call through one? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const bridge = opened.use(Program.start([process.execPath, "--expose-gc", program, directory], { cwd: directory }));
	await bridge.line();
	const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const spki = publicKey.export({ type: "spki", format: "der" }).toString("base64");
	const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
	const described = JSON.parse(await bridge.ask(`describe ${spki}`)) as BenchBridge;

	const agent = opened.use(await startAgent(directory, described));
	const agents = JSON.parse(await bridge.ask(`agents ${connections + 20}`)) as readonly BenchAgent[];
	const idle = (one: BenchAgent): Promise<IdleAgent> => IdleAgent.connect(one, described, key);
	// The first ones pay for what all share.
	for (const one of agents.slice(connections)) opened.use(await idle(one));
	const before = Number(await bridge.ask("memory"));
	const all: IdleAgent[] = [];
	for (const one of agents.slice(0, connections)) all.push(opened.use(await idle(one)));
	const after = Number(await bridge.ask("memory"));
	const started = performance.now();
	const [bridgeBefore, agentBefore] = [bridge.processorTime, agent.processorTime];
	await wait(pingEveryMs * (quick ? 1 : 4));
	const elapsed = (performance.now() - started) * 1_000;
	const bridgeShare = ((bridge.processorTime - bridgeBefore) / elapsed) * 100;
	const agentShare = ((agent.processorTime - agentBefore) / elapsed) * 100;
	const addedMb = (after - before) / megabyte;
	// What calls leave in the heap would hide what connections take.
	const calls = await measureCalls(bridge, described, effort);
	const revoked = await measureRevocations(directory, all.slice(0, revocations));
	return {
		question: "agents of SSH hosts: idle ones, and a helper call through the socket of one",
		rows: [
			...calls,
			createRow(`memory of the bridge with ${connections} idle agents more`, "MB", [[addedMb]]),
			createRow("  one of them", "KB", [[(after - before) / connections / 1_024]]),
			createRow("memory of an agent, resident", "MB", [[agent.residentMb]]),
			createRow("revoked by another process → connection cut", "ms", [revoked]),
		],
		targets: [
			atMostTarget(`${connections} idle agents take ≤ 150 MB of the bridge`, addedMb, 150, "MB"),
			atMostTarget(`${connections} idle agents take ≤ 2 % of a core of the bridge`, bridgeShare, 2, "%"),
			atMostTarget("an agent takes ≤ 100 MB", agent.residentMb, 100, "MB"),
			atMostTarget("an idle agent takes ≤ 0.1 % of a core", agentShare, 0.1, "%"),
			ratioTarget("getVariable through an agent p50 ≤ 2× by URL", calls[1] as Row, calls[0] as Row, 2),
			atMostTarget(`the longest of ${revocations} revocations ≤ 1 s`, Math.max(...revoked), 1_000, "ms"),
		],
		notes: [
			`resident memory of the bridge: ${(after / megabyte).toFixed(0)} MB in all; every agent pings every ${pingEveryMs / 1_000} s, and has a stream open`,
			"the agent is dist/agent.js, one file, as a process of its own, with small heaps (docs/cronium-agent.service); the others are connections as it has them, from one process",
			"bridge, agent and load share the cores",
		],
	};
}

/** A connection of an agent that has nothing to do. */
class IdleAgent implements Disposable {
	readonly id: string;
	readonly #channel: HostChannel;
	/** Resolves when the connection has ended. */
	readonly closed: Promise<unknown>;
	isOpen = true;

	private constructor(id: string, channel: HostChannel, session: ClientHttp2Session) {
		this.id = id;
		this.#channel = channel;
		this.closed = new Promise((resolve) => session.once("close", resolve));
		session.once("close", () => {
			this.isOpen = false;
		});
	}

	static connect({ id, certificate }: BenchAgent, { address, trusted }: BenchBridge, key: string): Promise<IdleAgent> {
		return new Promise((resolve) => {
			const channel = new HostChannel({
				end: () => ({ address, trusted, certificate, key }),
				pingEveryMs,
				onAccepted: (session) => {
					const stream = session.request({ ":path": agentPaths.runs });
					stream.on("error", () => undefined);
					stream.once("data", () => resolve(new IdleAgent(id, channel, session)));
				},
			});
		});
	}

	[Symbol.dispose](): void {
		this.#channel[Symbol.dispose]();
	}
}

/** The agent as it is delivered, of the host `bench`. */
async function startAgent(directory: string, { joinToken }: BenchBridge) {
	const file = join(directory, "agent.js");
	await buildAgent(file);
	const token = join(directory, "join.token");
	writeFileSync(token, joinToken, { mode: 0o600 });
	// As the unit for systemd starts it.
	const heaps = ["--max-semi-space-size=1", "--max-old-space-size=64"];
	const argv = [process.execPath, ...heaps, file, "--state", join(directory, "agent"), "--join", token] as const;
	const agent = Program.start(argv, { cwd: directory, says: "stderr" });
	while (!(await agent.line()).includes("is connected"));
	return {
		get processorTime() {
			return agent.processorTime;
		},
		get residentMb() {
			const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${agent.pid}/status`, "utf8")) ?? [];
			return Number(kilobytes) / 1_024;
		},
		[Symbol.asyncDispose]: () => agent.end("SIGTERM"),
	};
}

async function measureCalls(bridge: Program, { trusted, bridgePort }: BenchBridge, effort: Effort): Promise<readonly Row[]> {
	const { socketPath, agentToken, bridgeToken } = JSON.parse(await bridge.ask("run bench")) as BenchRun;
	const tls = { ca: trusted };
	using direct = await KeptConnection.open({ address: { host: "127.0.0.1", port: bridgePort }, tls });
	using local = await KeptConnection.open({ address: { path: socketPath } });
	const perRound = effort.quick ? 100 : 500;
	const sides = [
		{
			name: "getVariable by URL, one caller",
			connection: direct,
			request: encodeRequest("GET", "/v1/variables/key", bridgeToken),
		},
		{
			name: "getVariable through an agent, one caller",
			connection: local,
			request: encodeRequest("GET", "/v1/variables/key", agentToken),
		},
	];
	const candidates = sides.map(({ name, connection, request }) => ({
		name,
		unit: "ms" as const,
		samplesPerRound: perRound,
		sample: async () => {
			const started = performance.now();
			const { status } = await connection.exchange(request);
			if (status !== 200) throw new Error(`A call was answered with ${status}.`);
			return performance.now() - started;
		},
	}));
	// V8 compiles as it goes.
	for (const { sample } of candidates) for (let call = 0; call < 1_000; call++) await sample();
	return await interleave(candidates, effort.quick ? 4 : 15, effort);
}

/** By a host of the same data directory in this process: how long the connections last. */
async function measureRevocations(directory: string, agents: readonly IdleAgent[]): Promise<readonly number[]> {
	await using host = await createHost({ dataDirectory: join(directory, "data") });
	const registry = await host.agents();
	const taken: number[] = [];
	for (const { id, closed, isOpen } of agents) {
		if (!isOpen) throw new Error("An idle agent has lost its connection.");
		await registry.revoke(id);
		const started = performance.now();
		await closed;
		taken.push(performance.now() - started);
	}
	return taken;
}
