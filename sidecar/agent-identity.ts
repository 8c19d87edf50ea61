import { createPrivateKey, X509Certificate } from "node:crypto";
import { connect as connectHttp2 } from "node:http2";
import { buffer } from "node:stream/consumers";
import { RuntimeError } from "../host/contract/errors.ts";
import { agentPaths, type IssuedIdentity, type JoinRequest } from "./agent-messages.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { connectToHost } from "./host-connection.ts";
import type { JoinToken } from "./join-token.ts";

/** What an agent is, and by what it proves it. A secret: the key is nowhere else. */
export interface AgentIdentity {
	/** Of this form of the document. */
	readonly version: 1;
	/** The id of the agent. */
	readonly agent: string;
	/** The host that it is of. */
	readonly host: string;
	/** Where the bridge is, `host:port`. */
	readonly address: string;
	/** Certificates of the authorities by which it recognises the bridge (PEM). */
	readonly trusted: string;
	/** PEM. */
	readonly certificate: string;
	readonly key: string;
	/** By this machine's clock, in milliseconds since the Unix epoch. */
	readonly renewAt: number;
	readonly expiresAt: number;
}

const joinTimeoutMs = 30_000;

/**
 * Joins by a token, which is worth nothing from then on. Rejects with `unauthenticated` when it is not good, `unavailable` when the bridge cannot be reached or is not
 * the one that the token names.
 */
export async function join({ address, trusted, secret }: JoinToken): Promise<AgentIdentity> {
	const { key, request } = createCertificateRequest();
	const body: JoinRequest = { secret, request };
	const { status, text } = await post(address, trusted, agentPaths.join, JSON.stringify(body));
	return takeIssued(status, text, address, key);
}

/** The identity that a bridge has answered with. Throws what it has answered instead. */
export function takeIssued(status: number, text: string, address: string, key: string): AgentIdentity {
	if (status !== 200) throw readProblem(status, text);
	const { agent, host, certificate, trusted, lifetimeMs } = JSON.parse(text) as IssuedIdentity;
	// What does not belong to the key would be found out when it is needed.
	if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
		throw new RuntimeError("unavailable", "The bridge has certified another key.");
	const now = Date.now();
	const times = { renewAt: now + lifetimeMs / 2, expiresAt: now + lifetimeMs };
	return { version: 1, agent, host, address, trusted, certificate, key, ...times };
}

function post(
	address: string,
	trusted: string,
	path: string,
	body: string,
): Promise<{ readonly status: number; readonly text: string }> {
	return new Promise((resolve, reject) => {
		const fail = (why: string): void => reject(new RuntimeError("unavailable", `The bridge at ${address} ${why}.`));
		const socket = connectToHost({ address, trusted });
		const late = setTimeout(() => {
			fail(`has not answered within ${joinTimeoutMs / 1_000} s`);
			socket.destroy();
		}, joinTimeoutMs);
		socket.once("error", (error: NodeJS.ErrnoException) => fail(describeFailure(error)));
		socket.once("close", () => {
			clearTimeout(late);
			fail("has closed the connection");
		});
		socket.once("secureConnect", () => {
			const session = connectHttp2(`https://${address}`, { createConnection: () => socket });
			session.on("error", () => session.destroy());
			const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
			let status = 0;
			stream.once("response", (headers) => {
				status = headers[":status"] ?? 0;
			});
			buffer(stream).then(
				(text) => {
					resolve({ status, text: text.toString() });
					session.destroy();
				},
				() => session.destroy(),
			);
			stream.end(body);
		});
	});
}

/** Codes of OpenSSL that say that whoever is there is not the bridge of the token. */
const strangers = new Set([
	"SELF_SIGNED_CERT_IN_CHAIN",
	"DEPTH_ZERO_SELF_SIGNED_CERT",
	"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
	"UNABLE_TO_GET_ISSUER_CERT",
	"UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
	"CERT_SIGNATURE_FAILURE",
]);

function describeFailure({ code, message }: NodeJS.ErrnoException): string {
	if (code !== undefined && strangers.has(code)) return "has not shown a certificate of the authority that the join token names";
	return `cannot be reached: ${code ?? message}`;
}

function readProblem(status: number, text: string): RuntimeError {
	try {
		const { code, detail } = JSON.parse(text) as { readonly code: "unauthenticated"; readonly detail: string };
		return new RuntimeError(code, detail);
	} catch {
		return new RuntimeError("unavailable", `The bridge has answered with status ${status}.`);
	}
}
