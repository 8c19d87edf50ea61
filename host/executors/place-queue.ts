import { type FairPlaces, FairQueue } from "../fair-queue.ts";

/** A place that is waited for. */
interface Waiting {
	readonly resolve: (hasPlace: boolean) => void;
}

/** Runs that wait for one of a number of places, shared out among namespaces (FairQueue). */
export class PlaceQueue {
	readonly #queue: FairQueue<Waiting>;

	constructor(places: FairPlaces) {
		this.#queue = new FairQueue(places);
	}

	/** Waits for a place; false when the signal has aborted meanwhile. Whoever has one gives it back with `release`. */
	take(namespace: string, signal: AbortSignal): Promise<boolean> {
		return new Promise((resolve) => {
			if (signal.aborted) return resolve(false);
			const waiting: Waiting = { resolve };
			this.#queue.add(namespace, waiting);
			signal.addEventListener(
				"abort",
				() => {
					if (this.#queue.delete(namespace, waiting)) resolve(false);
				},
				{ once: true },
			);
			this.#assign();
		});
	}

	release(namespace: string): void {
		this.#queue.release(namespace);
		this.#assign();
	}

	/** Nobody who waits gets a place any more. */
	close(): void {
		for (const { resolve } of this.#queue.clear()) resolve(false);
	}

	#assign(): void {
		for (let next = this.#queue.next(); next; next = this.#queue.next()) next.resolve(true);
	}
}
