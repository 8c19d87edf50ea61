import type { Http2ServerRequest, ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AuditLog } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import { type Limits, limitDefinitions } from "../host/contract/limits.ts";
import type { ExternalRun } from "../host/executors/external.ts";
import { whenReady } from "../host/helpers/answer.ts";
import { tellingFailures } from "../host/http/authentication-failures.ts";
import { assertionHeader, requireBearer } from "../host/http/credentials.ts";
import { runtimeApi } from "../host/http/runtime-api.ts";
import { createServer } from "../host/http/server.ts";
import type { Traffic } from "../host/http/traffic.ts";
import { connectionLimit } from "../host/process-limits.ts";
import type { ExecutionTokens, VerifiedToken } from "../host/tokens/execution-tokens.ts";
import { CertificateAuthority } from "./certificate-authority.ts";
import { readSubject } from "./certificate-kind.ts";
import { issueCertificate, ServerIdentity } from "./certificates.ts";
import { HandshakeTurns } from "./handshake-turns.ts";
import { issueRunCredentials } from "./run-credentials.ts";
import type { SidecarCredentials } from "./sidecar-credentials.ts";
import { type ListenAddress, TlsListener } from "./tls-listener.ts";
import { attachServer } from "./unheard-server.ts";

export interface SidecarServerOptions {
	readonly dataDirectory: string;
	readonly listen: ListenAddress;
	/** Where sidecar processes reach it, `host:port`; where it listens when not given. */
	readonly address?: string | undefined;
	readonly limits: Limits;
	readonly tokens: ExecutionTokens;
	readonly traffic: Traffic;
	readonly audit?: AuditLog | undefined;
	/** The run, while it is under way. */
	readonly findRun: (id: string) => ExternalRun | undefined;
	readonly isReady: () => boolean;
	/** How long the token of a container is good, in milliseconds; its holder can renew it. To the deadline of its run when not given. */
	readonly tokenLifetimeMs?: number;
	readonly onInternalError?: (error: Error) => void;
}

/** A process has one connection, and a second one while it makes up for a first that is dead. */
const maxConnectionsOfRun = 4;
/** A little over the limit of values: one that is over it is refused by the host, which says so better. */
export const spareBodyBytes = 64 * 1024;

/**
 * Takes sidecar processes: HTTP/2 over mutual TLS, with the runtime API for one run on each connection. The process asserts which certificate its client has
 * shown, and is believed for the run that its own certificate names.
 */
export class SidecarServer implements AsyncDisposable {
	readonly #options: SidecarServerOptions;
	readonly #authority: CertificateAuthority;
	readonly #server: FastifyInstance;
	readonly #sessions = new Set<ServerHttp2Session>();
	/** The run of each connection, by its certificate. */
	readonly #runIds = new WeakMap<object, string>();
	readonly #connections = new Map<string, number>();
	#listener: TlsListener | undefined;

	private constructor(options: SidecarServerOptions) {
		this.#options = options;
		this.#authority = new CertificateAuthority(options.dataDirectory);
		const { onInternalError } = options;
		this.#server = createServer({ http2: true, ...(onInternalError && { onInternalError }) });
	}

	/** Throws `unavailable` when the address cannot be had. */
	static async listen(options: SidecarServerOptions): Promise<SidecarServer> {
		const server = new SidecarServer(options);
		await server.#start();
		return server;
	}

