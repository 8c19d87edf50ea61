import { defineHandler, dispatchTrusted, Event, EventTarget } from "./events.ts";
import { timerFunctions } from "./timers.ts";

/** Held by what may make signals: scripts get them from controllers and from the static methods only. */
const key = Symbol("AbortSignal");

let abortSignal: (signal: AbortSignal, reason: unknown) => void;

export class AbortSignal extends EventTarget {
	#aborted = false;
	#reason: unknown;
	/** Signals made by `any` that follow this one. */
	readonly #followers: AbortSignal[] = [];

	static {
		abortSignal = (signal, reason) => {
			if (signal.#aborted) return;
			const affected = [signal, ...signal.#followers.filter((follower) => !follower.#aborted)];
			// All of them are aborted before the first listener runs and looks.
			for (const one of affected) {
				one.#aborted = true;
				one.#reason = reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
				reason = one.#reason;
			}
			for (const one of affected) dispatchTrusted(one, new Event("abort"));
		};
	}

	constructor(token?: symbol) {
		super();
		if (token !== key) throw new TypeError("Illegal constructor");
	}

	static abort(reason?: unknown): AbortSignal {
		const signal = new AbortSignal(key);
		abortSignal(signal, reason);
		return signal;
	}

	static timeout(milliseconds: unknown): AbortSignal {
		const delay = Number(milliseconds);
		if (!Number.isFinite(delay) || delay < 0) throw new RangeError("The timeout must be a number of milliseconds, 0 or more");
		const signal = new AbortSignal(key);
		timerFunctions.setTimeout(
			() => abortSignal(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")),
			delay,
		);
		return signal;
	}

	static any(signals: Iterable<AbortSignal>): AbortSignal {
		const result = new AbortSignal(key);
		const sources = [...signals];
		for (const source of sources) if (!(source instanceof AbortSignal)) throw new TypeError("AbortSignal.any takes signals");
		const aborted = sources.find((source) => source.#aborted);
		if (aborted) abortSignal(result, aborted.#reason);
		// A follower of a follower follows the first of them too, because it was copied here when that was made.
		else for (const source of sources) source.#addFollower(result);
		return result;
	}

	get aborted(): boolean {
		return this.#aborted;
	}

	get reason(): unknown {
		return this.#reason;
	}

	throwIfAborted(): void {
		if (this.#aborted) throw this.#reason;
	}

	#addFollower(follower: AbortSignal): void {
		this.#followers.push(follower);
		for (const source of sourcesOf.get(this) ?? []) source.#followers.push(follower);
		sourcesOf.set(follower, [...(sourcesOf.get(follower) ?? []), this, ...(sourcesOf.get(this) ?? [])]);
	}
}
defineHandler(AbortSignal.prototype, "abort");

/** What a signal made by `any` follows, directly or not. */
const sourcesOf = new WeakMap<AbortSignal, readonly AbortSignal[]>();

export class AbortController {
	readonly #signal = new AbortSignal(key);

	get signal(): AbortSignal {
		return this.#signal;
	}

	abort(reason?: unknown): void {
		abortSignal(this.#signal, reason);
	}
}
