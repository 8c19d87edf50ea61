import type { ServerHttp2Session } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AuditLog } from "../host/audit.ts";
import { RuntimeError } from "../host/contract/errors.ts";
import { tellingFailures } from "../host/http/authentication-failures.ts";
import { createServer } from "../host/http/server.ts";
import { agentPaths, type IssuedIdentity } from "../sidecar/agent-messages.ts";
import { requireRequestedKey } from "../sidecar/certificates.ts";
import { attachServer } from "../sidecar/unheard-server.ts";
import type { AgentIssuer } from "./agent-issuer.ts";
import type { AgentRegistry } from "./agent-registry.ts";
import { leaveBodies, readMembers } from "./agent-requests.ts";

export interface JoinServerOptions {
	readonly registry: AgentRegistry;
	readonly issuer: AgentIssuer;
	readonly audit: AuditLog | undefined;
	readonly onInternalError?: ((error: Error) => void) | undefined;
}

/** Who joins has one request to make. */
const maxConnections = 64;
const connectionMs = 10_000;

/** Answers connections that have shown no certificate. It has one route: nothing else can be reached from there. */
export class JoinServer implements AsyncDisposable {
	readonly #options: JoinServerOptions;
	readonly #server: FastifyInstance;
	readonly #connections = new Set<TLSSocket>();

	constructor(options: JoinServerOptions) {
		this.#options = options;
		const { audit, onInternalError } = options;
		this.#server = createServer({ http2: true, maxStreams: 1, ...(onInternalError && { onInternalError }) });
		leaveBodies(this.#server);
		this.#server.server.on("session", (session: ServerHttp2Session) => session.on("error", () => session.destroy()));
		this.#server.post(
			agentPaths.join,
			tellingFailures("agent", audit, (request) => this.#join(request)),
		);
	}

	async start(): Promise<void> {
		await attachServer(this.#server);
	}

	take(socket: TLSSocket): void {
		if (socket.alpnProtocol !== "h2" || this.#connections.size >= maxConnections) return void socket.destroy();
		this.#connections.add(socket);
		const late = setTimeout(() => socket.destroy(), connectionMs);
		socket.once("close", () => {
			clearTimeout(late);
			this.#connections.delete(socket);
		});
		this.#server.server.emit("connection", socket);
	}

	async #join(request: FastifyRequest): Promise<IssuedIdentity> {
		const { registry, issuer } = this.#options;
		const { secret, request: asked } = await readMembers(request, ["secret", "request"]);
		// Nothing else of a stranger's request is looked at.
		if (!(await registry.isInvited(secret)))
			throw new RuntimeError(
				"unauthenticated",
				"The join token has been used, has expired or was revoked: cronium agents invite makes another one.",
			);
		const key = await requireRequestedKey(asked);
		return await issuer.issue(await registry.join(secret, request.ip), key);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const socket of this.#connections) socket.destroy();
		await this.#server.close();
	}
}
