import { accountOf } from "./account.ts";
import { RuntimeError } from "./contract/errors.ts";
import type { Answer } from "./contract/generated/types.ts";
import { defaultLimits } from "./contract/limits.ts";
import { runIds } from "./executions.ts";
import { journalInlineBytes, layout } from "./layout.ts";
import type { Store, StoreAccount, StoreEntry, StoreHead, StoreKey, StoreOperation, StoreRange } from "./store/store.ts";

export interface SweepOptions {
	/** Milliseconds since the Unix epoch. */
	readonly now: number;
	/** How long finished runs are kept. */
	readonly runRetentionMs: number;
	/** Stops the sweep between two batches of 32 removals. */
	readonly signal?: AbortSignal;
}

/** What a sweep has removed. */
export interface Sweep {
	readonly runs: number;
	readonly expiredVariables: number;
	readonly formerValues: number;
}

/**
 * Removes what is past its time: finished runs older than the retention with everything that belongs to them, former values of variables that
 * no journal that is kept can refer to, and expired variables. Each removal is a transaction of its own that checks that nothing has changed
 * meanwhile: any number of sweeps, runs and processes may be at work, and a full store is no obstacle.
 *
 * What cannot be removed is left for the next sweep and the rest goes on; then it rejects with the first error, `unavailable` when the
 * store cannot be written.
 */
export async function sweep(store: Store, options: SweepOptions): Promise<Sweep> {
	const { now, runRetentionMs, signal } = options;
	const removal = new Removal(store, signal);
	const runs = await removal.step(() => sweepRuns(removal, now, runRetentionMs));
	// First what gives space back: an expired value may have to be copied before it goes.
	const formerValues = await removal.step(() => sweepFormerValues(removal, (runs?.oldestKeptAt ?? unknownTime) - clockMarginMs));
	const expiredVariables = await removal.step(() => sweepExpired(removal));
	if (removal.failed) throw removal.error;
	return { runs: runs?.removed ?? 0, expiredVariables: expiredVariables ?? 0, formerValues: formerValues ?? 0 };
}

/**
 * Whether a sweep is due: none has begun in this period of ten minutes, in any process. Whoever gets true has to do it. Otherwise it costs one
 * message to the writer and no read, so that every short-lived process can ask. Periods are those of the clock: one that is set back
 * comes into another period, and does not have to catch up with the sweep that was before.
 */
export async function claimSweep(store: Store): Promise<boolean> {
	const now = Date.now();
	const period = Math.floor(now / sweepEveryMs);
	const key = layout.sweep(period);
	const claim = await store.commit({
		checks: [{ key, is: "absent" }],
		operations: [
			{ type: "delete-prefix", prefix: layout.lastSweep },
			{ type: "set", key, value: String(now), expiresAt: (period + 1) * sweepEveryMs },
		],
		reserve: true,
	});
	return claim.committed;
}

const sweepEveryMs = 10 * 60_000;
/** Clocks of several hosts, and of one host over time, differ. */
const clockMarginMs = 60_000;
/** The writer commits what comes together in one group: each of them costs much less than alone. */
const removalsAtOnce = 32;
/** Expired entries that cannot be removed, before a sweep gives up on the rest. */
const maxKept = 1_000;
const unknownTime = Number.NEGATIVE_INFINITY;

/** Removes batches, and remembers what could not be removed. */
class Removal {
	readonly store: Store;
	readonly #signal: AbortSignal | undefined;
	failed = false;
	error: unknown;

	constructor(store: Store, signal: AbortSignal | undefined) {
		this.store = store;
		this.#signal = signal;
	}

	get aborted(): boolean {
		return this.#signal?.aborted === true;
	}

	/** Does one step of a sweep; undefined when it failed. */
	async step<T>(run: () => Promise<T>): Promise<T | undefined> {
		try {
			return await run();
		} catch (error) {
			this.#fail(error);
			return undefined;
		}
	}

	/** Removes what it can of the batch, and returns that. Throws when the store refuses all of it for another reason than being full. */
	async batch<Item>(items: readonly Item[], remove: (item: Item) => Promise<boolean>): Promise<readonly Item[]> {
		const gone: Item[] = [];
		let refused = 0;
		const results = await Promise.allSettled(items.map(remove));
		for (const [index, item] of items.entries()) {
			let result = results[index] as PromiseSettledResult<boolean>;
			if (result.status === "rejected" && isFull(result.reason)) [result] = await Promise.allSettled([remove(item)]);
			if (result.status === "fulfilled") {
				if (result.value) gone.push(item);
				continue;
			}
			this.#fail(result.reason);
			if (!isFull(result.reason)) refused++;
		}
		if (refused > 0 && refused === items.length) throw this.error;
		return gone;
	}

	#fail(error: unknown): void {
		if (!this.failed) this.error = error;
		this.failed = true;
	}
}

/** The part of an execution's record that matters here. */
interface RunTimes {
	readonly namespace: string;
	readonly startedAt: number;
	readonly endedAt?: number;
}

