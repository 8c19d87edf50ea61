/** What is left of a rate: tokens that come back steadily, at most as many as there are in one second. */
export class RateBudget {
	readonly perSecond: number;
	#left: number;
	#at: number;

	/** @param now milliseconds of a clock that never goes back */
	constructor(perSecond: number, now: number) {
		this.perSecond = perSecond;
		this.#left = perSecond;
		this.#at = now;
	}

	/** Takes one. Returns 0, or the milliseconds until there is one. */
	take(now: number): number {
		this.#refill(now);
		if (this.#left < 1) return Math.max(1, Math.ceil(((1 - this.#left) * 1_000) / this.perSecond));
		this.#left -= 1;
		return 0;
	}

	/** Gives back one that was taken. */
	giveBack(): void {
		this.#left = Math.min(this.perSecond, this.#left + 1);
	}

	/** Whole ones that are left. */
	get left(): number {
		return Math.floor(this.#left);
	}

	/** Whether nothing is missing: it need not be remembered. */
	isFull(now: number): boolean {
		this.#refill(now);
		return this.#left >= this.perSecond;
	}

	#refill(now: number): void {
		this.#left = Math.min(this.perSecond, this.#left + ((now - this.#at) * this.perSecond) / 1_000);
		this.#at = now;
	}
}
