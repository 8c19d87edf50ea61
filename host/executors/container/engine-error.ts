/** What can be wrong with a container engine, as far as a caller has to tell it apart. */
export type EngineFailure =
	/** There is no engine at any of the usual places. */
	| "engine-missing"
	/** It does not answer, does not answer in time, or hung up. */
	| "engine-unreachable"
	| "engine-too-old"
	| "image-missing"
	| "container-missing"
	| "disk-full"
	/** It does not keep what has to be kept of runs, and nobody has allowed that. */
	| "isolation-missing"
	/** Anything else that it answered. */
	| "engine-error";

/** A container engine did not do what it was asked. The message names its address and what was asked, and an excerpt of its answer at most. */
export class EngineError extends Error {
	override readonly name = "EngineError";
	readonly code: EngineFailure;

	constructor(code: EngineFailure, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}
