import type { Handle } from "./guest.ts";

/** More rejections than this are only counted: a guest could otherwise fill the host's memory with them. */
const maxTracked = 1_000;

/**
 * Promises of a run that were rejected and have no handler yet. A promise is known by the address of its object; holding the
 * handle of the promise keeps that address from being used again.
 */
export class Rejections {
	readonly #free: (value: Handle) => void;
	readonly #tracked = new Map<number, { readonly promise: Handle; readonly reason: Handle }>();
	readonly #watched = new Set<number>();
	#untracked = 0;

	constructor(free: (value: Handle) => void) {
		this.#free = free;
	}

	/** Takes both handles over. `address` is that of the promise's object. */
	add(address: number, promise: Handle, reason: Handle): void {
		if (!this.#watched.has(address) && !this.#tracked.has(address)) {
			if (this.#tracked.size < maxTracked) {
				this.#tracked.set(address, { promise, reason });
				return;
			}
			this.#untracked++;
		}
		this.#free(promise);
		this.#free(reason);
	}

	/** Somebody handles the promise after all. */
	remove(address: number): void {
		const entry = this.#tracked.get(address);
		if (entry) {
			this.#tracked.delete(address);
			this.#free(entry.promise);
			this.#free(entry.reason);
		} else if (!this.#watched.has(address) && this.#untracked > 0) this.#untracked--;
	}

	/** The host handles this one. */
	watch(address: number): void {
		this.remove(address);
		this.#watched.add(address);
	}

	/** The oldest rejection; its reason is absent when there were too many to keep. */
	get first(): { readonly reason: Handle | undefined } | undefined {
		for (const { reason } of this.#tracked.values()) return { reason };
		return this.#untracked > 0 ? { reason: undefined } : undefined;
	}

	/** Forgets everything; the handles are of no instance any more. */
	clear(): void {
		this.#tracked.clear();
		this.#watched.clear();
		this.#untracked = 0;
	}
}
