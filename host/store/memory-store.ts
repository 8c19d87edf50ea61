import { createChangeFeed } from "./change-feed.ts";
import { defaultKeptChanges, logChange, readLastVersion } from "./change-log.ts";
import { closedStore } from "./closed-store.ts";
import { encodeTransaction, reserves } from "./commit-message.ts";
import { createMemoryTree } from "./memory-tree.ts";
import { expiredEntries, getEntry, listEntries, listHeads } from "./reader.ts";
import type { CommitResult, Store } from "./store.ts";
import { fullStore, reservedBytes } from "./store-space.ts";
import { applyTransaction, estimateBytes, messageReserve } from "./transaction.ts";
import { encodeUint48, metaKeys } from "./tree.ts";

export interface MemoryStoreOptions {
	/** Bytes of keys and values; unlimited without it. */
	readonly maxStoreBytes?: number;
	/** Transactions that the log of changes keeps at least. */
	readonly keptChanges?: number;
}

/** A store in the memory of this thread, for stub mode and tests: the same meaning as the embedded one, gone with the process. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
	const maxStoreBytes = options.maxStoreBytes ?? Number.POSITIVE_INFINITY;
	const keptChanges = options.keptChanges ?? defaultKeptChanges;
	const tree = createMemoryTree();
	const feed = createChangeFeed(tree, { pollMs: 0 });
	let closed = false;

	const requireOpen = () => {
		if (closed) throw closedStore();
	};

	function apply(message: Buffer): CommitResult {
		const reserve = messageReserve(message);
		if (reserve !== reserves.always && maxStoreBytes !== Number.POSITIVE_INFINITY) {
			const allowed = maxStoreBytes - (reserve === reserves.never ? reservedBytes(maxStoreBytes) : 0);
			if (tree.usedBytes() + estimateBytes(tree, message, 4096) > allowed) throw fullStore(tree.usedBytes(), maxStoreBytes);
		}
		const last = readLastVersion(tree);
		const version = last + 1;
		const applied = applyTransaction(tree, message, version, Date.now());
		if (!applied.committed) {
			const { currentVersion, ...refused } = applied;
			return currentVersion === 0 ? refused : { ...refused, currentVersion: String(currentVersion) };
		}
		if (applied.changed.length === 0) return { committed: true, version: String(last), sums: applied.sums };
		tree.put(metaKeys.lastVersion, encodeUint48(version));
		logChange(tree, version, applied.changed, keptChanges);
		feed.wake();
		return { committed: true, version: String(version), sums: applied.sums };
	}

	return {
		get(key, getOptions) {
			requireOpen();
			return getEntry(tree, key, getOptions);
		},
		list(range) {
			requireOpen();
			return listEntries(tree, range);
		},
		heads(range) {
			requireOpen();
			return listHeads(tree, range);
		},
		expired(limit) {
			requireOpen();
			return expiredEntries(tree, limit);
		},
		async commit(transaction) {
			requireOpen();
			return apply(encodeTransaction(0, transaction));
		},
		changes(prefix, changeOptions) {
			requireOpen();
			return feed.changes(prefix, changeOptions);
		},
		async close() {
			if (closed) return;
			closed = true;
			feed.close(closedStore());
		},
	};
}
