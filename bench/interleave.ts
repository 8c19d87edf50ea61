import { createRow, type Effort, type Row, type Unit } from "./measurement.ts";

/** One of the things compared. */
export interface Candidate {
	readonly name: string;
	/** Fixed, so that two runs of the bench do the same work. */
	readonly samplesPerRound: number;
	/** Does the thing once and says what it took, in `unit`. */
	readonly sample: () => number | Promise<number>;
	readonly unit: Unit;
}

const fewestRounds = 3;

/**
 * Measures the candidates in rounds: A, B, C, then B, C, A, … so that what disturbs the machine for a while disturbs all of them, and none
 * is always the one behind a certain other. The first round warms up and is not counted.
 */
export async function interleave(candidates: readonly Candidate[], rounds: number, { maxSeconds }: Effort): Promise<Row[]> {
	const samples = candidates.map((): number[][] => []);
	const lastStart = performance.now() + maxSeconds * 1_000;
	for (let round = -1; round < rounds; round++) {
		if (round >= fewestRounds && performance.now() > lastStart) break;
		for (let place = 0; place < candidates.length; place++) {
			const index = (place + round + 1) % candidates.length;
			const candidate = candidates[index] as Candidate;
			// The garbage of one candidate must not be collected in the time of the next.
			globalThis.gc?.();
			const taken: number[] = [];
			for (let sample = 0; sample < candidate.samplesPerRound; sample++) taken.push(await candidate.sample());
			if (round >= 0) samples[index]?.push(taken);
		}
	}
	return candidates.map(({ name, unit }, index) => createRow(name, unit, samples[index] ?? []));
}
