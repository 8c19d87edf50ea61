import {
	Agent,
	type ClientRequest,
	request as httpRequest,
	type IncomingHttpHeaders,
	type IncomingMessage,
	type RequestOptions,
} from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";
import type { Socket } from "node:net";
import { type Duplex, pipeline, type Readable } from "node:stream";
import { excerpt } from "../../contract/excerpt.ts";
import type { EngineEndpoint } from "./engine-address.ts";
import { EngineError } from "./engine-error.ts";

/** One request to an engine. */
export interface EngineRequest {
	readonly method: "GET" | "POST" | "DELETE";
	/** Without the version. */
	readonly path: string;
	readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
	/** JSON, or a tar archive. */
	readonly body?: object | Readable;
	/** For how long the engine may be silent; Infinity for an answer that comes when something has happened. */
	readonly timeoutMs?: number;
	readonly signal?: AbortSignal;
	/** What is asked, in words, for messages: "start container 0123". */
	readonly what: string;
}

export interface EngineAnswer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly body: Buffer;
}

/** An engine that is asked something short and says nothing for this long is taken for dead. Creating a container may wait for a busy disk. */
const defaultTimeoutMs = 60_000;
/** Answers are lists and descriptions; an engine that sends more is not believed. */
const maxAnswerBytes = 32 * 1024 * 1024;

/** HTTP to one engine, over a Unix socket or TCP. */
export class EngineConnection {
	readonly address: string;
	readonly #agent: Agent;
	readonly #options: RequestOptions;
	readonly #request: typeof httpRequest;
	/** `/v1.41`, once it is known what the engine speaks. */
	prefix = "";

	constructor(address: string, endpoint: EngineEndpoint) {
		this.address = address;
		const isTls = endpoint.type === "tcp" && endpoint.tls !== undefined;
		this.#request = isTls ? httpsRequest : httpRequest;
		this.#agent = isTls
			? new TlsAgent({ keepAlive: true, ...endpoint.tls, minVersion: "TLSv1.2" })
			: new Agent({ keepAlive: true });
		this.#options =
			endpoint.type === "unix" ? { socketPath: endpoint.path, host: "localhost" } : { host: endpoint.host, port: endpoint.port };
	}

	/** Sends the request and reads the whole answer. Throws EngineError if there is none; a status of failure is an answer. */
	async send(request: EngineRequest): Promise<EngineAnswer> {
		const answer = await this.#open(request);
		try {
			return { status: answer.statusCode ?? 0, headers: answer.headers, body: await readBody(answer) };
		} catch (cause) {
			throw this.#describeFailure(request, cause);
		}
	}

	/** As `send`, with a status of failure thrown. */
	async ask(request: EngineRequest): Promise<Buffer> {
		const { status, body } = await this.send(request);
		if (status >= 400) throw this.refusal(request.what, status, body);
		return body;
	}

	/** As `ask`, with the answer read as JSON. */
	async askJson<Answer>(request: EngineRequest): Promise<Answer> {
		const body = await this.ask(request);
		try {
			return JSON.parse(body.toString()) as Answer;
		} catch (cause) {
			throw this.error("engine-error", request.what, `answered what is not JSON: ${excerptOf(body)}`, cause);
		}
	}

	/** Makes the connection of this request a stream of bytes in both directions. */
	async hijack(request: EngineRequest): Promise<{ readonly connection: Duplex; readonly head: Buffer }> {
		const sent = this.#start(request, { connection: "Upgrade", upgrade: "tcp" });
		sent.end();
		type Answer = { readonly socket: Socket; readonly head: Buffer } | { readonly refused: IncomingMessage };
		const answer = await new Promise<Answer>((resolve, reject) => {
			sent.once("upgrade", (_message, socket, head) => resolve({ socket: socket as Socket, head }));
			sent.once("response", (refused) => resolve({ refused }));
			sent.once("error", reject);
		}).catch((cause: unknown) => {
			throw this.#describeFailure(request, cause);
		});
		if ("refused" in answer) throw this.refusal(request.what, answer.refused.statusCode ?? 0, await readBody(answer.refused));
		// The time limit was for the answer: a script may be silent for as long as it likes.
		answer.socket.setTimeout(0);
		return { connection: answer.socket, head: answer.head };
	}

