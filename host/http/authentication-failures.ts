import type { FastifyRequest } from "fastify";
import type { AuditLog } from "../audit.ts";
import { RuntimeError } from "../contract/errors.ts";

/** `identify`, which also tells the audit log of those whom it refuses. */
export function tellingFailures<Known>(
	door: string,
	audit: AuditLog | undefined,
	identify: (request: FastifyRequest) => Known,
): (request: FastifyRequest) => Known {
	const tell = (request: FastifyRequest, error: unknown): never => {
		// The messages of these errors are a few that never quote the request.
		if (error instanceof RuntimeError && error.code === "unauthenticated")
			audit?.authenticationFailure({ door, reason: error.message, ...(request.ip && { address: request.ip }) });
		throw error;
	};
	return (request) => {
		try {
			const known = identify(request);
			return known instanceof Promise ? (known.catch((error: unknown) => tell(request, error)) as Known) : known;
		} catch (error) {
			return tell(request, error);
		}
	};
}
