import { median, type Ratio, ratioByRound, type Summary, summarize } from "./statistics.ts";

/** How thoroughly a question is to be answered. */
export interface Effort {
	readonly quick: boolean;
	/** The number of rounds is fixed, but none is begun after this time: a loaded machine gives less, and the report says so. */
	readonly maxSeconds: number;
}

/** Thorough enough to publish. */
export const fullEffort: Effort = { quick: false, maxSeconds: 600 };
/** All questions in at most 90 seconds, on a machine that does nothing else. */
export const quickEffort: Effort = { quick: true, maxSeconds: 12 };

/** One question a file: every file of this directory that main.ts lists exports `measure`. */
export type Measure = (effort: Effort) => Promise<Measurement>;

/** The answer to one question. Plain data: it crosses from the process that measured and is what `--json` writes. */
export interface Measurement {
	readonly question: string;
	readonly rows: readonly Row[];
	readonly targets: readonly Target[];
	/** What a reader must know to judge the numbers: skipped peers, settings, what is counted. */
	readonly notes: readonly string[];
}

/** One thing that was measured. */
export interface Row extends Summary {
	readonly name: string;
	readonly unit: Unit;
	/** The median of each round, in order. */
	readonly rounds: readonly number[];
}

export type Unit = "ns" | "µs" | "ms" | "runs/s" | "calls/s" | "MB" | "KB" | "%" | "×";

/** A figure to reach. */
export interface Target {
	readonly text: string;
	readonly measured: string;
	/** How the measured figure stands to the other side of the comparison. */
	readonly ratio: Ratio;
	/** What the ratio must be. */
	readonly limit: number;
	readonly comparison: "at least" | "at most";
	readonly met: boolean;
}

/** Sums up samples that were taken in rounds. */
export function createRow(name: string, unit: Unit, rounds: readonly (readonly number[])[]): Row {
	return { name, unit, ...summarize(rounds.flat()), rounds: rounds.map(median) };
}

/** The target that `slow` takes at least `factor` times as long as `fast`. */
export function fasterTarget(text: string, fast: Row, slow: Row, factor: number): Target {
	const ratio = ratioByRound(slow.rounds, fast.rounds);
	const measured = `${formatValue(fast.p50)} against ${formatValue(slow.p50)} ${fast.unit}`;
	return { text, measured, ratio, limit: factor, comparison: "at least", met: ratio.median >= factor };
}

/** The target that `whole` takes at most `factor` times as long as `part`. */
export function ratioTarget(text: string, whole: Row, part: Row, factor: number): Target {
	const ratio = ratioByRound(whole.rounds, part.rounds);
	const measured = `${formatValue(whole.p50)} against ${formatValue(part.p50)} ${whole.unit}`;
	return { text, measured, ratio, limit: factor, comparison: "at most", met: ratio.median <= factor };
}

/** The target that a rate is at least `share` of another. */
export function shareTarget(text: string, part: Row, whole: Row, share: number): Target {
	const ratio = ratioByRound(part.rounds, whole.rounds);
	const measured = `${formatValue(part.p50)} against ${formatValue(whole.p50)} ${part.unit}`;
	return { text, measured, ratio, limit: share, comparison: "at least", met: ratio.median >= share };
}

/** The target that a value stays at or below a bound. `rounds` are the value's own, and tell how much of it is the machine's. */
export function atMostTarget(text: string, value: number, bound: number, unit: Unit, rounds?: readonly number[]): Target {
	return boundTarget(text, value, bound, unit, "at most", rounds);
}

/** The target that a value reaches a bound. */
export function atLeastTarget(text: string, value: number, bound: number, unit: Unit, rounds?: readonly number[]): Target {
	return boundTarget(text, value, bound, unit, "at least", rounds);
}

/** Three significant digits, without an exponent. */
export function formatValue(value: number): string {
	if (!Number.isFinite(value)) return "–";
	const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
	return value.toFixed(digits);
}

function boundTarget(
	text: string,
	value: number,
	bound: number,
	unit: Unit,
	comparison: Target["comparison"],
	rounds: readonly number[] = [value],
): Target {
	const median = value / bound;
	const met = comparison === "at most" ? median <= 1 : median >= 1;
	const measured = `${formatValue(value)} of ${formatValue(bound)} ${unit}`;
	const { low, high } = ratioByRound(
		rounds,
		rounds.map(() => bound),
	);
	return { text, measured, ratio: { median, low, high }, limit: 1, comparison, met };
}
