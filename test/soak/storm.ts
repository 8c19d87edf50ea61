import { createHost, type FinalStatus, type Host, limitDefinitions, type Outcome } from "../../host/index.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { type AuditTotals, audit, type Promised } from "./audit.ts";
import { findLeaks, firstCounted } from "./leaks.ts";
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
const hostsAfterwards = 8;
/** Problems after the first so many say nothing new. */
const maxProblems = 50;
const MiB = 1024 * 1024;

/** Makes seeded random runs in one host, then lets it go and audits what it left. A problem is a line of the report, never an exception. */
export async function runStorm({ seed, dataDirectory, runs, seconds, onProgress }: StormOptions): Promise<StormReport> {
	const problems: string[] = [];
	const report = (problem: string): void => {
		if (problems.length < maxProblems) problems.push(problem);
	};
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

	for (const problem of findLeaks(looks, { runs: ledger.length, maxWorkers: limits.maxWorkers })) report(problem);
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
	for (const problem of await findLeftovers(dataDirectory)) report(problem);
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

/**
 * What hosts that have been disposed still hold. A process keeps some threads for whatever comes next (Node's own, those that strip types), so
 * the measure is what a few more hosts add.
 */
async function findLeftovers(dataDirectory: string): Promise<string[]> {
	const runInOwnHost = async (): Promise<void> => {
		await using host = await createHost({ dataDirectory, limits });
		await host.run({ script: { name: "after.ts", source: "export default (): number => 1" } });
	};
	await runInOwnHost();
	const before = readProcessFacts(dataDirectory);
	for (let made = 0; made < hostsAfterwards; made++) await runInOwnHost();
	const after = readProcessFacts(dataDirectory);
	if (!before || !after) return [];
	const problems: string[] = [];
	for (const { descriptorsInDirectory } of [before, after])
		if (descriptorsInDirectory > 0)
			problems.push(`leak: the host is disposed, but ${descriptorsInDirectory} files of its data directory are open`);
	for (const name of ["threads", "descriptors"] as const)
		if (after[name] - before[name] >= hostsAfterwards)
			problems.push(
				`leak: ${hostsAfterwards} more hosts that were disposed raised ${name} from ${before[name]} to ${after[name]}`,
			);
	return problems;
}

function describeFacts({ heapBytes, anonymousBytes, threads, descriptors }: ProcessFacts): string {
	return `heap ${(heapBytes / MiB).toFixed(1)} MiB, anonymous ${(anonymousBytes / MiB).toFixed(0)} MiB, ${threads} threads, ${descriptors} descriptors`;
}
