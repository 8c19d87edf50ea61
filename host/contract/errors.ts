import type { ErrorCode, Limit, Problem, Version } from "./generated/types.ts";

/** What a RuntimeError can carry besides its message: the fields of the WIT record `problem`. */
export interface ProblemDetails {
	readonly limit?: Limit;
	readonly currentVersion?: Version;
	readonly retryAfterMs?: number;
}

/**
 * The one error of the contract. `code` is a case of the WIT variant `error` and never changes its meaning;
 * `message` names the value that was wrong and what is allowed, and never holds a secret or a host path.
 */
export class RuntimeError extends Error {
	override readonly name = "RuntimeError";
	readonly code: ErrorCode;
	readonly details: ProblemDetails;

	constructor(code: ErrorCode, message: string, details: ProblemDetails = {}, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
		this.details = details;
	}

	/** The WIT form; jco lifts an error's `payload` as the error of a result. */
	get payload(): { readonly tag: ErrorCode; readonly val: Problem } {
		return { tag: this.code, val: { message: this.message, ...this.details } };
	}
}

/** The HTTP status of each code. A code without a status does not compile. */
export const httpStatus: Readonly<Record<ErrorCode, number>> = {
	unauthenticated: 401,
	denied: 403,
	"not-found": 404,
	conflict: 412,
	"idempotency-mismatch": 422,
	invalid: 400,
	"too-large": 413,
	"rate-limited": 429,
	"timed-out": 504,
	cancelled: 409,
	unavailable: 503,
	"tool-failed": 502,
	unsupported: 501,
	internal: 500,
};