	/** The error for an answer with a status of failure. */
	refusal(what: string, status: number, body: Buffer): EngineError {
		const message = messageOf(body);
		if (/no space left on device|disk quota exceeded/i.test(message))
			return this.error("disk-full", what, "the disk of the engine is full");
		if (status === 404 && /no such image|image not known|no such object: image/i.test(message))
			return this.error("image-missing", what, "there is no such image");
		if (status === 404) return this.error("container-missing", what, message);
		return this.error("engine-error", what, `${message} (${status})`);
	}

	error(code: EngineError["code"], what: string, message: string, cause?: unknown): EngineError {
		return new EngineError(code, `${this.address}: cannot ${what}: ${message}`, cause === undefined ? {} : { cause });
	}

	close(): void {
		this.#agent.destroy();
	}

	async #open(request: EngineRequest): Promise<IncomingMessage> {
		const isStream = request.body !== undefined && "pipe" in request.body;
		const text = request.body === undefined || isStream ? undefined : JSON.stringify(request.body);
		const sent = this.#start(request, {
			...(isStream && { "content-type": "application/x-tar" }),
			...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
		});
		const answered = new Promise<IncomingMessage>((resolve, reject) => {
			sent.once("response", resolve);
			// Stays: what fails after the answer has begun is told by the reading of it.
			sent.on("error", reject);
			// Neither of them is an error to Node, and neither brings an answer.
			sent.once("upgrade", (_message, socket) => {
				socket.destroy();
				reject(new Error("the engine changed the protocol"));
			});
			sent.once("close", () => reject(new Error("the engine hung up")));
		});
		// Only the tar is left to fail by itself; it takes the request along.
		if (isStream) pipeline(request.body as Readable, sent, () => {});
		else sent.end(text);
		try {
			return await answered;
		} catch (cause) {
			throw this.#describeFailure(request, cause);
		}
	}

	#start(request: EngineRequest, headers: RequestOptions["headers"]): ClientRequest {
		const { method, path, query, timeoutMs = defaultTimeoutMs, signal } = request;
		const search = new URLSearchParams();
		for (const [name, value] of Object.entries(query ?? {}))
			for (const one of value === undefined ? [] : [value].flat()) search.append(name, one);
		const sent = this.#request({
			...this.#options,
			agent: this.#agent,
			method,
			path: `${this.prefix}${path}${search.size > 0 ? `?${search}` : ""}`,
			...(headers && { headers }),
			...(signal && { signal }),
		});
		if (timeoutMs !== Number.POSITIVE_INFINITY)
			sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`no answer within ${timeoutMs} ms`)));
		return sent;
	}

	#describeFailure(request: EngineRequest, cause: unknown): unknown {
		if (request.signal?.aborted) return request.signal.reason;
		if (cause instanceof EngineError) return cause;
		const { code, message } = cause as NodeJS.ErrnoException;
		return this.error("engine-unreachable", request.what, failures[code ?? ""] ?? message, cause);
	}
}

const failures: Readonly<Record<string, string>> = {
	ENOENT: "there is no such socket",
	ECONNREFUSED: "nobody listens there",
	EACCES: "this account may not connect; its socket belongs to root, or to a group such as docker",
	ECONNRESET: "the engine hung up",
	EPIPE: "the engine hung up",
};

async function readBody(answer: IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of answer as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > maxAnswerBytes) throw new Error(`the answer has more than ${maxAnswerBytes} bytes`);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks);
}

/** What an engine says is wrong: `message` of Docker, `cause` and `message` of Podman. */
function messageOf(body: Buffer): string {
	try {
		const { message } = JSON.parse(body.toString()) as { message?: unknown };
		if (typeof message === "string") return excerpt(message, maxMessageCharacters);
	} catch {
		// Not what an engine answers; its beginning tells more than nothing.
	}
	return excerptOf(body);
}

const excerptOf = (body: Buffer): string => excerpt(body.toString("utf8", 0, 4 * maxMessageCharacters), maxMessageCharacters);

const maxMessageCharacters = 300;
