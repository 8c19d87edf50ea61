import { createHost, type FinalStatus, type Host, limitDefinitions, type Outcome } from "../../host/index.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { type AuditTotals, audit, type Promised } from "./audit.ts";
import { type ProcessFacts, readProcessFacts } from "./process-facts.ts";
import { counter, describeRandomRun } from "./random-run.ts";

export interface StormOptions {
	readonly seed: number;
	readonly dataDirectory: string;
	/** How many runs; fewer when the time is up before. */
	readonly runs: number;
	readonly seconds?: number;
	/** Called about twenty times on the way. */
	readonly onProgress?: (line: string) => void;
}

export interface StormReport {
	/** Runs that were made. */
	readonly runs: number;
	readonly seconds: number;
	/** How many ended how, by what the script did: `loops: timed-out`. */
	readonly endings: ReadonlyMap<string, number>;
	readonly totals: AuditTotals;
	/** What is wrong; empty when all is well. */
	readonly problems: readonly string[];
	/** First and last look at the process, once warmed up. */
	readonly facts: { readonly first: ProcessFacts; readonly last: ProcessFacts } | undefined;
}

const inFlight = 12;
const limits = { maxWorkers: 6, cancelGraceMs: 30 };
/** Problems after the first so many say nothing new. */
const maxProblems = 50;
const MiB = 1024 * 1024;
/** What a ledger entry of a run takes, generously: the ids are kept to audit the store with. */
const ledgerBytesPerRun = 400;

/** Makes seeded random runs in one host, then lets it go and audits what it left. A problem is a line of the report, never an exception. */
export async function runStorm({ seed, dataDirectory, runs, seconds, onProgress }: StormOptions): Promise<StormReport> {
	const problems: string[] = [];
	const report = (problem: string): void => {
		if (problems.length < maxProblems) problems.push(problem);
	};
	const before = readProcessFacts(dataDirectory);
	const endings = new Map<string, number>();
	const ledger: { id: string; number: number; acknowledged: number; status: FinalStatus }[] = [];
	const looks: ProcessFacts[] = [];
	const started = performance.now();
	const deadline = seconds === undefined ? Number.POSITIVE_INFINITY : started + seconds * 1_000;
	const total = (): string => `${ledger.length} runs, ${((performance.now() - started) / 1_000).toFixed(0)} s`;

	const host = await createHost({ dataDirectory, limits });
	let next = 0;
	let nextLook = 0;
	const lane = async (): Promise<void> => {
		while (next < runs && performance.now() < deadline) {
			const number = next++;
			const run = describeRandomRun(seed, number);
			try {
				const outcome = await perform(host, seed, number);
				const ending = `${run.kind}: ${outcome.status}${outcome.error ? ` (${outcome.error.code})` : ""}`;
				endings.set(ending, (endings.get(ending) ?? 0) + 1);
				for (const problem of judge(seed, number, outcome)) report(problem);
				ledger.push({ id: outcome.executionId, number, acknowledged: lastAcknowledged(outcome), status: outcome.status });
			} catch (error) {
				report(`run ${number} (${run.kind}) rejected: ${error instanceof Error ? error.message : error}`);
			}
			const done = Math.max(ledger.length / runs, (performance.now() - started) / (deadline - started));
			if (done < nextLook) continue;
			nextLook = done + 0.05;
			const look = readProcessFacts(dataDirectory);
			if (!look) continue;
			looks.push(look);
			onProgress?.(`${total()}: ${describeFacts(look)}${problems.length > 0 ? `; ${problems.length} PROBLEMS` : ""}`);
		}
	};
	await Promise.all(Array.from({ length: inFlight }, lane));
	const took = (performance.now() - started) / 1_000;
	await host.dispose();

	for (const problem of findLeaks(looks, ledger.length)) report(problem);
	const after = readProcessFacts(dataDirectory);
	if (before && after) for (const problem of findLeftovers(before, after)) report(problem);
	const store = await openLmdbStore({ directory: dataDirectory, maxStoreBytes: limitDefinitions.maxStoreBytes.default });
	let totals: AuditTotals;
	try {
		const promised = ledger.map(({ id, number, acknowledged, status }): Promised => {
			const { series, writes, options } = describeRandomRun(seed, number);
			return { id, namespace: options.namespace, series, acknowledged, writes, status };
		});
		const found = await audit(store, promised, { counter, others: problems.some((problem) => problem.includes("rejected")) });
		for (const problem of found.problems) report(problem);
		totals = found.totals;
	} finally {
		await store.close();
	}
	const first = looks[firstCounted(looks)];
	const last = looks.at(-1);
	return { runs: ledger.length, seconds: took, endings, totals, problems, facts: first && last && { first, last } };
}

