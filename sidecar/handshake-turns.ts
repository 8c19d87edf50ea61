import { RateBudget } from "../host/http/rate-limit.ts";

/** A place where connections wait for their handshake. */
export interface HandshakeLane extends Disposable {
	/** Calls `begin` when it is the connection's turn. Returns what takes it out of the lane: one that was closed takes no turn, and no memory. */
	add(begin: () => void, address?: string): () => void;
}

interface Lane {
	readonly budget: RateBudget;
	/** In the order in which they came. */
	readonly waiting: Set<() => void>;
}

/**
 * Handshakes take turns: each costs the thread that serves all doors milliseconds, so a flood of connections to one door must not be one of handshakes.
 * There is a rate for each lane and one for all of them; lanes take turns, and everything else of the event loop goes on between two handshakes.
 */
export class HandshakeTurns {
	readonly #budget: RateBudget;
	/** The one whose turn was last is the last. */
	readonly #lanes = new Set<Lane>();
	#timer: NodeJS.Timeout | undefined;
	#next: NodeJS.Immediate | undefined;

	constructor(perSecond: number) {
		this.#budget = new RateBudget(perSecond, performance.now());
	}

	open(perSecond: number): HandshakeLane {
		const lane: Lane = { budget: new RateBudget(perSecond, performance.now()), waiting: new Set() };
		this.#lanes.add(lane);
		return {
			add: (begin) => {
				lane.waiting.add(begin);
				this.#schedule();
				return () => void lane.waiting.delete(begin);
			},
			[Symbol.dispose]: () => {
				lane.waiting.clear();
				this.#lanes.delete(lane);
			},
		};
	}

	#schedule(): void {
		if (this.#timer === undefined) this.#next ??= setImmediate(() => this.#begin());
	}

	/** Begins the next one, if there is one that may. */
	#begin(): void {
		this.#next = undefined;
		const now = performance.now();
		let waitMs = Number.POSITIVE_INFINITY;
		for (const lane of this.#lanes) {
			const [first] = lane.waiting;
			if (!first) continue;
			const ofLane = lane.budget.take(now);
			const ofAll = ofLane === 0 ? this.#budget.take(now) : 0;
			if (ofLane === 0 && ofAll > 0) lane.budget.giveBack();
			waitMs = Math.min(waitMs, Math.max(ofLane, ofAll));
			if (waitMs > 0) continue;
			this.#lanes.delete(lane);
			this.#lanes.add(lane);
			lane.waiting.delete(first);
			first();
			this.#schedule();
			return;
		}
		if (waitMs === Number.POSITIVE_INFINITY) return;
		this.#timer = setTimeout(() => {
			this.#timer = undefined;
			this.#schedule();
		}, waitMs).unref();
	}
}
