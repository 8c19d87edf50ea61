import { mkdtemp, rm } from "node:fs/promises";
import http, { type IncomingHttpHeaders, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A request as it came. */
export interface Received {
	readonly method: string;
	readonly url: string;
	readonly headers: IncomingHttpHeaders;
	readonly body: string;
	/** A number for each connection, by which those that share one are known. */
	readonly connection: number;
}

/** What a server does with one request. */
export type Answer = (response: ServerResponse, request: Received) => void;

/** A server that answers as it is told, and remembers what it was asked. */
export interface ScriptedServer extends AsyncDisposable {
	readonly url: string;
	readonly socketPath: string | undefined;
	readonly received: readonly Received[];
	/** Answers to the next requests, in their order; the last one also to all behind it. */
	answer(...answers: readonly Answer[]): void;
}

export interface ServerTls {
	readonly key: string;
	readonly cert: string;
	/** Issuer of the certificates that clients must show. */
	readonly clientIssuer?: string;
}

export async function openScriptedServer(options: { tls?: ServerTls; unixSocket?: boolean } = {}): Promise<ScriptedServer> {
	const { tls } = options;
	const received: Received[] = [];
	let script: Answer[] = [];
	const connections = new Map<Socket, number>();
	const handle: http.RequestListener = async (request, response) => {
		const { socket, method = "", url = "", headers } = request;
		if (!connections.has(socket)) connections.set(socket, connections.size + 1);
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const body = Buffer.concat(chunks).toString();
		const one = { method, url, headers, body, connection: connections.get(socket) as number };
		received.push(one);
		const answer = script.length > 1 ? script.shift() : script[0];
		answer?.(response, one);
	};
	const server = tls
		? https.createServer(
				{
					key: tls.key,
					cert: tls.cert,
					...(tls.clientIssuer && { ca: tls.clientIssuer, requestCert: true, rejectUnauthorized: true }),
				},
				handle,
			)
		: http.createServer(handle);
	const directory = options.unixSocket ? await mkdtemp(join(tmpdir(), "cronium-scripted-")) : undefined;
	const socketPath = directory === undefined ? undefined : join(directory, "api.sock");
	await new Promise<void>((resolve) => server.listen(socketPath ?? { host: "127.0.0.1", port: 0 }, resolve));
	const port = socketPath === undefined ? (server.address() as AddressInfo).port : 0;
	return {
		url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
		socketPath,
		received,
		answer(...answers) {
			received.length = 0;
			script = [...answers];
		},
		async [Symbol.asyncDispose]() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
			if (directory !== undefined) await rm(directory, { recursive: true, force: true });
		},
	};
}

/** An answer with a JSON value. */
export function value(text: string, headers: Readonly<Record<string, string>> = {}): Answer {
	return (response) => void response.writeHead(200, { "Content-Type": "application/json", ...headers }).end(text);
}

/** An answer with problem details. */
export function problem(
	status: number,
	code: string,
	members: Readonly<Record<string, unknown>> = {},
	headers: Readonly<Record<string, string>> = {},
): Answer {
	const body = JSON.stringify({ type: "about:blank", title: code, status, detail: `This is ${code}.`, code, ...members });
	return (response) => void response.writeHead(status, { "Content-Type": "application/problem+json", ...headers }).end(body);
}

/** No answer: the connection is closed. */
export const hangUp: Answer = (response) => void response.socket?.destroy();

/** Half an answer, and the connection is closed. */
export const cutOff: Answer = (response) => {
	response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "100" });
	response.write('{"half":');
	setTimeout(() => response.socket?.destroy(), 20);
};
