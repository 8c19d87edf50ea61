import { removeContainer, Slot, type SlotMaker, type SlotPlan } from "./slot.ts";

/** An image that nobody has asked for in this time loses its waiting containers, in milliseconds. */
const keepMs = 10 * 60_000;

interface Shelf {
	readonly plan: SlotPlan;
	readonly slots: Set<Slot>;
	/** Being made, each of which ends in `slots` or not at all. */
	making: number;
	timer: NodeJS.Timeout | undefined;
}

/**
 * Containers that are started ahead of their jobs, by what they are made of: so many (`size`) of each that was asked for before. A container has one job and is
 * never given back.
 */
export class SlotPool implements AsyncDisposable {
	readonly #maker: SlotMaker;
	readonly #size: number;
	readonly #shelves = new Map<string, Shelf>();
	readonly #work = new Set<Promise<void>>();
	#disposed = false;

	constructor(maker: SlotMaker, size: number) {
		this.#maker = maker;
		this.#size = size;
	}

	/** A container for one job: one that waits, or a new one. Throws EngineError. */
	async take(plan: SlotPlan): Promise<Slot> {
		const shelf = this.#shelf(plan);
		for (const slot of shelf?.slots ?? []) {
			shelf?.slots.delete(slot);
			// What waited may have been killed from outside meanwhile.
			if (slot.isWaiting) return slot;
			this.#keep(slot[Symbol.asyncDispose]());
		}
		return await Slot.prepare(this.#maker, plan);
	}

	/** Makes the containers that are missing for the next jobs. To be called when the job that was just begun does not wait for the machine any more. */
	refill(plan: SlotPlan): void {
		const shelf = this.#shelf(plan);
		while (shelf && shelf.slots.size + shelf.making < this.#size) {
			shelf.making += 1;
			this.#keep(
				Slot.prepare(this.#maker, shelf.plan)
					.then((slot) => this.#put(shelf, slot))
					// Whoever needs a container is told by its own attempt.
					.catch(() => undefined)
					.finally(() => {
						shelf.making -= 1;
					}),
			);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#disposed = true;
		for (const shelf of this.#shelves.values()) this.#empty(shelf);
		while (this.#work.size > 0) await Promise.all(this.#work);
		await Promise.all([...this.#maker.unremoved].map((name) => removeContainer(this.#maker, name)));
	}

	/** Where those that are made like this wait; undefined when none are kept. */
	#shelf(plan: SlotPlan): Shelf | undefined {
		if (this.#size === 0 || this.#disposed) return undefined;
		const key = JSON.stringify(plan);
		let shelf = this.#shelves.get(key);
		if (!shelf) {
			shelf = { plan, slots: new Set(), making: 0, timer: undefined };
			this.#shelves.set(key, shelf);
		}
		clearTimeout(shelf.timer);
		const unused = shelf;
		shelf.timer = setTimeout(() => {
			this.#shelves.delete(key);
			this.#empty(unused);
		}, keepMs).unref();
		return shelf;
	}

	async #put(shelf: Shelf, slot: Slot): Promise<void> {
		if (this.#disposed) await slot[Symbol.asyncDispose]();
		else shelf.slots.add(slot);
	}

	#empty(shelf: Shelf): void {
		clearTimeout(shelf.timer);
		for (const slot of shelf.slots) this.#keep(slot[Symbol.asyncDispose]());
		shelf.slots.clear();
	}

	/** What is still to be done before the pool is gone. */
	#keep(work: Promise<void>): void {
		const kept = work.catch(() => undefined).finally(() => this.#work.delete(kept));
		this.#work.add(kept);
	}
}
