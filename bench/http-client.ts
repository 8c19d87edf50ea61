import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where a server listens. */
export interface Place {
	readonly address: { readonly host: string; readonly port: number } | { readonly path: string };
	/** The issuer of its certificate, and, where it asks for them, the client's own certificate and key (PEM). */
	readonly tls?: { readonly ca: string; readonly certificate?: string; readonly key?: string };
}

export interface Answer {
	readonly status: number;
	readonly body: string;
}

const endOfHead = Buffer.from("\r\n\r\n");
const contentLength = /\r\ncontent-length: (\d+)\r\n/i;

/**
 * A connection that is kept, with one request under way at a time. It takes as little as possible from the machine that it shares with the server, so that
 * the server is what is measured: requests are bytes made before, and of an answer it reads the status, the length and the body.
 */
export class KeptConnection implements Disposable {
	readonly #socket: Socket;
	#received: Buffer | undefined;
	#resolve: (answer: Answer) => void = () => undefined;
	#reject: (error: Error) => void = () => undefined;

	private constructor(socket: Socket) {
		this.#socket = socket;
		socket.on("data", (chunk: Buffer) => this.#take(chunk));
		socket.on("error", (error) => this.#reject(error));
		socket.on("close", () => this.#reject(new Error("The server has closed the connection.")));
	}

	static open({ address, tls }: Place): Promise<KeptConnection> {
		return new Promise((resolve, reject) => {
			const socket = tls
				? connectTls({
						...address,
						ca: tls.ca,
						...(tls.certificate !== undefined && { cert: tls.certificate }),
						...(tls.key !== undefined && { key: tls.key }),
						servername: "localhost",
					})
				: connect(address);
			socket.setNoDelay(true);
			socket.once("error", reject);
			socket.once(tls ? "secureConnect" : "connect", () => {
				socket.off("error", reject);
				resolve(new KeptConnection(socket));
			});
		});
	}

	/** Sends a whole request and resolves with its answer. */
	exchange(request: Buffer): Promise<Answer> {
		return new Promise((resolve, reject) => {
			if (this.#socket.destroyed) throw new Error("The server has closed the connection.");
			this.#resolve = resolve;
			this.#reject = reject;
			this.#socket.write(request);
		});
	}

	close(): void {
		this.#socket.destroy();
	}

	[Symbol.dispose](): void {
		this.close();
	}

	#take(chunk: Buffer): void {
		const received = this.#received ? Buffer.concat([this.#received, chunk]) : chunk;
		this.#received = received;
		const end = received.indexOf(endOfHead);
		if (end < 0) return;
		const head = received.toString("latin1", 0, end + 2);
		const status = Number(head.slice(9, 12));
		const length = contentLength.exec(head)?.[1];
		if (length === undefined && status !== 204) {
			this.#reject(new Error(`The answer has no Content-Length:\n${head}`));
			return;
		}
		const start = end + endOfHead.length;
		const ends = start + Number(length ?? 0);
		if (received.length < ends) return;
		this.#received = undefined;
		this.#resolve({ status, body: received.toString("utf8", start, ends) });
	}
}

/** The bytes of a request with a token, as an SDK sends it. */
export function encodeRequest(method: string, path: string, token: string, body?: string, headers = ""): Buffer {
	const length = body === undefined ? "" : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
	return Buffer.from(
		`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, application/problem+json\r\nAuthorization: Bearer ${token}\r\n${headers}${length}\r\n${body ?? ""}`,
	);
}

/** Performs `count` exchanges, one at a time on each of the connections. `perform` throws when the answer is wrong. Resolves with how many there were in a second. */
export async function exchangeMany(
	connections: readonly KeptConnection[],
	count: number,
	perform: (connection: KeptConnection, number: number) => Promise<void>,
): Promise<number> {
	let next = 0;
	const started = performance.now();
	await Promise.all(
		connections.map(async (connection) => {
			while (next < count) await perform(connection, next++);
		}),
	);
	return (count * 1_000) / (performance.now() - started);
}

/** Opens connections to a server; dispose them. */
export async function openConnections(place: Place, count: number): Promise<readonly KeptConnection[] & Disposable> {
	const connections = await Promise.all(Array.from({ length: count }, () => KeptConnection.open(place)));
	return Object.assign(connections, {
		[Symbol.dispose]() {
			for (const connection of connections) connection.close();
		},
	});
}
