import { randomUUID } from "node:crypto";
import http from "node:http";
import type { ErrorCode, ErrorDetails } from "../cronium.d.ts";
import type { Connection } from "./connection.ts";
import { Credential } from "./credential.ts";
import { RuntimeError } from "./errors.ts";

/** A request to the runtime API. */
export interface Call {
	readonly method: string;
	/** Percent-encoded. */
	readonly path: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | undefined;
	/** Whether it changes something. */
	readonly effect: boolean;
}

/** An answer of the server: a success, or `not-found`. */
export interface Reply {
	readonly status: number;
	readonly headers: http.IncomingHttpHeaders;
	readonly text: string;
}

const maxTries = 5;
const firstWaitMs = 100;
const longestWaitMs = 5_000;
/** A server that asks for more is not waited for. */
const patienceMs = 60_000;
const connectTimeoutMs = 10_000;
const maxAnswerBytes = 64 * 1024 * 1024;
const version = "0.1.0";

/** Sends calls over connections that are kept, and again where that is safe: a read, or a call with its idempotency key. */
export class Transport {
	readonly #connection: Connection;
	readonly #credential: Credential;
	readonly #headers: Readonly<Record<string, string>>;
	/** One for all calls, also for those that are made while it is opened. */
	#agent: Promise<http.Agent> | undefined;
	#request: typeof http.request = http.request;

