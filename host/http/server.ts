import { type RequestListener, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Http2Server } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { httpStatus, RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import { defaultLimits } from "../contract/limits.ts";
import { connectionLimit } from "../process-limits.ts";
import { describeProblem, HttpError, problemType, toRuntimeError } from "./problem.ts";
import { discardBody, isRead } from "./request-body.ts";

/** The key and certificates of a server (PEM). */
export interface ServerTls {
	readonly key: string;
	readonly certificate: string;
	/** Issuers of client certificates. With them a client may show one, and tokens can be bound to it; one that they have not issued is refused. */
	readonly clientIssuers?: string;
}

export interface ServerOptions {
	readonly tls?: ServerTls;
	/** Speaks HTTP/2, in clear: with connections that somebody else has made secure. Its clients are sidecar processes; times of requests are theirs to keep. */
	readonly http2?: boolean;
	/** Requests of an HTTP/2 connection at one time; one more is refused, and its client asks later. 1,000 when not given. */
	readonly maxStreams?: number;
	/** Longest time from the first byte of a request to its last, in milliseconds. */
	readonly requestTimeoutMs?: number;
	/** Longest time that a connection may be idle between two requests, in milliseconds. */
	readonly idleTimeoutMs?: number;
	/** Longest time that nothing moves on a connection while a request is under way, in milliseconds: an answer that nobody reads is not kept. */
	readonly stalledTimeoutMs?: number;
	/** Connections at one time, each of which takes a descriptor; one more is closed. The limit `maxConnections` where it is not given. */
	readonly maxConnections?: number;
	/** With TLS: connections are not read until somebody says so, so that their handshakes can take turns. */
	readonly pauseOnConnect?: boolean;
	/** Called with what went wrong in the host itself; clients get a neutral message. */
	readonly onInternalError?: (error: Error) => void;
}

/** Keys have up to 255 characters, each of up to 12 characters when percent-encoded. */
const maxPathParameter = 4_096;
const maxHeaderBytes = 16 * 1024;
/** Everything here is some run's own. */
const privateHeaders = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };

/**
 * A Fastify server that speaks problem+json whatever happens, has no routes yet, and waits for nobody: headers, bodies and idle connections
 * have their time, headers their size.
 */
