/** Numbers that a seed fixes, so that a run that failed can be made again. */
export interface Random {
	/** A whole number from `low` to `high`, both included. */
	integer(low: number, high: number): number;
	pick<T>(choices: readonly T[]): T;
	/** True this often, 0 to 1. */
	chance(probability: number): boolean;
}

/** The generator number `stream` of a seed (mulberry32 over a mix of both): streams of one seed do not follow one another. */
export function createRandom(seed: number, stream: number): Random {
	let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(stream + 1, 0xc2b2ae35);
	const next = (): number => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
	const integer = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
	return {
		integer,
		pick: (choices) => choices[integer(0, choices.length - 1)] as never,
		chance: (probability) => next() < probability,
	};
}
