import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect as connectHttp2,
	constants,
	type IncomingHttpHeaders,
	type IncomingHttpStatusHeader,
	type OutgoingHttpHeaders,
} from "node:http2";
import { RuntimeError } from "../host/contract/errors.ts";
import { connectToHost, type HostEnd } from "./host-connection.ts";
import { LineWatch } from "./line-watch.ts";

/** A request as it came, with its whole body. */
export interface ForwardedRequest {
	readonly method: string;
	/** With its query, as it came. */
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: Buffer | undefined;
	/** Whether it may be sent again when nobody knows what became of it. */
	readonly isRepeatable: boolean;
	/** Makes room for the body of the answer, whose length is announced. Throws when there is none. */
	readonly reserve?: (bytes: number) => void;
}

/** An answer that has come as a whole: one that is cut is none. */
export interface ForwardedAnswer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
	readonly body: Buffer;
}

export interface HostChannelOptions {
	/** Asked for each connection: what is shown is renewed. */
	readonly end: () => HostEnd;
	/** How often an idle line is looked at, in milliseconds. */
	readonly pingEveryMs?: number;
	/** Longest pause between two attempts to connect, in milliseconds, as it is when one has failed. */
	readonly longestPauseMs?: () => number;
	/** Called with each connection that the host has accepted. */
	readonly onAccepted?: (session: ClientHttp2Session) => void;
	/** Called when a connection has ended, or none could be made. `refused`: a host was there, and has not taken the certificate. */
	readonly onLost?: (why: "cut" | "refused" | "unreachable") => void;
}

const firstPauseMs = 50;
const connectTimeoutMs = 10_000;

/** One connection to the host, HTTP/2 over mutual TLS, that is made again whenever it is cut; requests wait for it. */
export class HostChannel implements Disposable {
	readonly #options: HostChannelOptions;
	readonly #disposed = new AbortController();
	#session = Promise.withResolvers<ClientHttp2Session>();
	#current: ClientHttp2Session | undefined;
	#watch: LineWatch | undefined;
	#isAccepted = false;
	#pauseMs = firstPauseMs;
	#timer: NodeJS.Timeout | undefined;

	constructor(options: HostChannelOptions) {
		this.#options = options;
		this.#session.promise.catch(() => undefined);
		this.#connect();
	}

