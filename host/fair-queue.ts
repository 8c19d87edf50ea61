/** What a FairQueue gives out. */
export interface FairPlaces {
	/** Jobs that are under way at one time. */
	readonly places: number;
	/** Of one owner. */
	readonly maxOwnerPlaces: number;
}

interface Lane<Job> {
	readonly owner: string;
	/** In the order in which they came. */
	readonly waiting: Set<Job>;
	/** Stands before the first of them. A set that is looked through from its beginning would pass all that was taken from it. */
	readonly position: SetIterator<Job>;
	/** Places that the owner has. */
	taken: number;
}

/** How many of so many places are left to owners who have none: an eighth, and one at least where there are two. */
export const keptPlaces = (places: number): number => Math.ceil((places - 1) / 8);

/**
 * Jobs that wait for one of a number of places. The next place goes to the owner who has the fewest, among equals in turn; an owner's own
 * jobs stay in order. Whoever has a place leaves the last ones (`keptPlaces`) to those who have none, so that an owner whose jobs never end
 * holds nobody else up. No step takes longer when more jobs wait.
 */
export class FairQueue<Job> {
	readonly #maxOwnerPlaces: number;
	readonly #kept: number;
	readonly #lanes = new Map<string, Lane<Job>>();
	/** Lanes in which jobs wait, by the number of places that they have, and in turn. */
	readonly #turns: readonly Set<Lane<Job>>[];
	#free: number;
	#size = 0;

	constructor({ places, maxOwnerPlaces }: FairPlaces) {
		this.#free = places;
		this.#kept = keptPlaces(places);
		this.#maxOwnerPlaces = maxOwnerPlaces;
		this.#turns = Array.from({ length: places + 1 }, () => new Set());
	}

	/** How many jobs wait. */
	get size(): number {
		return this.#size;
	}

	/** Whether `next` has a job. */
	get hasNext(): boolean {
		return this.#turn() !== undefined;
	}

	/** A job must not be in the queue twice. */
	add(owner: string, job: Job): void {
		let lane = this.#lanes.get(owner);
		if (!lane) {
			const waiting = new Set<Job>();
			lane = { owner, waiting, position: waiting.values(), taken: 0 };
			this.#lanes.set(owner, lane);
		}
		lane.waiting.add(job);
		this.#size += 1;
		this.#turns[lane.taken]?.add(lane);
	}

	/** Takes back a job that waits; false when it does not. */
	delete(owner: string, job: Job): boolean {
		const lane = this.#lanes.get(owner);
		if (!lane?.waiting.delete(job)) return false;
		this.#size -= 1;
		this.#sort(lane, lane.taken);
		return true;
	}

	/** The job whose turn it is, if it may have a place now. It has one until its owner gives it back with `release`. */
	next(): Job | undefined {
		const lane = this.#turn();
		if (!lane) return undefined;
		const job = lane.position.next().value as Job;
		lane.waiting.delete(job);
		this.#size -= 1;
		this.#free -= 1;
		this.#sort(lane, lane.taken + 1);
		return job;
	}

	/** Gives back one of the owner's places. */
	release(owner: string): void {
		const lane = this.#lanes.get(owner);
		if (!lane || lane.taken === 0) throw new RangeError(`${owner} has no place to give back.`);
		this.#free += 1;
		this.#sort(lane, lane.taken - 1);
	}

	/** Empties the queue; places stay taken. */
	clear(): Job[] {
		const jobs: Job[] = [];
		for (const lane of this.#lanes.values()) {
			jobs.push(...lane.waiting);
			for (const job of lane.waiting) this.delete(lane.owner, job);
		}
		return jobs;
	}

	/** What those with the fewest places may not have, nobody may. */
	#turn(): Lane<Job> | undefined {
		const taken = this.#turns.findIndex((lanes) => lanes.size > 0);
		if (taken < 0 || taken >= this.#maxOwnerPlaces || this.#free <= (taken === 0 ? 0 : this.#kept)) return undefined;
		for (const lane of this.#turns[taken] ?? []) return lane;
	}

	/** Puts a lane behind the others with so many places, or away. */
	#sort(lane: Lane<Job>, taken: number): void {
		if (taken !== lane.taken || lane.waiting.size === 0) this.#turns[lane.taken]?.delete(lane);
		lane.taken = taken;
		if (lane.waiting.size > 0) this.#turns[taken]?.add(lane);
		else if (taken === 0) this.#lanes.delete(lane.owner);
	}
}
