import { FairQueue } from "../fair-queue.ts";
import type { CallTraffic } from "./traffic.ts";

/** Bodies of more bytes take turns: to judge one of a MiB takes the thread for some 50 ms. */
export const largeBodyBytes = 64 * 1024;

interface Turn {
	readonly namespace: string;
	begin(): void;
}

/** Large bodies that have come and wait to be judged: one in a turn of the event loop, which serves all other calls in between, and namespaces in turn. */
export class LargeBodies {
	readonly #queue = new FairQueue<Turn>({ places: 1, maxOwnerPlaces: 1 });

	/** How many wait. */
	get waiting(): number {
		return this.#queue.size;
	}

	/** Resolves when the body may be judged, before the event loop turns. Never resolves when the connection is cut before that. */
	turn(namespace: string, call: CallTraffic): Promise<void> {
		return new Promise((resolve) => {
			if (call.isClosed) return;
			const turn = { namespace, begin: resolve };
			this.#queue.add(namespace, turn);
			call.onClose = () => void this.#queue.delete(namespace, turn);
			this.#next();
		});
	}

	#next(): void {
		const turn = this.#queue.next();
		if (!turn) return;
		turn.begin();
		// What waits for the promise, the handler included, goes first.
		setImmediate(() => {
			this.#queue.release(turn.namespace);
			this.#next();
		});
	}
}