async function perform(host: Host, seed: number, number: number): Promise<Outcome> {
	const { options, cancelAfterMs } = describeRandomRun(seed, number);
	if (cancelAfterMs === undefined) return host.run(options);
	const abort = new AbortController();
	const timer = setTimeout(() => abort.abort(), cancelAfterMs);
	try {
		return await host.run({ ...options, signal: abort.signal });
	} finally {
		clearTimeout(timer);
	}
}

/** What is wrong with the outcome of a run. */
function judge(seed: number, number: number, outcome: Outcome): string[] {
	const { kind, statuses, codes, output, writes } = describeRandomRun(seed, number);
	const name = `run ${number} (${kind}, ${outcome.executionId})`;
	const problems: string[] = [];
	const code = outcome.error?.code;
	if (!statuses.includes(outcome.status) || (code !== undefined && !codes.includes(code)))
		problems.push(`${name} ended as ${outcome.status}${outcome.error ? ` with ${code}: ${outcome.error.message}` : ""}`);
	if (outcome.status === "succeeded" && output !== undefined && outcome.outputText !== output)
		problems.push(`${name} answered ${outcome.outputText}, not ${output}`);
	// A script that came to its end had every one of its writes acknowledged.
	if (outcome.status === "succeeded" && lastAcknowledged(outcome) !== writes)
		problems.push(`${name} succeeded, but its log has ${lastAcknowledged(outcome)} of ${writes} acknowledgements`);
	const gap = outcome.logs.findIndex(({ sequence }, index) => sequence !== index + 1);
	if (gap >= 0) problems.push(`${name} has a gap in its log before line ${outcome.logs[gap]?.sequence}`);
	return problems;
}

/** The script prints a line for every write that was acknowledged to it. */
function lastAcknowledged({ logs }: Outcome): number {
	let last = 0;
	for (const { message } of logs) {
		const value = /^acknowledged (\d+)$/.exec(message)?.[1];
		if (value !== undefined) last = Number(value);
	}
	return last;
}

/** Looks before this one belong to the warming up. */
function firstCounted(looks: readonly ProcessFacts[]): number {
	return Math.floor(looks.length * 0.25);
}

/** Compares the first third of the looks behind the warming up with the last third, by the least of each: what grows and stays is a leak. */
function findLeaks(looks: readonly ProcessFacts[], runs: number): string[] {
	const counted = looks.slice(firstCounted(looks));
	const third = Math.floor(counted.length / 3);
	if (third < 2) return [];
	const least = (facts: readonly ProcessFacts[], name: keyof ProcessFacts): number => Math.min(...facts.map((one) => one[name]));
	const allowances: readonly [keyof ProcessFacts, number][] = [
		["heapBytes", 8 * MiB + runs * ledgerBytesPerRun],
		["anonymousBytes", 64 * MiB + runs * ledgerBytesPerRun],
		["threads", limits.maxWorkers],
		["descriptors", 4 * limits.maxWorkers],
		["descriptorsInDirectory", 2],
	];
	return allowances.flatMap(([name, allowed]) => {
		const growth = least(counted.slice(-third), name) - least(counted.slice(0, third), name);
		return growth > allowed ? [`leak: ${name} grew by ${growth}; ${allowed} is allowed`] : [];
	});
}

/** What a host that has been disposed still holds. */
function findLeftovers(before: ProcessFacts, after: ProcessFacts): string[] {
	const problems: string[] = [];
	if (after.descriptorsInDirectory > before.descriptorsInDirectory)
		problems.push(`the host is disposed, but ${after.descriptorsInDirectory} files of its data directory are open`);
	// Node's own pool of threads comes with the first file that is read.
	if (after.threads > before.threads + 4)
		problems.push(`the host is disposed, but the process went from ${before.threads} threads to ${after.threads}`);
	return problems;
}

function describeFacts({ heapBytes, anonymousBytes, threads, descriptors }: ProcessFacts): string {
	return `heap ${(heapBytes / MiB).toFixed(1)} MiB, anonymous ${(anonymousBytes / MiB).toFixed(0)} MiB, ${threads} threads, ${descriptors} descriptors`;
}
