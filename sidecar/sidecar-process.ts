import type { TLSSocket } from "node:tls";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RuntimeError } from "../host/contract/errors.ts";
import { assertionHeader } from "../host/http/credentials.ts";
import { readBody } from "../host/http/request-body.ts";
import { createServer } from "../host/http/server.ts";
import { isCertificateOf, thumbprintOf } from "./certificate-kind.ts";
import { DoorDirectory } from "./door-directory.ts";
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

/** What of a request is handed on: what the runtime API reads, and nothing else. */
const forwardedHeaders = [
	"authorization",
	"content-type",
	"idempotency-key",
	"if-match",
	"if-none-match",
	"traceparent",
] as const;
/** What of an answer is about the connection that it came on. */
const ownHeaders = new Set(["connection", "keep-alive", "transfer-encoding", "date"]);
const repeatableMethods = new Set(["GET", "HEAD"]);

/**
 * The local door of one run in a process of its own, beside its container: it forwards every request to the host, on one connection, and decides nothing
 * but what it has room for.
 */
export class SidecarProcess implements AsyncDisposable {
	readonly #options: SidecarProcessOptions;
	readonly #files: DoorDirectory;
	readonly #channel: HostChannel;
	readonly #server: FastifyInstance;
	readonly #stopped = new AbortController();
	/** Connections that have shown the certificate of the run, with its thumbprint. */
	readonly #thumbprints = new WeakMap<object, string>();
	#listener: TlsListener | undefined;
	#pendingBytes = 0;

	/** Resolves when the run is over. */
	readonly ended: Promise<void>;

	private constructor(options: SidecarProcessOptions) {
		const { credentials, directory, groupId } = options;
		this.#options = options;
		this.#files = new DoorDirectory(directory, groupId);
		this.#channel = new HostChannel(credentials);
		this.#server = createServer();
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
		this.#server.addContentTypeParser("*", (_request: FastifyRequest, _payload: unknown, done: (error: Error | null) => void) =>
			done(null),
		);
		this.#server.all("*", (request, reply) => this.#forward(request, reply));
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
		const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(this.#options.requestTimeoutMs ?? 30_000)]);
		const { maxBodyBytes } = this.#options.credentials.limits;
		let reserved = 0;
		const reserve = (bytes: number): void => {
			this.#requireRoom(bytes);
			reserved += bytes;
			this.#pendingBytes += bytes;
		};
		const release = (): void => {
			this.#pendingBytes -= reserved;
			reserved = 0;
		};
		try {
			let body: Buffer | undefined;
			if (hasBody(request)) {
				reserve(Math.min(Number(request.headers["content-length"] ?? maxBodyBytes), maxBodyBytes));
				body = await readBody(request.raw, this.#bodyLimit, "bytes");
			}
			const { method } = request;
			const path = request.raw.url ?? "/";
			const headers: Record<string, string> = { [assertionHeader]: thumbprint };
			for (const name of forwardedHeaders) {
				const value = request.headers[name];
				if (value !== undefined) headers[name] = String(value);
			}
			if (body) headers["content-length"] = String(body.length);
			const isRepeatable = repeatableMethods.has(method) || headers["idempotency-key"] !== undefined;
			// An effect that has happened is acknowledged, and that is short.
			const answer = await this.#channel.send(
				{ method, path, headers, body, isRepeatable, ...(repeatableMethods.has(method) && { reserve }) },
				signal,
			);
			if (method === "POST" && path === "/v1/token" && answer.status === 200) this.#keepToken(answer.body);
			for (const [name, value] of Object.entries(answer.headers)) if (!ownHeaders.has(name)) reply.header(name, value);
			if (reply.raw.closed) release();
			else reply.raw.once("close", release);
			return reply.code(answer.status).send(answer.status === 204 || answer.status === 304 ? undefined : answer.body);
		} catch (error) {
			release();
			throw error;
		}
	}

	/** The other processes of the container find the new token in the file, when theirs is refused. */
	#keepToken(body: Buffer): void {
		this.#files.write("token", (JSON.parse(body.toString()) as { readonly token: string }).token);
	}

	get #bodyLimit() {
		return { name: "maxValueBytes", value: this.#options.credentials.limits.maxBodyBytes, unit: "bytes" as const };
	}

	/** Throws `rate-limited` when bodies and answers under way are too many bytes. One of them has always room. */
	#requireRoom(bytes: number): void {
		const { maxPendingBytes } = this.#options.credentials.limits;
		if (this.#pendingBytes === 0 || this.#pendingBytes + bytes <= maxPendingBytes) return;
		throw new RuntimeError(
			"rate-limited",
			`The calls of this run that are under way have too many bytes; the limit maxPendingBytes is ${maxPendingBytes}.`,
			{ limit: { name: "maxPendingBytes", value: maxPendingBytes, unit: "bytes" }, retryAfterMs: 100 },
		);
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
		this.#channel[Symbol.dispose]();
		await this.#listener?.[Symbol.asyncDispose]();
		await endServer(this.#server);
		this.#files.clear();
		await this.ended;
	}
}

const hasBody = ({ headers }: FastifyRequest): boolean =>
	headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