	async #start(): Promise<void> {
		const { audit, limits, listen, tokens, traffic, isReady } = this.#options;
		await this.#server.register(runtimeApi, {
			identify: tellingFailures("sidecar", audit, (request) => this.#identify(request)),
			tokens,
			traffic,
			isReady,
		});
		this.#server.get(endPath, async (request, reply) => {
			const run = this.#options.findRun(this.#runIdOf(request));
			// The process itself asks; what it forwards has no business here.
			if (!run || request.headers[assertionHeader] !== undefined)
				throw new RuntimeError("not-found", "The run is not under way here.");
			await ended(run, request);
			return reply.code(204).send();
		});
		await attachServer(this.#server);
		this.#server.server.on("session", (session: ServerHttp2Session) => {
			this.#sessions.add(session);
			session.once("close", () => this.#sessions.delete(session));
			// Whatever a client does wrong ends its connection, and nothing else.
			session.on("error", () => session.destroy());
		});
		const identity = new ServerIdentity(this.#authority, []);
		const turns = new HandshakeTurns(limits.maxHandshakesPerSecond);
		this.#listener = await TlsListener.listen({
			address: listen,
			maxConnections: connectionLimit(limits.maxConnections),
			lane: turns.open(limits.maxHandshakesPerSecond),
			credentials: () => identity.current(),
			protocol: "h2",
			onConnection: (socket) => this.#take(socket),
			onRefused: (address) => this.#tell("The client has shown no certificate that this host has issued.", address),
		});
	}

	/** Where processes reach it. */
	get address(): string {
		const { listen, address } = this.#options;
		if (address !== undefined) return address;
		if ("path" in listen) return `unix:${listen.path}`;
		return `${listen.host.includes(":") ? `[${listen.host}]` : listen.host}:${this.#listener?.port}`;
	}

	/** The port that it listens on. */
	get port(): number | undefined {
		return this.#listener?.port;
	}

	/** Makes what a process needs to be the sidecar of a run. */
	async issue(run: ExternalRun): Promise<SidecarCredentials> {
		const { id, deadlineAt, limits } = run.execution;
		const { newest, trusted } = await this.#authority.current();
		const expiresAt = Math.min(deadlineAt, Date.now() + limitDefinitions.tokenLifetimeMs.maximum);
		const { tokens, tokenLifetimeMs } = this.#options;
		const client = await issueRunCredentials(run, this.#authority, tokens, tokenLifetimeMs);
		const sidecar = await issueCertificate(newest, { subject: { kind: "sidecar", id }, expiresAt });
		const door = await issueCertificate(newest, { subject: { kind: "door", id }, expiresAt });
		return {
			version: 1,
			run: id,
			deadlineAt,
			address: this.address,
			trusted,
			sidecar: { certificate: sidecar.certificate, key: sidecar.key },
			door: { certificate: door.certificate, key: door.key },
			client: { certificate: client.certificate, key: client.key, token: client.token },
			limits: {
				maxBodyBytes: Math.max(limits.maxValueBytes, limits.maxOutputBytes) + spareBodyBytes,
				maxPendingBytes: limits.maxPendingBytes,
				maxRunConnections: limits.maxRunConnections,
				maxRunHandshakesPerSecond: limits.maxRunHandshakesPerSecond,
			},
		};
	}

	#take(socket: TLSSocket): void {
		const certificate = socket.getPeerX509Certificate();
		const subject = certificate && readSubject(certificate);
		if (subject?.kind !== "sidecar" || socket.alpnProtocol !== "h2") {
			this.#tell("The client is not a sidecar process.", socket.remoteAddress);
			return void socket.destroy();
		}
		const { id } = subject;
		const count = this.#connections.get(id) ?? 0;
		if (count >= maxConnectionsOfRun) return void socket.destroy();
		this.#connections.set(id, count + 1);
		socket.once("close", () => {
			const left = (this.#connections.get(id) ?? 1) - 1;
			if (left === 0) this.#connections.delete(id);
			else this.#connections.set(id, left);
		});
		const remember = (session: ServerHttp2Session): void => void this.#runIds.set(session, id);
		// The session is made while the event is emitted.
		this.#server.server.prependOnceListener("session", remember);
		this.#server.server.emit("connection", socket);
		this.#server.server.off("session", remember);
	}

	#runIdOf({ raw }: FastifyRequest): string {
		const { session } = (raw as unknown as Http2ServerRequest).stream;
		const id = session && this.#runIds.get(session);
		if (id === undefined) throw new RuntimeError("unauthenticated", "This connection is not one of a sidecar process.");
		return id;
	}

	#identify(request: FastifyRequest): VerifiedToken | Promise<VerifiedToken> {
		const id = this.#runIdOf(request);
		const asserted = request.headers[assertionHeader];
		if (typeof asserted !== "string")
			throw new RuntimeError("unauthenticated", "The sidecar process does not say which certificate its client has shown.");
		const requireOwn = (token: VerifiedToken): VerifiedToken => {
			if (token.run.execution.id === id && token.certificateThumbprint !== undefined) return token;
			throw new RuntimeError("unauthenticated", "The execution token is not of the run whose sidecar this is.");
		};
		const known = this.#options.tokens.identify(requireBearer(request), "sidecar", { certificateThumbprint: asserted });
		return whenReady(known, requireOwn);
	}

	#tell(reason: string, address: string | undefined): void {
		this.#options.audit?.authenticationFailure({ door: "sidecar", reason, ...(address !== undefined && { address }) });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const session of this.#sessions) session.destroy();
		await this.#listener?.[Symbol.asyncDispose]();
		await this.#server.close();
	}
}

/** Where a sidecar process learns that its run is over: it is answered with 204 then, and with 404 when the run is not under way. */
export const endPath = "/sidecar/v1/end";

/** Resolves when the run is over, or nobody waits for it any more. */
function ended(run: ExternalRun, { raw }: FastifyRequest): Promise<void> {
	return new Promise((resolve) => {
		const finish = (): void => {
			run.ended.removeEventListener("abort", finish);
			raw.off("close", finish);
			resolve();
		};
		if (run.ended.aborted) return resolve();
		run.ended.addEventListener("abort", finish);
		raw.once("close", finish);
	});
}