export function createServer(options: ServerOptions = {}): FastifyInstance {
	const { tls, requestTimeoutMs = 30_000, idleTimeoutMs = 75_000, stalledTimeoutMs = 120_000, onInternalError = warn } = options;
	const { maxConnections = defaultLimits.maxConnections, maxStreams = 1_000 } = options;
	const headersTimeoutMs = Math.min(10_000, requestTimeoutMs);
	const connections = {
		maxHeaderSize: maxHeaderBytes,
		headersTimeout: headersTimeoutMs,
		// Node looks for late requests only so often: at its own pace a request has half a minute more than it should.
		connectionsCheckingInterval: Math.min(1_000, Math.ceil(requestTimeoutMs / 4)),
		// Its own refusal has no body.
		requireHostHeader: false,
	};
	let requests = 0;
	const server = Fastify({
		...(tls && {
			https: {
				key: tls.key,
				cert: tls.certificate,
				minVersion: "TLSv1.3",
				handshakeTimeout: headersTimeoutMs,
				pauseOnConnect: options.pauseOnConnect === true,
				...(tls.clientIssuers !== undefined && { ca: tls.clientIssuers, requestCert: true, rejectUnauthorized: true }),
				...connections,
			},
		}),
		...(!tls && !options.http2 && { http: connections }),
		...(options.http2 && {
			http2: true as unknown as false,
			http2SessionTimeout: stalledTimeoutMs,
			// Node has no limit of its own: one connection, of a stranger even, had 11,000 of them, which took 60 MB and kept the thread for five seconds.
			http: { settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: 2 * maxHeaderBytes } } as object,
		}),
		requestTimeout: requestTimeoutMs,
		keepAliveTimeout: idleTimeoutMs,
		// Longer than any call that waits: for the end of a run at most a minute, and streams say something before.
		connectionTimeout: stalledTimeoutMs,
		// A connection that has not become idle within the drain is closed by whoever drains.
		forceCloseConnections: options.http2 ? false : "idle",
		return503OnClosing: false,
		exposeHeadRoutes: false,
		routerOptions: { maxParamLength: maxPathParameter, ignoreTrailingSlash: false, caseSensitive: true },
		genReqId: () => `http-${(++requests).toString(36)}`,
		requestIdHeader: false,
		// No hooks are run for these.
		frameworkErrors: (error, request, reply) => void sendProblem(reply.headers(privateHeaders), fromFramework(error), request.id),
		clientErrorHandler: refuseConnection,
	});
	server.server.maxConnections = connectionLimit(maxConnections);
	// Nothing is expected that could fail (RFC 9110, section 10.1.1: an unknown expectation may be ignored).
	server.server.on("checkExpectation", (request, response) => void server.server.emit("request", request, response));
	// A client that has ended its side with its request still gets the answer. Node has no option for it.
	Object.assign(server.server, { httpAllowHalfOpen: true });
	// One that has ended it before the handshake was done holds no place.
	if (tls)
		server.server.prependListener("secureConnection", (socket: TLSSocket) => Object.assign(socket, { allowHalfOpen: true }));
	if (options.http2) heedPings(server.server as unknown as Http2Server, stalledTimeoutMs);
	else limitPipelining(server.server);
	server.removeAllContentTypeParsers();
	server.setErrorHandler((error: unknown, request, reply) => {
		const problem = fromFramework(error);
		if (problem.code === "internal") onInternalError(problem.cause instanceof Error ? problem.cause : problem);
		return sendProblem(reply, problem, request.id);
	});
	const routes = new RouteList();
	server.addHook("onRoute", ({ method, url }) => routes.add(method, url));
	server.setNotFoundHandler((request, reply) => sendProblem(reply, routes.describeUnknown(request), request.id));
	server.addHook("onRequest", ({ raw }, _reply, done) => {
		if (raw.httpVersion !== "1.1" || raw.headers.host !== undefined) return done();
		done(new RuntimeError("invalid", "The Host header is missing."));
	});
	let ending = false;
	server.addHook("preClose", async () => {
		ending = true;
	});
	server.addHook("onSend", ({ raw }, reply, payload, done) => {
		const send = (isWhole: boolean): void => {
			// A connection that stayed open would hold up the end of the server for as long as it may.
			if (raw.httpVersionMajor > 1) {
				// Fastify sets it, too, where it has not read a body; HTTP/2 has no such header.
				reply.removeHeader("connection");
			} else if (!isWhole || ending) reply.header("Connection", "close");
			reply.headers(privateHeaders);
			done(null, payload);
		};
		// The answers to all requests that one turn of the event loop brings are written at its end. A write wakes the client, which costs much, and may
		// take this very processor; behind one another they wake it once: 30 % less processor time a call, measured with 32 connections.
		// A session of HTTP/2 does so by itself.
		if (isRead(raw)) raw.httpVersionMajor > 1 ? send(true) : setImmediate(send, true);
		else discardBody(raw).then(send, done);
	});
	return server;
}

/** A client that pings is there. To Node its session is idle all the same, and would be ended while it waits for what may come. */
function heedPings(server: Http2Server, stalledTimeoutMs: number): void {
	server.on("session", (session) => session.on("ping", () => session.setTimeout(stalledTimeoutMs)));
}

/** Requests of a connection that wait behind another one of it. Few clients send any. */
const maxPipelinedRequests = 16;

type AnsweringSocket = Socket & { _httpMessage?: ServerResponse | null };

/**
 * Cuts connections with too many requests at one time. Node hands over all that one read has brought, some thousands of small ones, without a turn for anybody else: a
 * few connections could keep the thread for half a minute and take gigabytes, at no cost to who sends them.
 */
