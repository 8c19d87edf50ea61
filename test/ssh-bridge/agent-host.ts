import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scopes as everyScope } from "../../host/contract/generated/types.ts";
import type { ExternalReport, ExternalRun } from "../../host/executors/external.ts";
import { readHostEntry } from "../../host/executors/ssh/host-entry.ts";
import type { ScriptDoor } from "../../host/executors/ssh/script-door.ts";
import { createHost, type Host, type HostOptions, type Outcome } from "../../host/index.ts";
import type { ExternalRunOptions } from "../../host/run-options.ts";
import type { StartedRun } from "../../host/running-runs.ts";
import type { ExecutionTokens } from "../../host/tokens/execution-tokens.ts";
import { type AgentIdentity, join as joinBridge } from "../../sidecar/agent-identity.ts";
import { AgentProcess, type AgentProcessOptions } from "../../sidecar/agent-process.ts";
import { AgentState } from "../../sidecar/agent-state.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import type { JoinToken } from "../../sidecar/join-token.ts";
import type { AgentRegistry, InvitationTerms } from "../../ssh-bridge/agent-registry.ts";
import { AgentServer, type AgentServerOptions } from "../../ssh-bridge/agent-server.ts";
import { type HttpAnswer, sendRequest } from "../http/send-request.ts";

/** A real host that takes agents. */
export interface AgentHost extends AsyncDisposable {
	readonly host: Host;
	readonly dataDirectory: string;
	readonly registry: AgentRegistry;
	readonly tokens: ExecutionTokens;
	readonly internalErrors: Error[];
	/** The one that listens now. */
	readonly server: AgentServer;
	/** Ends it, and listens again at the same port. */
	restartServer(pauseMs?: number): Promise<void>;
	/** A directory for whatever the test needs. */
	makeDirectory(): Promise<string>;
	invite(terms?: Partial<InvitationTerms>): Promise<JoinToken>;
	/** An approved agent of the host `web-1`, in this process. */
	startAgent(changes?: AgentChanges): Promise<RunningAgent>;
	/** A run with its socket at the agent of the host. */
	openRun(hostName?: string, options?: ExternalRunOptions): Promise<RunAtAgent>;
}

export interface AgentChanges extends Partial<Pick<AgentProcessOptions, "requestTimeoutMs">> {
	readonly terms?: Partial<InvitationTerms>;
	/** Where it reaches the bridge instead of directly. */
	readonly address?: string;
	/** The directory of an agent that was there before. */
	readonly directory?: string;
}

export interface RunningAgent extends AsyncDisposable {
	readonly directory: string;
	readonly identity: AgentIdentity;
	readonly process: AgentProcess;
	readonly said: readonly string[];
}

export interface RunAtAgent {
	readonly id: string;
	readonly run: ExternalRun & StartedRun;
	readonly door: ScriptDoor;
	readonly socketPath: string;
	readonly token: string;
	call(
		method: string,
		path: string,
		given?: { body?: string; headers?: Record<string, string>; token?: string; socketPath?: string },
	): Promise<HttpAnswer>;
	end(report?: ExternalReport): Promise<Outcome>;
}

export async function openAgentHost(
	setup: Pick<HostOptions, "limits"> & Pick<AgentServerOptions, "certificateMs"> = {},
): Promise<AgentHost> {
	const opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-agents-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const dataDirectory = join(directory, "data");
	const limits = { maxWorkers: 1, maxWallTimeMs: 120_000, ...setup.limits };
	const host = opened.use(await createHost({ dataDirectory, warm: false, limits, audit: true }));
	const registry = await host.agents();
	const internalErrors: Error[] = [];
	const listen = async (port: number): Promise<AgentServer> =>
		AgentServer.listen({
			dataDirectory,
			listen: { host: "127.0.0.1", port },
			limits: host.limits,
			tokens: await host.tokens(),
			traffic: await host.traffic(),
			audit: host.audit,
			registry,
			isReady: () => true,
			onInternalError: (error) => internalErrors.push(error),
			...(setup.certificateMs !== undefined && { certificateMs: setup.certificateMs }),
		});
	let server = await listen(0);
	opened.defer(() => server[Symbol.asyncDispose]());
	let made = 0;
	const makeDirectory = async (): Promise<string> => join(directory, `agent-${made++}`);
	const invite = async (terms: Partial<InvitationTerms> = {}): Promise<JoinToken> => {
		const given = { host: "web-1", scopes: everyScope, isApproved: false, lifetimeMs: 60_000, ...terms };
		const { secret } = await registry.invite(given);
		const { trusted } = await new CertificateAuthority(dataDirectory).current();
		return { address: server.address, trusted, secret };
	};
	return {
		host,
		dataDirectory,
		registry,
		tokens: await host.tokens(),
		internalErrors,
		get server() {
			return server;
		},
		async restartServer(pauseMs = 0) {
			const { port } = server;
			await server[Symbol.asyncDispose]();
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
			server = await listen(port);
		},
		makeDirectory,
		invite,
		async startAgent({ terms, address, directory: place, ...options } = {}) {
			const state = await AgentState.open(place ?? (await makeDirectory()));
			let identity = state.readIdentity();
			if (!identity) {
				identity = {
					...(await joinBridge(await invite({ isApproved: true, ...terms }))),
					...(address !== undefined && { address }),
				};
				state.writeIdentity(identity);
			}
			const said: string[] = [];
			const agent = await AgentProcess.open({ state, identity, say: (line) => said.push(line), ...options });
			const stack = new AsyncDisposableStack();
			stack.use(state);
			stack.use(agent);
			opened.use(stack);
			const known = identity.host;
			if (terms?.isApproved !== false) await until(() => server.find(known) !== undefined);
			return { directory: state.directory, identity, process: agent, said, [Symbol.asyncDispose]: () => stack.disposeAsync() };
		},
		async openRun(hostName = "web-1", options = {}) {
			const run = await host.open(options);
			const door = await server.open(run, { host: readHostEntry(hostName, noHost, "/"), line: noLine, directory: "/nowhere" });
			const { CRONIUM_SOCKET: socketPath = "", CRONIUM_EXECUTION_TOKEN: token = "" } = door.environment;
			return {
				id: run.id,
				run,
				door,
				socketPath,
				token,
				call: (method, path, given = {}) =>
					sendRequest({ socketPath: given.socketPath ?? socketPath }, method, path, {
						headers: { authorization: `Bearer ${given.token ?? token}`, ...given.headers },
						...(given.body !== undefined && { body: given.body }),
					}),
				async end(report = { status: "succeeded" }) {
					run.end(report);
					const outcome = await run.outcome;
					await door[Symbol.asyncDispose]();
					return outcome;
				},
			};
		},
		[Symbol.asyncDispose]: () => opened.disposeAsync(),
	};
}

/** Waits until it is so; the test has a limit of its own. */
export async function until(isSo: () => unknown): Promise<void> {
	while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Agents need nothing of the SSH connection. */
const noLine = {
	remoteAddress: "127.0.0.1",
	listen: () => Promise.reject(new Error("The agent's door uses the SSH connection.")),
};

/** What an agent has to do with a host is its name. */
const noHost = {
	address: "127.0.0.1",
	user: "nobody",
	key: "/nowhere",
	fingerprints: [`SHA256:${"A".repeat(43)}`],
	reach: "agent",
};
