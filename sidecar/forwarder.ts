import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RuntimeError } from "../host/contract/errors.ts";
import { readBody } from "../host/http/request-body.ts";
import { createServer } from "../host/http/server.ts";
import type { ForwardedAnswer, HostChannel } from "./host-channel.ts";

/** What of the limits of a run the process keeps that forwards its calls. */
export interface ForwardingLimits {
	readonly maxBodyBytes: number;
	readonly maxPendingBytes: number;
}

export interface ForwarderOptions {
	readonly channel: HostChannel;
	readonly limits: ForwardingLimits;
	/** How long a request may wait for the host, in milliseconds. */
	readonly requestTimeoutMs?: number | undefined;
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

/** A server whose requests are all answered by `forward`, which reads their bodies itself. */
export function createForwardingServer(
	forward: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
): FastifyInstance {
	const server = createServer();
	server.addContentTypeParser("*", (_request: FastifyRequest, _payload: unknown, done: (error: Error | null) => void) =>
		done(null),
	);
	server.all("*", forward);
	return server;
}

/** Forwards the requests of one run to the host, and decides nothing but what it has room for. Disposed of, it gives up what waits. */
export class Forwarder implements Disposable {
	readonly #options: ForwarderOptions;
	/** Not `AbortSignal.any` and `AbortSignal.timeout`: those are kept until their time is over, long after the call. */
	readonly #waiting = new Set<AbortController>();
	#pendingBytes = 0;

	constructor(options: ForwarderOptions) {
		this.#options = options;
	}

	/**
	 * Answers a request with what the host answers.
	 * @param told what the host is told of the connection, as headers
	 * @param onAnswer called before the answer is handed on
	 */
	async forward(
		request: FastifyRequest,
		reply: FastifyReply,
		told: Readonly<Record<string, string>>,
		onAnswer?: (answer: ForwardedAnswer) => void,
	): Promise<FastifyReply> {
		const { channel, limits, requestTimeoutMs = 30_000 } = this.#options;
		const { maxBodyBytes } = limits;
		const waiting = new AbortController();
		this.#waiting.add(waiting);
		const late = setTimeout(() => waiting.abort(), requestTimeoutMs);
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
				body = await readBody(request.raw, { name: "maxValueBytes", value: maxBodyBytes, unit: "bytes" }, "bytes");
			}
			const { method } = request;
			const headers: Record<string, string> = { ...told };
			for (const name of forwardedHeaders) {
				const value = request.headers[name];
				if (value !== undefined) headers[name] = String(value);
			}
			if (body) headers["content-length"] = String(body.length);
			const isRepeatable = repeatableMethods.has(method) || headers["idempotency-key"] !== undefined;
			// An effect that has happened is acknowledged, and that is short.
			const answer = await channel.send(
				{
					method,
					path: request.raw.url ?? "/",
					headers,
					body,
					isRepeatable,
					...(repeatableMethods.has(method) && { reserve }),
				},
				waiting.signal,
			);
			onAnswer?.(answer);
			for (const [name, value] of Object.entries(answer.headers)) if (!ownHeaders.has(name)) reply.header(name, value);
			if (reply.raw.closed) release();
			else reply.raw.once("close", release);
			return reply.code(answer.status).send(answer.status === 204 || answer.status === 304 ? undefined : answer.body);
		} catch (error) {
			release();
			throw error;
		} finally {
			clearTimeout(late);
			this.#waiting.delete(waiting);
		}
	}

	[Symbol.dispose](): void {
		for (const waiting of this.#waiting) waiting.abort();
	}

	/** Throws `rate-limited` when bodies and answers under way are too many bytes. One of them has always room. */
	#requireRoom(bytes: number): void {
		const { maxPendingBytes } = this.#options.limits;
		if (this.#pendingBytes === 0 || this.#pendingBytes + bytes <= maxPendingBytes) return;
		throw new RuntimeError(
			"rate-limited",
			`The calls of this run that are under way have too many bytes; the limit maxPendingBytes is ${maxPendingBytes}.`,
			{ limit: { name: "maxPendingBytes", value: maxPendingBytes, unit: "bytes" }, retryAfterMs: 100 },
		);
	}
}

const hasBody = ({ headers }: FastifyRequest): boolean =>
	headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
