import { AuditChain, type AuditChainOptions, parseAuditEntries } from "./audit-chain.ts";
import { createChangeFeed } from "./change-feed.ts";
import { defaultKeptChanges, logChange, readLastVersion } from "./change-log.ts";
import { closedStore } from "./closed-store.ts";
import { encodeTransaction, reserves } from "./commit-message.ts";
import { createMemoryTree } from "./memory-tree.ts";
import { messageAudit, messageReserve } from "./message-reader.ts";
import { expiredEntries, getEntry, listEntries, listHeads } from "./reader.ts";
import type { CommitResult, Store } from "./store.ts";
import { fullStore, keptBackBytes } from "./store-space.ts";
import { applyTransaction, estimateBytes } from "./transaction.ts";
import { encodeUint48, metaKeys } from "./tree.ts";

export interface MemoryStoreOptions {
	/** Bytes of keys and values; unlimited without it. */
	readonly maxStoreBytes?: number;
	/** Transactions that the log of changes keeps at least. */
	readonly keptChanges?: number;
	/** Keeps an audit log. */
	readonly audit?: AuditChainOptions;
}

/** A store in the memory of this thread, for stub mode and tests: the same meaning as the embedded one, gone with the process. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
	const maxStoreBytes = options.maxStoreBytes ?? Number.POSITIVE_INFINITY;
	const keptChanges = options.keptChanges ?? defaultKeptChanges;
	const tree = createMemoryTree();
	const feed = createChangeFeed(tree, { pollMs: 0 });
	const chain = options.audit && new AuditChain(options.audit);
	let closed = false;

	const requireOpen = () => {
		if (closed) throw closedStore();
	};

	function apply(message: Buffer): CommitResult {
		const reserve = messageReserve(message);
		const estimate = estimateBytes(tree, message, 4096);
		if (reserve !== reserves.always && maxStoreBytes !== Number.POSITIVE_INFINITY) {
			const allowed = maxStoreBytes - keptBackBytes(reserve, maxStoreBytes);
			if (tree.usedBytes() + estimate > allowed) throw fullStore(tree.usedBytes(), maxStoreBytes);
		}
		const entries = chain ? parseAuditEntries(messageAudit(message)) : [];
		const last = readLastVersion(tree);
		const version = last + 1;
		const now = Date.now();
		const applied = applyTransaction(tree, message, version, now, estimate);
		if (!applied.committed) {
			if (applied.reason === "account") return applied;
			const { currentVersion, ...refused } = applied;
			return currentVersion === 0 ? refused : { ...refused, currentVersion: String(currentVersion) };
		}
		chain?.append(tree, entries, version, now);
		if (applied.changed.length === 0 && entries.length === 0)
			return { committed: true, version: String(last), sums: applied.sums };
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
