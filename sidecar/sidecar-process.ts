import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RuntimeError } from "../host/contract/errors.ts";
import { assertionHeader } from "../host/http/credentials.ts";
import { isCertificateOf, thumbprintOf } from "./certificate-kind.ts";
import { DoorDirectory } from "./door-directory.ts";
import { createForwardingServer, Forwarder } from "./forwarder.ts";
import { HandshakeTurns } from "./handshake-turns.ts";
import { HostChannel } from "./host-channel.ts";
import type { SidecarCredentials } from "./sidecar-credentials.ts";
import { endPath } from "./sidecar-server.ts";
import { TlsListener } from "./tls-listener.ts";
import { attachServer, endServer } from "./unheard-server.ts";

export interface SidecarProcessOptions {
	readonly credentials: SidecarCredentials;
	/** Where the socket and the credentials of the container are made. */
	readonly directory: string;
	/** The group that may use them. */
	readonly groupId?: number | undefined;
	/** How long a request may wait for the host, in milliseconds. */
	readonly requestTimeoutMs?: number;
}

/**
 * The local door of one run in a process of its own, beside its container: it forwards every request to the host, on one connection, and decides nothing
 * but what it has room for.
 */
export class SidecarProcess implements AsyncDisposable {
	readonly #options: SidecarProcessOptions;
	readonly #files: DoorDirectory;
	readonly #channel: HostChannel;
	readonly #forwarder: Forwarder;
	readonly #server: FastifyInstance;
	readonly #stopped = new AbortController();
	/** Connections that have shown the certificate of the run, with its thumbprint. */
	readonly #thumbprints = new WeakMap<object, string>();
	#listener: TlsListener | undefined;

	/** Resolves when the run is over. */
	readonly ended: Promise<void>;

	private constructor(options: SidecarProcessOptions) {
		const { credentials, directory, groupId, requestTimeoutMs } = options;
		const { address, trusted, sidecar, limits } = credentials;
		this.#options = options;
		this.#files = new DoorDirectory(directory, groupId);
		this.#channel = new HostChannel({ end: () => ({ address, trusted, ...sidecar }) });
		const channel = this.#channel;
		this.#forwarder = new Forwarder({ channel, limits, requestTimeoutMs });
		this.#server = createForwardingServer((request, reply) => this.#forward(request, reply));
		this.ended = this.#waitForEnd();
	}

	/** Makes the door. Throws `unavailable` or `invalid` when its directory cannot be used. */
	static async open(options: SidecarProcessOptions): Promise<SidecarProcess> {
		const opened = new SidecarProcess(options);
		try {
			await opened.#open();
			return opened;
		} catch (error) {
			await opened[Symbol.asyncDispose]();
			throw error;
		}
	}

	get socketPath(): string {
		return this.#files.socketPath;
	}

	async #open(): Promise<void> {
		const { run, trusted, door, client, limits } = this.#options.credentials;
		await attachServer(this.#server);
		const files = this.#files;
		files.writeCredentials({ ...client, trusted });
		files.clearSocket();
		this.#listener = await TlsListener.listen({
			address: { path: files.socketPath },
			maxConnections: limits.maxRunConnections,
			lane: new HandshakeTurns(limits.maxRunHandshakesPerSecond).open(limits.maxRunHandshakesPerSecond),
			credentials: () => ({ ...door, trusted }),
			onConnection: (socket: TLSSocket) => {
				const certificate = socket.getPeerX509Certificate();
				if (certificate && isCertificateOf(certificate, { kind: "run", id: run }))
					this.#thumbprints.set(socket, thumbprintOf(certificate));
				this.#server.server.emit("connection", socket);
			},
			onRefused: () => undefined,
		});
		files.openSocket();
	}

	async #forward(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
		const thumbprint = this.#thumbprints.get(request.raw.socket);
		if (thumbprint === undefined)
			throw new RuntimeError("unauthenticated", "This connection has not shown the client certificate of the run.");
		if (request.headers[assertionHeader] !== undefined)
			throw new RuntimeError("unauthenticated", "The header Cronium-Client-Certificate is for sidecar processes only.");
		const isRenewal = request.method === "POST" && request.raw.url === "/v1/token";
		return await this.#forwarder.forward(request, reply, { [assertionHeader]: thumbprint }, ({ status, body }) => {
			if (isRenewal && status === 200) this.#keepToken(body);
		});
	}

	/** The other processes of the container find the new token in the file, when theirs is refused. */
	#keepToken(body: Buffer): void {
		this.#files.write("token", (JSON.parse(body.toString()) as { readonly token: string }).token);
	}

	/** Asks the host until it says that the run is over, or the deadline has passed. */
	async #waitForEnd(): Promise<void> {
		const { deadlineAt } = this.#options.credentials;
		const deadline = new AbortController();
		// Longer than a timer can be.
		const timer = setInterval(() => {
			if (Date.now() >= deadlineAt) deadline.abort();
		}, 1_000);
		const signal = AbortSignal.any([this.#stopped.signal, deadline.signal]);
		try {
			while (!signal.aborted) {
				const { status } = await this.#channel.send(
					{ method: "GET", path: endPath, headers: {}, body: undefined, isRepeatable: true },
					signal,
				);
				if (status === 204 || status === 404) return;
				await new Promise((resolve) => setTimeout(resolve, 1_000));
			}
		} catch {
			// Its deadline has passed, or it was told to end.
		} finally {
			clearInterval(timer);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#stopped.abort();
		this.#forwarder[Symbol.dispose]();
		this.#channel[Symbol.dispose]();
		await this.#listener?.[Symbol.asyncDispose]();
		await endServer(this.#server);
		this.#files.clear();
		await this.ended;
	}
}