	constructor(connection: Connection, environment: NodeJS.ProcessEnv) {
		this.#connection = connection;
		const { TRACEPARENT: traceparent = "" } = environment;
		this.#headers = {
			Accept: "application/json, application/problem+json",
			"User-Agent": `cronium-sdk-javascript/${version}`,
			...(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent) && { traceparent }),
		};
		this.#credential = new Credential(connection, async (token) => {
			const { status, text } = await this.#try({ method: "POST", path: "/v1/token", effect: false }, token, {});
			if (status !== 200) throw readProblem(status, text, undefined);
			const { token: renewed } = JSON.parse(text) as { token?: unknown };
			if (typeof renewed !== "string") throw new RuntimeError("internal", "The server answered with no token.");
			return renewed;
		});
	}

	/** Rejects with the error that the server answered, `timed-out` or `unavailable`. A missing thing is a reply. */
	async send(call: Call): Promise<Reply> {
		const headers = { ...call.headers, ...(call.effect && { "Idempotency-Key": randomUUID() }) };
		let reloaded = false;
		for (let tries = 1; ; tries++) {
			const token = await this.#credential.current();
			let problem: RuntimeError;
			let mayRepeat: boolean;
			try {
				const reply = await this.#try(call, token, headers);
				if (reply.status < 300 || reply.status === 404) return reply;
				problem = readProblem(reply.status, reply.text, reply.headers["retry-after"]);
				if (problem.code === "unauthenticated" && !reloaded && this.#credential.reload(token)) {
					reloaded = true;
					continue;
				}
				mayRepeat = reply.status === 429 || (reply.status >= 502 && !final.has(problem.code));
			} catch (error) {
				if (!(error instanceof RuntimeError)) throw error;
				problem = error;
				mayRepeat = error.code === "unavailable" || error.code === "timed-out";
			}
			if (!mayRepeat || tries >= maxTries) throw problem;
			const jitter = Math.random() * Math.min(longestWaitMs, firstWaitMs * 2 ** (tries - 1));
			const wait = Math.max(jitter, problem.details.retryAfterMs ?? 0);
			if (wait > patienceMs) throw problem;
			await new Promise((resolve) => setTimeout(resolve, wait));
		}
	}

	/** Closes the connections. */
	close(): void {
		this.#credential.close();
		void this.#agent?.then(
			(agent) => agent.destroy(),
			() => undefined,
		);
	}

	async #try(call: Call, token: string, headers: Readonly<Record<string, string>>): Promise<Reply> {
		this.#agent ??= this.#open();
		const agent = await this.#agent;
		const options = this.#connection;
		return new Promise((resolve, reject) => {
			const request = this.#request({
				agent,
				method: call.method,
				...(options.socketPath !== undefined
					? { socketPath: options.socketPath }
					: { hostname: options.hostname, port: options.port }),
				path: options.basePath + call.path,
				headers: {
					...this.#headers,
					...headers,
					Authorization: `Bearer ${token}`,
					...(call.body !== undefined && {
						"Content-Type": "application/json",
						"Content-Length": String(Buffer.byteLength(call.body)),
					}),
				},
			});
			const fail = (code: ErrorCode, message: string): void => {
				clearTimeout(timer);
				clearTimeout(connecting);
				reject(new RuntimeError(code, message));
				request.destroy();
			};
			const timer = setTimeout(
				fail,
				options.timeoutMs,
				"timed-out",
				`The runtime did not answer within ${options.timeoutMs} ms.`,
			);
			let connecting: NodeJS.Timeout | undefined;
			request.on("socket", (socket) => {
				socket.setNoDelay(true);
				if (!socket.connecting) return;
				connecting = setTimeout(fail, connectTimeoutMs, "unavailable", `No connection within ${connectTimeoutMs} ms.`);
				socket.once(options.secure ? "secureConnect" : "connect", () => clearTimeout(connecting));
			});
			const through = options.socketPath === undefined ? "" : ` through the socket ${options.socketPath}`;
			// Its text may name the request, but never its headers.
			request.on("error", (error: NodeJS.ErrnoException) =>
				fail("unavailable", `The runtime cannot be reached${through}: ${error.code ?? error.message}.`),
			);
			request.on("response", (response) => {
				const chunks: Buffer[] = [];
				let bytes = 0;
				response.on("data", (chunk: Buffer) => {
					bytes += chunk.length;
					if (bytes > maxAnswerBytes) fail("too-large", `The answer has more than ${maxAnswerBytes} bytes.`);
					else chunks.push(chunk);
				});
				response.on("end", () => {
					if (!response.complete) return fail("unavailable", "The answer was cut off.");
					clearTimeout(timer);
					const text = (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString("utf8");
					resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
				});
				response.on("error", () => fail("unavailable", "The answer was cut off."));
				response.on("aborted", () => fail("unavailable", "The answer was cut off."));
			});
			request.end(call.body);
		});
	}

	/** TLS is loaded by those who need it. */
	async #open(): Promise<http.Agent> {
		const { secure, tls, socketPath, hostname } = this.#connection;
		if (!secure) return new http.Agent({ keepAlive: true, maxSockets });
		const https = await import("node:https");
		this.#request = https.request as typeof http.request;
		return new https.Agent({
			keepAlive: true,
			maxSockets,
			minVersion: "TLSv1.2",
			...tls,
			...(socketPath !== undefined && { servername: hostname }),
		}) as unknown as http.Agent;
	}
}

/** A door takes 64 connections of a run and cuts those beyond; a handshake costs either side milliseconds. */
const maxSockets = 32;

/** Answers with a status of 5xx that a repetition would meet again. */
const final: ReadonlySet<ErrorCode> = new Set(["timed-out", "tool-failed", "internal", "unsupported"]);

/** The error that an answer means. What is not the runtime's own (a proxy's page) is not quoted. */
function readProblem(status: number, text: string, retryAfter: string | undefined): RuntimeError {
	const seconds = retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1_000 : undefined;
	try {
		const {
			code,
			detail,
			limit,
			currentVersion,
			retryAfterMs = seconds,
		} = JSON.parse(text) as {
			code?: ErrorCode;
			detail?: string;
		} & ErrorDetails;
		if (typeof code === "string" && typeof detail === "string")
			return new RuntimeError(code, detail, {
				...(limit && { limit }),
				...(currentVersion !== undefined && { currentVersion }),
				...(retryAfterMs !== undefined && { retryAfterMs }),
			});
	} catch {
		// Not JSON: not from the runtime.
	}
	const code = status === 502 || status === 503 || status === 504 || status === 429 ? "unavailable" : "internal";
	return new RuntimeError(code, `The server answered with status ${status} and no problem details.`, {
		...(seconds !== undefined && { retryAfterMs: seconds }),
	});
}
