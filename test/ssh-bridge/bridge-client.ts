import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect as connectTls } from "node:tls";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import type { AgentHost } from "./agent-host.ts";

/** Anybody who connects to a bridge: with a certificate or without. */
export interface BridgeClient extends Disposable {
	readonly session: ClientHttp2Session;
	ask(
		method: string,
		path: string,
		given?: { headers?: Record<string, string>; body?: string },
	): Promise<{ status: number; body: string }>;
	/** Resolves when the other end has closed the connection. */
	readonly closed: Promise<void>;
}

/** Rejects when the connection is closed before it is accepted. */
export async function connectBridge(
	{ dataDirectory, server }: AgentHost,
	shown: { readonly certificate?: string; readonly key?: string } = {},
): Promise<BridgeClient> {
	const { trusted } = await new CertificateAuthority(dataDirectory).current();
	const session = await new Promise<ClientHttp2Session>((resolve, reject) => {
		const socket = connectTls({
			host: "127.0.0.1",
			port: server.port,
			ca: trusted,
			servername: "localhost",
			...(shown.certificate !== undefined && { cert: shown.certificate }),
			...(shown.key !== undefined && { key: shown.key }),
			ALPNProtocols: ["h2"],
		});
		socket.on("error", reject).on("close", () => reject(new Error("closed")));
		const made = connectHttp2("https://localhost", { createConnection: () => socket });
		made.on("error", reject);
		// In TLS 1.3 a client is done before the server has looked at its certificate.
		made.once("remoteSettings", () => resolve(made));
	});
	session.on("error", () => undefined);
	return {
		session,
		closed: new Promise((resolve) => session.once("close", resolve)),
		ask: (method, path, { headers = {}, body } = {}) =>
			new Promise((resolve, reject) => {
				const stream = session.request({
					":method": method,
					":path": path,
					...(body !== undefined && { "content-type": "application/json" }),
					...headers,
				});
				let status = 0;
				let text = "";
				stream.setEncoding("utf8").on("response", (found) => {
					status = found[":status"] ?? 0;
				});
				stream.on("data", (chunk: string) => {
					text += chunk;
				});
				stream.on("error", reject).on("end", () => resolve({ status, body: text }));
				stream.end(body);
			}),
		[Symbol.dispose]: () => session.destroy(),
	};
}