	/**
	 * Sends a request, and again when its connection is cut before an answer and that is safe. Rejects with `timed-out` when the signal aborts, `unavailable`
	 * when its connection was cut and nobody knows whether it took effect.
	 */
	async send(request: ForwardedRequest, signal: AbortSignal): Promise<ForwardedAnswer> {
		while (!signal.aborted) {
			// Most calls find a connection, and need not wait for it.
			const session = (this.#isAccepted && this.#current) || (await abortable(this.#session.promise, signal));
			if (session.destroyed || session.closed) {
				await abortable(new Promise((resolve) => setTimeout(resolve, firstPauseMs)), signal);
				continue;
			}
			this.#watch?.probe();
			const outcome = await exchange(session, request, signal);
			if ("status" in outcome) return outcome;
			if (signal.aborted || outcome.isUnsent || request.isRepeatable) continue;
			throw new RuntimeError("unavailable", "The connection to the host was cut before it answered.");
		}
		throw deadlineError();
	}

	#connect(): void {
		const { end, pingEveryMs = 10_000, onAccepted, onLost } = this.#options;
		const current = end();
		const socket = connectToHost(current);
		let isSecure = false;
		const timeout = setTimeout(() => socket.destroy(), connectTimeoutMs);
		socket.on("error", () => socket.destroy());
		socket.once("secureConnect", () => {
			isSecure = true;
			if (socket.alpnProtocol !== "h2") return void socket.destroy();
			socket.setNoDelay(true);
			const session = connectHttp2(`https://${current.address}`, { createConnection: () => socket });
			session.on("error", () => session.destroy());
			this.#current = session;
			this.#watch = new LineWatch(session, pingEveryMs);
			// In TLS 1.3 a client is done before the server has looked at its certificate: only now it is accepted.
			session.once("remoteSettings", () => {
				clearTimeout(timeout);
				this.#pauseMs = firstPauseMs;
				this.#isAccepted = true;
				this.#session.resolve(session);
				onAccepted?.(session);
			});
		});
		socket.once("close", () => {
			clearTimeout(timeout);
			if (!this.#disposed.signal.aborted) onLost?.(this.#isAccepted ? "cut" : isSecure ? "refused" : "unreachable");
			this.#reconnect();
		});
	}

	#reconnect(): void {
		if (this.#disposed.signal.aborted) return;
		this.#current?.destroy();
		// Whoever waits already goes on waiting.
		if (this.#isAccepted) {
			this.#isAccepted = false;
			this.#session = Promise.withResolvers();
			this.#session.promise.catch(() => undefined);
		}
		// Many processes lose one host at one time, and must not come back at one time.
		const pauseMs = Math.min(this.#options.longestPauseMs?.() ?? 5_000, this.#pauseMs);
		this.#timer = setTimeout(() => this.#connect(), pauseMs * (0.5 + Math.random() / 2));
		this.#pauseMs = pauseMs * 2;
	}

	[Symbol.dispose](): void {
		this.#disposed.abort();
		clearTimeout(this.#timer);
		this.#session.reject(new RuntimeError("cancelled", "The local door ends."));
		this.#current?.destroy();
	}
}

/** Sends a request on a session. Resolves with its answer, or with what is known of one that has none. Rejects when there is no room for it. */
function exchange(
	session: ClientHttp2Session,
	{ method, path, headers, body, reserve }: ForwardedRequest,
	signal: AbortSignal,
): Promise<ForwardedAnswer | { readonly isUnsent: boolean }> {
	return new Promise((resolve, reject) => {
		let stream: ClientHttp2Stream;
		try {
			stream = session.request({ ...headers, ":method": method, ":path": path } as OutgoingHttpHeaders, {
				endStream: body === undefined,
			});
		} catch {
			return resolve({ isUnsent: true });
		}
		const onAbort = (): void => stream.close(constants.NGHTTP2_CANCEL);
		signal.addEventListener("abort", onAbort, { once: true });
		const chunks: Buffer[] = [];
		let received: IncomingHttpHeaders & IncomingHttpStatusHeader = {};
		stream.once("response", (found) => {
			received = found;
			try {
				reserve?.(Number(found["content-length"] ?? 0));
			} catch (error) {
				reject(error);
				onAbort();
			}
		});
		stream.on("data", (chunk: Buffer) => chunks.push(chunk));
		stream.on("error", () => undefined);
		let isTaken = false;
		/** The answer, when it has come as a whole. */
		const take = (): void => {
			if (isTaken) return;
			const { ":status": status, ...others } = received;
			const whole = Buffer.concat(chunks);
			const isWhole = status !== undefined && whole.length === Number(others["content-length"] ?? 0);
			isTaken = isWhole && stream.rstCode === constants.NGHTTP2_NO_ERROR;
			if (isTaken) resolve({ status: status as number, headers: others as ForwardedAnswer["headers"], body: whole });
		};
		// Its end comes some turns of the event loop before the stream is closed.
		stream.once("end", take);
		stream.once("close", () => {
			signal.removeEventListener("abort", onAbort);
			take();
			// The host has not looked at a stream that it refuses, and a stream without a number was never sent.
			resolve({ isUnsent: stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || stream.id === undefined });
		});
		if (body !== undefined) stream.end(body);
	});
}

/** The promise, or `timed-out` when the signal aborts before. */
function abortable<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
	return new Promise((resolve, reject) => {
		const onAbort = (): void => reject(deadlineError());
		if (signal.aborted) return onAbort();
		signal.addEventListener("abort", onAbort, { once: true });
		promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
	});
}

const deadlineError = (): RuntimeError => new RuntimeError("timed-out", "The host was not reached in time.");
