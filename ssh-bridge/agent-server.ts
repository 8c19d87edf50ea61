import type { Http2ServerRequest, ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { AuditLog } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import type { Scope } from "../host/contract/generated/types.ts";
import { type Limits, limitDefinitions } from "../host/contract/limits.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import type { AgentDoors, ScriptDoor, ScriptPlace } from "../host/executors/ssh/script-door.ts";
import { whenReady } from "../host/helpers/answer.ts";
import { tellingFailures } from "../host/http/authentication-failures.ts";
import { requireBearer } from "../host/http/credentials.ts";
import { runtimeApi } from "../host/http/runtime-api.ts";
import { createServer } from "../host/http/server.ts";
import type { Traffic } from "../host/http/traffic.ts";
import { connectionLimit } from "../host/process-limits.ts";
import type { ExecutionTokens, VerifiedToken } from "../host/tokens/execution-tokens.ts";
import { AddressLanes } from "../sidecar/address-lanes.ts";
import { agentPaths, type IssuedIdentity, runHeader } from "../sidecar/agent-messages.ts";
import { CertificateAuthority } from "../sidecar/certificate-authority.ts";
import { readSubject } from "../sidecar/certificate-kind.ts";
import { requireRequestedKey, ServerIdentity } from "../sidecar/certificates.ts";
import { TlsListener } from "../sidecar/tls-listener.ts";
import { attachServer } from "../sidecar/unheard-server.ts";
import { AgentChannel } from "./agent-channel.ts";
import { AgentDoor } from "./agent-door.ts";
import { AgentIssuer } from "./agent-issuer.ts";
import type { Agent, AgentRegistry } from "./agent-registry.ts";
import { leaveBodies, readMembers } from "./agent-requests.ts";
import { JoinServer } from "./join-server.ts";

export interface AgentServerOptions {
	readonly dataDirectory: string;
	readonly listen: { readonly host: string; readonly port: number };
	/** Where agents reach it, `host:port`; where it listens when not given. */
	readonly address?: string | undefined;
	readonly limits: Limits;
	readonly tokens: ExecutionTokens;
	readonly traffic: Traffic;
	readonly audit?: AuditLog | undefined;
	readonly registry: AgentRegistry;
	readonly isReady: () => boolean;
	/** How long the certificate of an agent is good, in milliseconds; a day when not given. */
	readonly certificateMs?: number;
	readonly onInternalError?: (error: Error) => void;
}

/** An agent has one connection, and a second one while it makes up for a first that is dead. */
const maxConnectionsOfAgent = 4;
/** Agents let themselves be heard every 30 seconds. */
const silenceMs = 75_000;
const openTimeoutMs = 10_000;

/**
 * Takes agents: HTTP/2 over TLS 1.3 with certificates of the directory's own authority. Who has none can join and do nothing else; who has one is an agent, with
 * one connection on which it is told of the runs on its host and forwards the calls of their scripts.
 */
export class AgentServer implements AgentDoors, AsyncDisposable {
	readonly #options: AgentServerOptions;
	readonly #authority: CertificateAuthority;
	readonly #issuer: AgentIssuer;
	readonly #joining: JoinServer;
	readonly #server: FastifyInstance;
	readonly #channels = new Set<AgentChannel>();
	readonly #bySession = new WeakMap<object, AgentChannel>();
	readonly #doors = new Map<string, AgentDoor>();
	readonly #stopped = new AbortController();
	#following: Promise<void> | undefined;
	#listener: TlsListener | undefined;

	private constructor(options: AgentServerOptions) {
		this.#options = options;
		this.#authority = new CertificateAuthority(options.dataDirectory);
		const { registry, audit, certificateMs, onInternalError } = options;
		this.#issuer = new AgentIssuer(this.#authority, certificateMs);
		this.#joining = new JoinServer({ registry, issuer: this.#issuer, audit, onInternalError });
		this.#server = createServer({ http2: true, stalledTimeoutMs: silenceMs, ...(onInternalError && { onInternalError }) });
	}

	/** Throws `unavailable` when the address cannot be had. */
	static async listen(options: AgentServerOptions): Promise<AgentServer> {
		const server = new AgentServer(options);
		try {
			await server.#start();
			return server;
		} catch (error) {
			await server[Symbol.asyncDispose]();
			throw error;
		}
	}

	async #start(): Promise<void> {
		const { limits, listen, registry } = this.#options;
		this.#following = this.#follow();
		this.#server.server.on("session", (session: ServerHttp2Session) => {
			// Whatever a client does wrong ends its connection, and nothing else.
			session.on("error", () => session.destroy());
			session.setTimeout(silenceMs, () => session.destroy());
		});
		this.#server.addHook("onRequest", async (request) => this.#requireApproved(request));
		await this.#server.register(async (own) => {
			leaveBodies(own);
			// Who has the socket of a run is its script, and not the agent, which hands on what comes through it.
			own.addHook("onRequest", async ({ headers }) => {
				if (headers[runHeader] !== undefined)
					throw new RuntimeError("denied", "What an agent asks for itself does not come through the socket of a run.");
			});
			own.get(agentPaths.runs, (request, reply) => this.#listen(request, reply));
			own.post<{ Params: { run: string } }>(`${agentPaths.runs}/:run`, (request, reply) => this.#report(request, reply));
			own.post(agentPaths.certificate, (request) => this.#renew(request));
		});
		const { audit, tokens, traffic, isReady } = this.#options;
		await this.#server.register(runtimeApi, {
			identify: tellingFailures("agent", audit, (request) => this.#identify(request)),
			tokens,
			traffic,
			isReady,
		});
		await this.#joining.start();
		await attachServer(this.#server);
		const identity = new ServerIdentity(this.#authority, []);
		this.#listener = await TlsListener.listen({
			address: listen,
			maxConnections: connectionLimit(limits.maxConnections),
			lane: new AddressLanes(limits.maxHandshakesPerSecond),
			credentials: () => identity.current(),
			protocol: "h2",
			onConnection: (socket) => void this.#take(socket),
			onAnonymous: (socket) => this.#joining.take(socket),
			onRefused: (address) =>
				this.#tell("The client has shown a certificate that this host has not issued, or an old one.", address),
		});
		await registry.setAddress(this.address);
	}

	/** Where agents reach it. */
	get address(): string {
		const { listen, address } = this.#options;
		return address ?? `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${this.port}`;
	}

	get port(): number {
		return this.#listener?.port as number;
	}

	find(hostName: string): { readonly scopes: readonly Scope[] } | undefined {
		return this.#channelOf((agent) => agent.host === hostName)?.agent;
	}

	/** Rejects with `unavailable` while no approved agent of the host is connected, and when it opens no socket in time. */
	async open(run: ServedRun, { host: { name } }: ScriptPlace): Promise<ScriptDoor> {
		const channel = this.#channelOf((agent) => agent.host === name);
		if (!channel?.agent) throw new RuntimeError("unavailable", `No approved agent of the host ${name} is connected.`);
		const { id, scopes: granted } = channel.agent;
		const { id: runId, scopes } = run.execution;
		if (this.#doors.has(runId)) throw new RuntimeError("invalid", `The run ${runId} has a socket already.`);
		const door = new AgentDoor(run, id);
		this.#doors.set(runId, door);
		const close = (): void => {
			if (!this.#doors.delete(runId)) return;
			run.ended.removeEventListener("abort", close);
			this.#channelOf((agent) => agent.id === id)?.tell({ type: "close", run: runId });
		};
		run.ended.addEventListener("abort", close, { once: true });
		try {
			const { token } = await this.#options.tokens.issue(run, {
				audience: "agent",
				agent: id,
				scopes: scopes.filter((scope) => granted.includes(scope)),
				lifetimeMs: limitDefinitions.tokenLifetimeMs.maximum,
			});
			// Whoever has come back meanwhile was told of it with all others.
			this.#channelOf((agent) => agent.id === id)?.tell({ type: "open", run: door.description });
			const socketPath = await door.opened(openTimeoutMs);
			return {
				environment: { CRONIUM_SOCKET: socketPath, CRONIUM_EXECUTION_TOKEN: token },
				[Symbol.asyncDispose]: async () => close(),
			};
		} catch (error) {
			close();
			throw error;
		}
	}

	/** The connection of an approved agent that takes messages. */
	#channelOf(isWanted: (agent: Agent) => boolean): AgentChannel | undefined {
		for (const channel of this.#channels)
			if (channel.agent && channel.isApproved && channel.isListening && isWanted(channel.agent)) return channel;
		return undefined;
	}

	async #take(socket: TLSSocket): Promise<void> {
		const certificate = socket.getPeerX509Certificate();
		const subject = certificate && readSubject(certificate);
		if (!certificate || subject?.kind !== "agent" || socket.alpnProtocol !== "h2") {
			this.#tell("The client is not an agent.", socket.remoteAddress);
			return void socket.destroy();
		}
		const { id } = subject;
		const others = [...this.#channels].filter(({ agentId }) => agentId === id);
		if (others.length >= maxConnectionsOfAgent) return void socket.destroy();
		const channel = new AgentChannel(id, socket, certificate.validToDate.getTime());
		this.#channels.add(channel);
		socket.once("close", () => this.#channels.delete(channel));
		// It is among the channels already: whatever changes from here on is heard of.
		await this.#review(channel);
		if (channel.isClosed) return;
		const remember = (session: ServerHttp2Session): void => {
			channel.adopt(session);
			this.#bySession.set(session, channel);
		};
		// The session is made while the event is emitted.
		this.#server.server.prependOnceListener("session", remember);
		this.#server.server.emit("connection", socket);
		this.#server.server.off("session", remember);
	}

	/** Looks at what the agent of a connection may do now. */
	async #review(channel: AgentChannel): Promise<void> {
		const wasApproved = channel.isApproved;
		try {
			channel.agent = await this.#options.registry.get(channel.agentId);
		} catch {
			// Nobody knows whether it was revoked.
			channel.agent = undefined;
		}
		if (!channel.agent || channel.agent.state === "revoked") {
			this.#tell("The agent was revoked, or is not known.", channel.address);
			channel.cut();
		} else if (channel.isApproved && !wasApproved) this.#tellState(channel);
	}

	/** Looks again at all of them whenever an agent has changed, whoever did it. */
	async #follow(): Promise<void> {
		const { signal } = this.#stopped;
		while (!signal.aborted) {
			try {
				for await (const change of this.#options.registry.changes(signal)) {
					const ids = change.type === "changed" ? new Set(change.keys.map((key) => key.at(-1))) : undefined;
					const concerned = [...this.#channels].filter(({ agentId }) => ids?.has(agentId) !== false);
					await Promise.all(concerned.map((channel) => this.#review(channel)));
				}
			} catch {
				// Revocations would not be heard of: nobody is believed until they are again.
				for (const channel of this.#channels) channel.cut();
				await new Promise((resolve) => setTimeout(resolve, 1_000));
			}
		}
	}

	/** Throws for whoever is not approved. What an agent asks before that is to be told when it is. */
	#requireApproved(request: FastifyRequest): void {
		const channel = this.#channelOfRequest(request);
		if (channel.expiresAt <= Date.now()) {
			channel.cut();
			throw new RuntimeError("unauthenticated", "The certificate of this agent has expired.");
		}
		if (!channel.isApproved && request.url !== agentPaths.runs)
			throw new RuntimeError("denied", "This agent waits for an operator to approve it.");
	}

	#channelOfRequest({ raw }: FastifyRequest): AgentChannel {
		const { session } = (raw as unknown as Http2ServerRequest).stream;
		const channel = session && this.#bySession.get(session);
		if (!channel) throw new RuntimeError("unauthenticated", "This connection is not one of an agent.");
		return channel;
	}

	async #renew(request: FastifyRequest): Promise<IssuedIdentity> {
		const channel = this.#channelOfRequest(request);
		const { request: asked } = await readMembers(request, ["request"]);
		const key = await requireRequestedKey(asked);
		const agent = await this.#options.registry.get(channel.agentId);
		if (agent?.state !== "approved") throw new RuntimeError("denied", "This agent is not approved.");
		const identity = await this.#issuer.issue(agent, key);
		channel.expiresAt = Date.now() + identity.lifetimeMs;
		return identity;
	}

	#listen(request: FastifyRequest, reply: FastifyReply): FastifyReply {
		const channel = this.#channelOfRequest(request);
		// The connection that an agent has now is the one that it uses.
		for (const other of this.#channels)
			if (other !== channel && other.agentId === channel.agentId && other.isListening) other.cut();
		const messages = channel.listen();
		this.#tellState(channel);
		return reply.type("application/x-ndjson").send(messages);
	}

	#tellState(channel: AgentChannel): void {
		const { agentId, isApproved } = channel;
		const doors = [...this.#doors.values()].filter((door) => door.agentId === agentId);
		channel.tell({ type: "state", isApproved, runs: isApproved ? doors.map(({ description }) => description) : [] });
	}

	async #report(request: FastifyRequest<{ Params: { run: string } }>, reply: FastifyReply): Promise<FastifyReply> {
		const { problem, socketPath = "" } = await readMembers<never, "problem" | "socketPath">(request, []);
		const door = this.#doors.get(request.params.run);
		if (door?.agentId !== this.#channelOfRequest(request).agentId)
			throw new RuntimeError("not-found", "This agent has no such run.");
		door.report(problem === undefined ? { socketPath } : { problem });
		return reply.code(204).send();
	}

	#identify(request: FastifyRequest): VerifiedToken | Promise<VerifiedToken> {
		const { agentId } = this.#channelOfRequest(request);
		const runId = request.headers[runHeader];
		const requireOwn = (token: VerifiedToken): VerifiedToken => {
			// Looked at when the token was, because the run may have ended meanwhile.
			const door = typeof runId === "string" ? this.#doors.get(runId) : undefined;
			if (door?.agentId === agentId && door.run === token.run && token.agent === agentId) return token;
			throw new RuntimeError("unauthenticated", "The execution token is not of the run whose socket this is.");
		};
		const known = this.#options.tokens.identify(requireBearer(request), "agent", { agent: agentId });
		return whenReady(known, requireOwn);
	}

	#tell(reason: string, address: string | undefined): void {
		this.#options.audit?.authenticationFailure({ door: "agent", reason, ...(address !== undefined && { address }) });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#stopped.abort();
		for (const channel of this.#channels) channel.cut();
		await this.#listener?.[Symbol.asyncDispose]();
		await Promise.all([this.#joining[Symbol.asyncDispose](), this.#server.close(), this.#following]);
	}
}
