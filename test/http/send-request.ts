import { type IncomingHttpHeaders, request as requestInClear } from "node:http";
import { request as requestOverTls } from "node:https";
import { connect, type Socket } from "node:net";

/** An answer, read to its end. */
export interface HttpAnswer {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	readonly text: string;
	// biome-ignore lint/suspicious/noExplicitAny: what it is depends on the route, and the test says what it expects.
	readonly body: any;
}

export type Target =
	| {
			readonly url: string;
			/** With an `https:` URL. */
			readonly tls?: ClientTls;
			/** From which address of this machine the connection comes. */
			readonly localAddress?: string;
	  }
	| { readonly socketPath: string; readonly tls?: ClientTls };

/** Whom the client trusts, and the certificate that it shows, if any (PEM). */
export interface ClientTls {
	readonly ca: string;
	readonly cert?: string;
	readonly key?: string;
}

export interface RequestOptions {
	readonly headers?: Readonly<Record<string, string | readonly string[]>>;
	readonly body?: string | Buffer;
}

/** Sends a request whose path goes out as it is: clients of URLs would tidy it up. A body without a `content-type` is JSON. */
export function sendRequest(target: Target, method: string, path: string, options: RequestOptions = {}): Promise<HttpAnswer> {
	const { headers = {}, body } = options;
	return new Promise((resolve, reject) => {
		const isTls = "url" in target ? target.url.startsWith("https:") : target.tls !== undefined;
		const call = (isTls ? requestOverTls : requestInClear)({
			...("url" in target
				? {
						host: new URL(target.url).hostname,
						port: new URL(target.url).port,
						...target.tls,
						...(target.localAddress !== undefined && { localAddress: target.localAddress }),
					}
				: { socketPath: target.socketPath, ...(target.tls && { ...target.tls, servername: "localhost" }) }),
			agent: false,
			method,
			path,
			headers: {
				...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
				...(headers as Record<string, string>),
			},
		});
		call.once("error", reject);
		call.once("response", (response) => {
			let text = "";
			response.setEncoding("utf8").on("data", (chunk: string) => {
				text += chunk;
			});
			response.once("error", reject);
			response.once("end", () => resolve(describe(response.statusCode ?? 0, response.headers, text)));
		});
		call.end(body);
	});
}

function describe(status: number, headers: IncomingHttpHeaders, text: string): HttpAnswer {
	const isJson = text !== "" && /json/.test(headers["content-type"] ?? "");
	return { status, headers, text, body: isJson ? JSON.parse(text) : undefined };
}

/** A connection on which anything can be sent, and nothing. */
export interface RawConnection extends Disposable {
	readonly socket: Socket;
	write(bytes: string | Uint8Array): void;
	/** Everything that was received, once the server has closed the connection. */
	readonly closed: Promise<string>;
	/** Resolves when so much has been received. */
	received(pattern: RegExp): Promise<string>;
}

export async function openConnection(target: Target): Promise<RawConnection> {
	const socket =
		"url" in target
			? connect({
					host: new URL(target.url).hostname,
					port: Number(new URL(target.url).port),
					...(target.localAddress !== undefined && { localAddress: target.localAddress }),
				})
			: connect({ path: target.socketPath });
	let text = "";
	const waiting = new Set<() => void>();
	socket.setEncoding("latin1").on("data", (chunk: string) => {
		text += chunk;
		for (const look of waiting) look();
	});
	const closed = new Promise<string>((resolve) => {
		// A reset is one way of closing.
		socket.on("error", () => undefined).once("close", () => resolve(text));
	});
	await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
	return {
		socket,
		closed,
		write: (bytes) => void socket.write(bytes),
		received: (pattern) =>
			new Promise((resolve, reject) => {
				const look = (): void => {
					if (!pattern.test(text)) return;
					waiting.delete(look);
					resolve(text);
				};
				waiting.add(look);
				void closed.then(() => reject(new Error(`The connection was closed; it had received: ${text}`)));
				look();
			}),
		[Symbol.dispose]: () => void socket.destroy(),
	};
}

/** Sends bytes on a connection of their own, and returns what came back until the server closed it. */
export async function exchange(target: Target, bytes: string | Uint8Array): Promise<string> {
	using connection = await openConnection(target);
	connection.write(bytes);
	return await connection.closed;
}
