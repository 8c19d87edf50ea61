import { httpStatus, RuntimeError } from "../contract/errors.ts";
import { errorTitles } from "../contract/generated/types.ts";

/** The media type of every error (RFC 9457). */
export const problemType = "application/problem+json; charset=utf-8";

/**
 * The body of an error: problem details with the contract's code. Anything but a RuntimeError is a fault of the host and becomes `internal`, because
 * its own message may hold paths or other people's data.
 *
 * @param instance names the call, for looking it up in the journal.
 * @param status differs from the code's own where HTTP has a more exact one: 405, 408, 415, 431.
 */
export function describeProblem(error: unknown, instance?: string, status?: number): string {
	const { code, message, details } = toRuntimeError(error);
	const { limit, currentVersion, retryAfterMs } = details;
	return JSON.stringify({
		type: `urn:cronium:error:${code}`,
		title: errorTitles[code],
		status: status ?? httpStatus[code],
		detail: message,
		instance,
		code,
		limit,
		currentVersion,
		retryAfterMs,
	});
}

/** The error itself, or `internal` for one that is not the contract's. */
export function toRuntimeError(error: unknown): RuntimeError {
	return error instanceof RuntimeError
		? error
		: new RuntimeError("internal", "The runtime failed to answer this call.", {}, { cause: error });
}

/** An error of HTTP itself, with a status that says more than the one of its code. */
export class HttpError extends RuntimeError {
	readonly status: number;
	/** Methods that the route does have. */
	readonly allow: readonly string[] | undefined;

	constructor(
		status: number,
		code: ConstructorParameters<typeof RuntimeError>[0],
		message: string,
		{ allow, ...details }: ConstructorParameters<typeof RuntimeError>[2] & { readonly allow?: readonly string[] } = {},
	) {
		super(code, message, details);
		this.status = status;
		this.allow = allow;
	}
}
