import { defineProperty, max, now } from "./primordials.ts";

let origin = 0;
let last = 0;

/** Makes now the start of the run, from which performance.now() counts. */
export function startClock(): void {
	origin = now();
	last = 0;
}

/** As coarse as Date.now(), so that it tells no more of the host than that does; never goes back. */
const elapsed = (): number => (last = max(last, now() - origin));

export const performance = {
	now: elapsed,
	get timeOrigin(): number {
		return origin;
	},
	toJSON: (): object => ({ timeOrigin: origin }),
};
defineProperty(performance, Symbol.toStringTag, { value: "Performance", configurable: true });