function limitPipelining(server: Server): void {
	const waiting = new WeakMap<Socket, number>();
	const listeners = server.listeners("request") as readonly RequestListener[];
	server.removeAllListeners("request");
	server.on("request", (request, response) => {
		const { socket } = request;
		// What is left of the read in which it was cut.
		if (socket.destroyed) return;
		if ((socket as AnsweringSocket)._httpMessage !== response) {
			const count = (waiting.get(socket) ?? 0) + 1;
			if (count > maxPipelinedRequests) return void socket.destroy();
			waiting.set(socket, count);
			response.once("close", () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
		}
		for (const listener of listeners) listener(request, response);
	});
}

/** Sends an error as problem+json, with the headers that go with it. */
export function sendProblem(reply: FastifyReply, error: unknown, callId: string): FastifyReply {
	const problem = toRuntimeError(error);
	const status = problem instanceof HttpError ? problem.status : httpStatus[problem.code];
	const { retryAfterMs } = problem.details;
	if (retryAfterMs !== undefined) reply.header("Retry-After", Math.ceil(retryAfterMs / 1_000));
	if (problem.code === "unauthenticated") reply.header("WWW-Authenticate", "Bearer");
	if (problem instanceof HttpError && problem.allow) reply.header("Allow", problem.allow.join(", "));
	return reply
		.code(status)
		.header("Content-Type", problemType)
		.send(describeProblem(problem, `urn:cronium:call:${callId}`, status));
}

/** Ends a server: no new connections, idle ones closed, requests under way finished, and what is left after `graceMs` cut. */
export async function drainServer(server: FastifyInstance, graceMs: number): Promise<void> {
	const cut = setTimeout(() => server.server.closeAllConnections(), graceMs);
	try {
		await server.close();
	} finally {
		clearTimeout(cut);
	}
}

/** @param error whatever was thrown */
function fromFramework(error: unknown): RuntimeError {
	if (error instanceof RuntimeError) return error;
	const { code, statusCode = 500 } = (error ?? {}) as Partial<FastifyError>;
	switch (code) {
		case "FST_ERR_BAD_URL":
		case "FST_ERR_MAX_PARAM_LENGTH":
			return new RuntimeError("invalid", "The path of the request is malformed or too long.");
		case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
			return new HttpError(415, "invalid", "The Content-Type of the body must be application/json.");
		case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
			return new RuntimeError("invalid", "The body is not as long as its Content-Length says.");
		case "FST_ERR_CTP_BODY_TOO_LARGE":
			return new RuntimeError("too-large", "The body is too large.");
		default:
			// Its other refusals: none of them quotes more than the request.
			if (code?.startsWith("FST_ERR_") && statusCode < 500) return new RuntimeError("invalid", "The request is malformed.");
			return toRuntimeError(error);
	}
}

/** The routes of a server, for those who ask for one with another method. */
class RouteList {
	readonly #routes: { readonly method: string; readonly path: RegExp }[] = [];

	add(method: string | string[], url: string): void {
		const path = new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/:\w+/g, "[^/]+")}$`);
		for (const one of [method].flat()) this.#routes.push({ method: one, path });
	}

	describeUnknown({ method, url }: FastifyRequest): RuntimeError {
		const path = url.split("?", 1)[0] as string;
		const allow = this.#routes.filter((route) => route.path.test(path)).map((route) => route.method);
		if (allow.length > 0)
			return new HttpError(405, "not-found", `There is no ${excerpt(method)} here; there is ${allow.join(", ")}.`, { allow });
		return new RuntimeError("not-found", `There is no route ${excerpt(path)}.`);
	}
}

/** Answers what never became a request: malformed HTTP, headers that are too large or too slow. */
function refuseConnection(error: Error & { readonly code?: string; readonly rawPacket?: unknown }, socket: Socket): void {
	// Only what is wrong with HTTP can be answered: where TLS has failed an answer would wait for ever to be sent, and keep its connection.
	const isHttp = error.code?.startsWith("HPE_") === true || error.code === "ERR_HTTP_REQUEST_TIMEOUT";
	// An answer that has begun would have this one in its middle.
	const isAnswered = (socket as AnsweringSocket)._httpMessage?.headersSent === true;
	if (!isHttp || isAnswered || socket.destroyed || !socket.writable) return void socket.destroy();
	const problem =
		error.code === "HPE_HEADER_OVERFLOW"
			? new HttpError(431, "too-large", `The headers are larger than ${maxHeaderBytes} bytes.`)
			: error.code === "ERR_HTTP_REQUEST_TIMEOUT"
				? new HttpError(408, "timed-out", "The request was not complete in time.")
				: new HttpError(400, "invalid", "The request is not valid HTTP/1.1.");
	const body = describeProblem(problem, undefined, problem.status);
	const head = [
		`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
		`Content-Type: ${problemType}`,
		`Content-Length: ${Buffer.byteLength(body)}`,
		...Object.entries(privateHeaders).map(([name, value]) => `${name}: ${value}`),
		"Connection: close",
	];
	const isHead = Buffer.isBuffer(error.rawPacket) && error.rawPacket.toString("latin1", 0, 5) === "HEAD ";
	socket.end(
		`${head.join("\r\n")}\r\n\r\n${isHead ? "" : body}`,
		// A client that goes on sending would keep the socket open.
		() => socket.destroy(),
	);
}

function warn(error: Error): void {
	process.emitWarning(`A call over HTTP failed: ${error.message}`, "CroniumWarning");
}
