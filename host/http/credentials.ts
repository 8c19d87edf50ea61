import type { TLSSocket } from "node:tls";
import type { FastifyRequest } from "fastify";
import { RuntimeError } from "../contract/errors.ts";
import type { Audience, ExecutionTokens, VerifiedToken } from "../tokens/execution-tokens.ts";
import type { Identify } from "./routes.ts";

/** The scheme is compared without case (RFC 9110, section 11.1); the token's characters are those of RFC 6750. */
const bearer = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i;

/** The token of a request. Throws `unauthenticated` without one. */
export function requireBearer({ headers: { authorization } }: FastifyRequest): string {
	const token = authorization === undefined ? undefined : bearer.exec(authorization)?.[1];
	if (token !== undefined) return token;
	throw new RuntimeError(
		"unauthenticated",
		authorization === undefined ? "The Authorization header is missing." : "The Authorization header must be a bearer token.",
	);
}

/** Who makes a request, by its execution token alone. */
export function identifyByToken(tokens: ExecutionTokens, audience: Audience): Identify<VerifiedToken> {
	return (request) => {
		requireOwnAssertion(request);
		const { socket } = request.raw;
		return tokens.identify(requireBearer(request), audience, {
			certificateThumbprint: certificateThumbprint(socket as TLSSocket),
			address: socket.remoteAddress,
		});
	};
}

/** In which a sidecar process tells of the certificate that its client has shown. */
export const assertionHeader = "cronium-client-certificate";

/** Nobody but a sidecar process speaks for others. Throws `unauthenticated`. */
function requireOwnAssertion({ headers }: FastifyRequest): void {
	if (headers[assertionHeader] === undefined) return;
	throw new RuntimeError("unauthenticated", "The header Cronium-Client-Certificate is for sidecar processes only.");
}

const thumbprints = new WeakMap<TLSSocket, string>();

/** SHA-256 of the client certificate that was verified on the connection, base64url; undefined without one. */
export function certificateThumbprint(socket: TLSSocket): string | undefined {
	if (socket.authorized !== true) return undefined;
	let thumbprint = thumbprints.get(socket);
	if (thumbprint === undefined) {
		const certificate = socket.getPeerX509Certificate();
		if (!certificate) return undefined;
		// Hexadecimal with colons.
		thumbprint = Buffer.from(certificate.fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
		thumbprints.set(socket, thumbprint);
	}
	return thumbprint;
}
