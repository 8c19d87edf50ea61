import { RuntimeError } from "../../host/contract/errors.ts";
import type { CommitResult, Store, StoreTransaction } from "../../host/store/store.ts";

/**
 * A store behind a bad network: what is posted arrives in any order, answers come back in any order, some transactions are refused as
 * `unavailable` without effect, reads take their time. `step` lets one random thing happen.
 */
export class UnrulyStore implements Store {
	readonly #store: Store;
	readonly #random: () => number;
	/** The share of transactions that fail as `unavailable`. */
	unavailable = 0;
	/** Whether reads answer later. */
	slowReads = false;
	/** Everything from here on is lost: the process that posted it is gone. */
	dead = false;
	#waiting: (() => void)[] = [];
	/** How many transactions were posted. */
	posted = 0;

	constructor(store: Store, random: () => number) {
		this.#store = store;
		this.#random = random;
	}

	/** False when nothing waits. */
	step(): boolean {
		if (this.#waiting.length === 0 || this.dead) return false;
		const [happen] = this.#waiting.splice(Math.floor(this.#random() * this.#waiting.length), 1);
		happen?.();
		return true;
	}

	commit(transaction: StoreTransaction): Promise<CommitResult> {
		this.posted++;
		const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
		this.#waiting.push(() => {
			if (this.#random() < this.unavailable) {
				this.#waiting.push(() => reject(new RuntimeError("unavailable", "The network is down.")));
				return;
			}
			this.#store.commit(transaction).then((result) => this.#waiting.push(() => resolve(result)), reject);
		});
		return promise;
	}

	get: Store["get"] = (key, options) => this.#read(() => this.#store.get(key, options));
	list: Store["list"] = (range) => this.#read(() => this.#store.list(range));
	heads: Store["heads"] = (range) => this.#read(() => this.#store.heads(range));
	expired: Store["expired"] = (limit) => this.#store.expired(limit);
	changes: Store["changes"] = (prefix, options) => this.#store.changes(prefix, options);
	close: Store["close"] = () => this.#store.close();

	#read<T>(read: () => T): T | Promise<Awaited<T>> {
		if (!this.slowReads || this.#random() < 0.5) return read();
		const { promise, resolve } = Promise.withResolvers<Awaited<T>>();
		this.#waiting.push(async () => resolve(await read()));
		return promise;
	}
}

/** mulberry32: the same numbers for the same seed. */
export function createRandom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
