import type * as module from "../cronium.d.ts";

/** What every helper rejects with. `code` never changes its meaning, and is the same in every language. */
export class RuntimeError extends Error implements module.RuntimeError {
	readonly code: module.ErrorCode;
	declare readonly details: module.ErrorDetails;

	constructor(code: module.ErrorCode, message: string, details: module.ErrorDetails = {}) {
		super(message);
		this.name = "RuntimeError";
		this.code = code;
		// Whoever prints an error without details sees none.
		Object.defineProperty(this, "details", { value: details, enumerable: Object.keys(details).length > 0 });
	}
}