/** `oldestKeptAt`: no run that is kept began before this time. */
async function sweepRuns(
	removal: Removal,
	now: number,
	runRetentionMs: number,
): Promise<{ readonly removed: number; readonly oldestKeptAt: number }> {
	const due = now - runRetentionMs;
	let removed = 0;
	let oldestKeptAt = now;
	let batch: StoreEntry[] = [];
	const removeBatch = async (): Promise<void> => {
		const old = batch.map((entry) => ({ entry, run: JSON.parse(entry.value) as RunTimes }));
		batch = [];
		const gone = await removal.batch(
			old.filter(({ run }) => run.endedAt !== undefined && run.endedAt <= due),
			({ entry, run }) => removeRun(removal.store, entry, run.namespace),
		);
		removed += gone.length;
		for (const one of old) if (!gone.includes(one)) oldestKeptAt = Math.min(oldestKeptAt, one.run.startedAt, one.entry.createdAt);
	};
	for await (const id of runIds(removal.store)) {
		if (removal.aborted) break;
		const entry = await removal.store.get(layout.execution(id));
		if (!entry) continue;
		// Records are in the order of their creation, and no run ends before it is created.
		if (entry.createdAt > due) {
			oldestKeptAt = Math.min(oldestKeptAt, entry.createdAt);
			break;
		}
		if (batch.push(entry) === removalsAtOnce) await removeBatch();
	}
	if (!removal.aborted) await removeBatch();
	// A run that was not looked at any more is kept as well; without the whole list nothing is known of the oldest.
	return { removed, oldestKeptAt: removal.aborted ? unknownTime : oldestKeptAt };
}

async function removeRun(store: Store, { key, version }: StoreEntry, namespace: string): Promise<boolean> {
	const operations: StoreOperation[] = [{ type: "delete-prefix", prefix: key }];
	const result = await store.commit({ checks: [{ key, version }], operations, account: giveBackTo(namespace) });
	return result.committed;
}

/** Removals are not refused, whatever the limit: it is not asked for. */
function giveBackTo(namespace: string): StoreAccount {
	return accountOf({ namespace, limits: defaultLimits });
}

/** A former value was readable up to its replacement: runs that began later have never seen it. */
async function sweepFormerValues(removal: Removal, replacedBefore: number): Promise<number> {
	if (replacedBefore === unknownTime) return 0;
	const { store } = removal;
	let removed = 0;
	for await (const heads of pages(removal, layout.allFormerVariables, (range) => store.heads(range))) {
		const gone = await removal.batch(
			heads.filter(({ updatedAt }) => updatedAt < replacedBefore),
			async ({ key, version }) => {
				const account = giveBackTo(String(key[1]));
				const result = await store.commit({ checks: [{ key, version }], operations: [{ type: "delete", key }], account });
				return result.committed;
			},
		);
		removed += gone.length;
	}
	return removed;
}

async function sweepExpired(removal: Removal): Promise<number> {
	const { store } = removal;
	let removed = 0;
	/** How many at the beginning of the list stay: they were rewritten meanwhile, or could not be removed. */
	let kept = 0;
	while (!removal.aborted && kept < maxKept) {
		const heads = (await store.expired(kept + removalsAtOnce)).slice(kept);
		if (heads.length === 0) break;
		const gone = await removal.batch(heads, (head) => removeExpired(store, head.key));
		removed += gone.length;
		kept += heads.length - gone.length;
	}
	return removed;
}

async function removeExpired(store: Store, key: StoreKey): Promise<boolean> {
	const operations: StoreOperation[] = [{ type: "delete", key }];
	let account: StoreAccount | undefined;
	const [space, namespace, name] = key;
	if (space === layout.variables("")[0] && typeof namespace === "string" && typeof name === "string") {
		const to = layout.formerVariables(namespace, name);
		account = giveBackTo(namespace);
		operations.unshift({ type: "archive", key, to, overBytes: journalInlineBytes });
	}
	// An expired entry counts as absent; one that was written again does not. The copy gives back what it takes.
	const result = await store.commit({
		checks: [{ key, is: "absent" }],
		operations,
		reserve: true,
		...(account && { account }),
	});
	return result.committed;
}

/** A page at a time, as large as a batch: no read of the store is open while the caller works. */
async function* pages<Item extends StoreHead>(
	removal: Removal,
	prefix: StoreKey,
	read: (range: StoreRange) => Answer<readonly Item[]>,
): AsyncGenerator<readonly Item[]> {
	let last: Item | undefined;
	while (!removal.aborted) {
		const items: readonly Item[] = await read({ prefix, limit: removalsAtOnce, ...(last && { after: last.key }) });
		yield items;
		if (items.length < removalsAtOnce) return;
		last = items.at(-1);
	}
}

/** A full store refuses a group that it would take one by one: space is given back only when a group is durable. */
function isFull(error: unknown): boolean {
	return error instanceof RuntimeError && error.details.limit?.name === "maxStoreBytes";
}
