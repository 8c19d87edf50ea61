import { limitDefinitions } from "./contract/limits.ts";
import { layout } from "./layout.ts";
import type { Store, StoreEntry, StoreKey, StoreOperation } from "./store/store.ts";

export interface SweepOptions {
	/** Milliseconds since the Unix epoch. */
	readonly now: number;
	/** How long finished runs are kept. */
	readonly runRetentionMs: number;
	/** Expired values over this size are kept for the journals that refer to them. */
	readonly journalInlineBytes?: number;
	/** Stops the sweep between two batches. */
	readonly signal?: AbortSignal;
}

/** What a sweep has removed. */
export interface Sweep {
	readonly runs: number;
	readonly expiredVariables: number;
	readonly formerValues: number;
}

/**
 * Removes what is past its time: finished runs older than the retention with everything that belongs to them, expired variables, and former
 * values of variables that no journal that is kept can refer to. Each removal is a transaction of its own that checks that nothing has changed
 * meanwhile: any number of sweeps, runs and processes may be at work. Rejects with `unavailable` when the store cannot be written.
 */
export async function sweep(store: Store, options: SweepOptions): Promise<Sweep> {
	const { now, runRetentionMs, signal, journalInlineBytes = limitDefinitions.journalInlineBytes.default } = options;
	const { removed: runs, oldestKeptAt } = await sweepRuns(store, now, runRetentionMs, signal);
	const expiredVariables = await sweepExpired(store, journalInlineBytes, signal);
	const formerValues = await sweepFormerValues(store, oldestKeptAt - clockMarginMs, signal);
	return { runs, expiredVariables, formerValues };
}

/**
 * Whether a sweep is due: none has begun in the last ten minutes, in any process. Whoever gets true has to do it. Otherwise it costs one
 * message to the writer, so that every short-lived process can ask.
 */
export async function claimSweep(store: Store): Promise<boolean> {
	const now = Date.now();
	const claim = await store.commit({
		checks: [{ key: layout.lastSweep, is: "absent" }],
		operations: [{ type: "set", key: layout.lastSweep, value: String(now), expiresAt: now + sweepEveryMs }],
	});
	return claim.committed;
}

const sweepEveryMs = 10 * 60_000;
/** Clocks of several hosts, and of one host over time, differ. */
const clockMarginMs = 60_000;
const recordsAtOnce = 100;
const expiredAtOnce = 32;
/** They come with their values, which are large. */
const formerValuesAtOnce = 16;

/** The part of an execution's record that matters here. */
interface RunTimes {
	readonly id: string;
	readonly startedAt: number;
	readonly endedAt?: number;
}

/** `oldestKeptAt`: no run that is kept began before this time. */
async function sweepRuns(
	store: Store,
	now: number,
	runRetentionMs: number,
	signal: AbortSignal | undefined,
): Promise<{ removed: number; oldestKeptAt: number }> {
	const due = now - runRetentionMs;
	let removed = 0;
	let oldestKeptAt = now;
	for await (const entry of entriesUnder(store, layout.executions, recordsAtOnce, signal)) {
		// Records are in the order of their creation, and no run ends before it is created.
		if (entry.createdAt > due) {
			oldestKeptAt = Math.min(oldestKeptAt, entry.createdAt);
			break;
		}
		const run = JSON.parse(entry.value) as RunTimes;
		if (run.endedAt !== undefined && run.endedAt <= due && (await removeRun(store, run.id, entry))) removed++;
		else oldestKeptAt = Math.min(oldestKeptAt, run.startedAt, entry.createdAt);
	}
	// A run that was not looked at any more is kept as well; without the whole list nothing is known of the oldest.
	return { removed, oldestKeptAt: signal?.aborted ? Number.NEGATIVE_INFINITY : oldestKeptAt };
}

async function removeRun(store: Store, id: string, { key, version }: StoreEntry): Promise<boolean> {
	const prefixes: StoreKey[] = [layout.journal(id), layout.logs(id), layout.outputs(id), layout.idempotencyKeys(id)];
	const operations: StoreOperation[] = [
		{ type: "delete", key },
		{ type: "delete", key: layout.input(id) },
		{ type: "delete", key: layout.condition(id) },
		...prefixes.map((prefix): StoreOperation => ({ type: "delete-prefix", prefix })),
	];
	const result = await store.commit({ checks: [{ key, version }], operations });
	return result.committed;
}

async function sweepExpired(store: Store, journalInlineBytes: number, signal: AbortSignal | undefined): Promise<number> {
	let removed = 0;
	while (!signal?.aborted) {
		const entries = await store.expired(expiredAtOnce);
		const results = await Promise.all(entries.map(({ key }) => removeExpired(store, key, journalInlineBytes)));
		const gone = results.filter((done) => done).length;
		removed += gone;
		// Nothing gone: what is left is being rewritten by others; the next sweep will see.
		if (entries.length < expiredAtOnce || gone === 0) break;
	}
	return removed;
}

async function removeExpired(store: Store, key: StoreKey, journalInlineBytes: number): Promise<boolean> {
	const operations: StoreOperation[] = [{ type: "delete", key }];
	const [space, namespace, name] = key;
	if (space === layout.variables("")[0] && typeof namespace === "string" && typeof name === "string") {
		const to = layout.formerVariables(namespace, name);
		operations.unshift({ type: "archive", key, to, overBytes: journalInlineBytes });
	}
	// An expired entry counts as absent; one that was written again does not.
	const result = await store.commit({ checks: [{ key, is: "absent" }], operations });
	return result.committed;
}

/** A former value was readable up to its replacement: runs that began later have never seen it. */
async function sweepFormerValues(store: Store, replacedBefore: number, signal: AbortSignal | undefined): Promise<number> {
	const prefix = layout.allFormerVariables;
	let removed = 0;
	for await (const { key, version, updatedAt } of entriesUnder(store, prefix, formerValuesAtOnce, signal)) {
		if (updatedAt >= replacedBefore) continue;
		const result = await store.commit({ checks: [{ key, version }], operations: [{ type: "delete", key }] });
		if (result.committed) removed++;
	}
	return removed;
}

/** A page at a time: no read of the store is open while the caller works. */
async function* entriesUnder(
	store: Store,
	prefix: StoreKey,
	limit: number,
	signal: AbortSignal | undefined,
): AsyncGenerator<StoreEntry> {
	let last: StoreEntry | undefined;
	while (!signal?.aborted) {
		const entries: readonly StoreEntry[] = await store.list({ prefix, limit, ...(last && { after: last.key }) });
		yield* entries;
		if (entries.length < limit) return;
		last = entries.at(-1);
	}
}
