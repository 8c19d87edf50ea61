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

	/** Does the work in a place, which is waited for. Undefined when the signal has aborted meanwhile, or the queue was closed. */
	async within<Result>(namespace: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result | undefined> {
		if (!(await this.#take(namespace, signal))) return undefined;
		try {
			return await work();
		} finally {
			this.#queue.release(namespace);
			this.#assign();
		}
	}

	/** Nobody who waits gets a place any more. */
	close(): void {
		for (const { resolve } of this.#queue.clear()) resolve(false);
	}

	#take(namespace: string, signal: AbortSignal): Promise<boolean> {
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

	#assign(): void {
		for (let next = this.#queue.next(); next; next = this.#queue.next()) next.resolve(true);
	}
}
