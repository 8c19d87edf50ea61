import { constants } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import { RuntimeError } from "../host/contract/errors.ts";
import type { ServerCredentials } from "./certificates.ts";
import type { HandshakeLane } from "./handshake-turns.ts";

/** Where a door listens. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface TlsListenerOptions {
	readonly address: ListenAddress;
	/** One more is closed. */
	readonly maxConnections: number;
	/** Where connections wait for their handshake. */
	readonly lane: HandshakeLane;
	/** What it shows now, and whom it trusts. */
	readonly credentials: () => ServerCredentials | Promise<ServerCredentials>;
	/** The protocol that clients have to speak; none is asked for when it is not given. */
	readonly protocol?: string;
	/** Called with a connection whose certificate was issued by an authority that is trusted. */
	readonly onConnection: (socket: TLSSocket) => void;
	/** Called with one that has shown no certificate at all; without it such a connection is refused. */
	readonly onAnonymous?: (socket: TLSSocket) => void;
	/** Called for one that has shown no such certificate. */
	readonly onRefused: (address: string | undefined) => void;
}

const handshakeTimeoutMs = 10_000;

/** Listens for mutual TLS 1.3. Connections are limited and their handshakes take turns; dispose of it, and all of them are cut. */
export class TlsListener implements AsyncDisposable {
	readonly #options: TlsListenerOptions;
	readonly #server: Server;
	readonly #tls: TlsServer;
	readonly #open = new Set<Socket>();
	#shown: ServerCredentials;

	private constructor(options: TlsListenerOptions, credentials: ServerCredentials) {
		this.#options = options;
		this.#shown = credentials;
		const { protocol, onConnection, onAnonymous, onRefused } = options;
		this.#tls = createTlsServer(
			{
				...contextOptions(credentials),
				requestCert: true,
				// Where a certificate may be missing, one that is wrong is still refused: below.
				rejectUnauthorized: onAnonymous === undefined,
				handshakeTimeout: handshakeTimeoutMs,
				...(protocol !== undefined && { ALPNProtocols: [protocol] }),
			},
			(socket) => {
				// A client of HTTP/1.1 that has ended its side still gets its answer; one that has ended it before the handshake was done holds no place.
				socket.allowHalfOpen = protocol === undefined;
				if (socket.authorized) return onConnection(socket);
				if (onAnonymous && socket.getPeerX509Certificate() === undefined) return onAnonymous(socket);
				onRefused(socket.remoteAddress);
				socket.destroy();
			},
		);
		this.#tls.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
			// A client that goes away, or is too slow, has not tried to be somebody else.
			if (error.code !== "ECONNRESET" && error.code !== "ERR_TLS_HANDSHAKE_TIMEOUT") onRefused(socket.remoteAddress);
			socket.destroy();
		});
		// A connection that waits for its handshake is not read.
		this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#take(socket));
		this.#server.maxConnections = options.maxConnections;
	}

	/** Throws `unavailable` when the address cannot be had. */
	static async listen(options: TlsListenerOptions): Promise<TlsListener> {
		const listener = new TlsListener(options, await options.credentials());
		const { address } = options;
		await new Promise<void>((resolve, reject) => {
			listener.#server.once("error", (cause: NodeJS.ErrnoException) => {
				const where = "path" in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
				reject(new RuntimeError("unavailable", `${where} cannot be listened on: ${cause.code ?? "unknown"}.`));
			});
			listener.#server.listen(address, resolve);
		});
		return listener;
	}

	/** The port, when it listens on one. */
	get port(): number | undefined {
		const address = this.#server.address();
		return typeof address === "object" ? address?.port : undefined;
	}

	#take(socket: Socket): void {
		this.#open.add(socket);
		socket.on("error", () => socket.destroy());
		const leave = this.#options.lane.add(() => void this.#begin(socket), socket.remoteAddress);
		socket.once("close", () => {
			this.#open.delete(socket);
			leave();
		});
	}

	async #begin(socket: Socket): Promise<void> {
		try {
			const credentials = await this.#options.credentials();
			if (credentials !== this.#shown) this.#tls.setSecureContext(contextOptions(credentials));
			this.#shown = credentials;
		} catch {
			// Without its credentials a door is closed. Whoever operates the host learns why from those who open one.
			socket.destroy();
			return;
		}
		if (!socket.destroyed) this.#tls.emit("connection", socket);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#options.lane[Symbol.dispose]();
		const closed = new Promise((resolve) => this.#server.close(resolve));
		for (const socket of this.#open) socket.destroy();
		await closed;
	}
}

const contextOptions = ({ certificate, key, trusted }: ServerCredentials) =>
	({
		cert: certificate,
		key,
		ca: trusted,
		minVersion: "TLSv1.3",
		// A session that is taken up again would bring a certificate along that nobody has looked at again.
		secureOptions: constants.SSL_OP_NO_TICKET,
	}) as const;
