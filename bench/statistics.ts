/** What a set of samples comes to, in the unit of the samples. */
export interface Summary {
	readonly samples: number;
	readonly p50: number;
	readonly p99: number;
	readonly min: number;
	readonly max: number;
}

/** The value below which `fraction` of the sorted samples lie, by nearest rank; NaN without samples. */
export function quantile(sorted: ArrayLike<number>, fraction: number): number {
	if (sorted.length === 0) return Number.NaN;
	const rank = Math.ceil(fraction * sorted.length) - 1;
	return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] as number;
}

export function median(samples: Iterable<number>): number {
	return quantile(sort(samples), 0.5);
}

export function summarize(samples: Iterable<number>): Summary {
	const sorted = sort(samples);
	return {
		samples: sorted.length,
		p50: quantile(sorted, 0.5),
		p99: quantile(sorted, 0.99),
		min: quantile(sorted, 0),
		max: quantile(sorted, 1),
	};
}

/** A ratio taken once a round, so that a machine that slows down for a while slows both sides of it. */
export interface Ratio {
	/** Median of the rounds. */
	readonly median: number;
	readonly low: number;
	readonly high: number;
}

/** How many times `numerator` is `denominator`, round by round; both have one value a round. */
export function ratioByRound(numerator: readonly number[], denominator: readonly number[]): Ratio {
	const ratios = sort(numerator.map((value, round) => value / (denominator[round] ?? Number.NaN)).filter(Number.isFinite));
	return { median: quantile(ratios, 0.5), low: quantile(ratios, 0.1), high: quantile(ratios, 0.9) };
}

function sort(samples: Iterable<number>): Float64Array {
	return Float64Array.from(samples).sort();
}
