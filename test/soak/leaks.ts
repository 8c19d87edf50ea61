import type { ProcessFacts } from "./process-facts.ts";

const MiB = 1024 * 1024;
/** What a ledger entry of a run takes, generously: the ids are kept to audit the store with. */
const ledgerBytesPerRun = 400;
/** The memory of a waiting instance takes room only where a script has written to it, so a worker's grows for a while. */
const lazyBytesPerWorker = 8 * MiB;

/** Looks before this one belong to the warming up. */
export function firstCounted(looks: readonly ProcessFacts[]): number {
	return Math.floor(looks.length * 0.25);
}

/** Compares the first third of the looks behind the warming up with the last third, by the least of each: what grows and stays is a leak. */
export function findLeaks(
	looks: readonly ProcessFacts[],
	{ runs, maxWorkers }: { readonly runs: number; readonly maxWorkers: number },
): string[] {
	const counted = looks.slice(firstCounted(looks));
	const third = Math.floor(counted.length / 3);
	if (third < 2) return [];
	const least = (facts: readonly ProcessFacts[], name: keyof ProcessFacts): number => Math.min(...facts.map((one) => one[name]));
	const allowances: readonly [keyof ProcessFacts, number][] = [
		["heapBytes", 8 * MiB + runs * ledgerBytesPerRun],
		["anonymousBytes", 64 * MiB + maxWorkers * lazyBytesPerWorker + runs * ledgerBytesPerRun],
		["threads", maxWorkers],
		["descriptors", 4 * maxWorkers],
		["descriptorsInDirectory", 2],
	];
	return allowances.flatMap(([name, allowed]) => {
		const growth = least(counted.slice(-third), name) - least(counted.slice(0, third), name);
		return growth > allowed ? [`leak: ${name} grew by ${growth}; ${allowed} is allowed`] : [];
	});
}
