import { createRequire } from "node:module";
import type * as LmdbPackage from "lmdb";
import { requireOpenable } from "./lmdb-file.ts";
import type { Tree, TreeRange, WritableTree } from "./tree.ts";

/** Reader slots in the lock file, 64 bytes each: one a thread that has the store open, in all processes. Whoever makes the file fixes it. */
const maxReaders = 1_000;

export interface LmdbOptions {
	readonly readOnly: boolean;
	/** Address space for the file. The threads of a process share one map, and the first to open decides its size. */
	readonly mapBytes: number;
}

/** An open database: what reads, what writes, and what is left to say. */
export interface Lmdb {
	/** Sees, in every call, all that was committed before it by any thread or process. */
	readonly reader: Tree;
	/**
	 * Runs `change` in one transaction and returns when it is durable. When `change` throws, or the commit fails, nothing of it remains
	 * and the error is passed on.
	 */
	write(change: (tree: WritableTree) => void): void;
	/** Inside `write`: what the transaction has changed counts. */
	space(): LmdbSpace;
	/** Frees the reader slots of processes that died. */
	sweepReaders(): void;
	close(): Promise<void>;
}

export interface LmdbSpace {
	readonly pageBytes: number;
	/** Pages that hold data. */
	readonly usedBytes: number;
	/** The file up to its last page that was ever used. */
	readonly fileBytes: number;
	readonly mapBytes: number;
}

type Package = typeof LmdbPackage & { readonly nativeAddon: { resetTxn(address: number): void } };
let lmdb: Package | undefined;

/**
 * Not loaded before it is needed: a thread must not be terminated while the package's native part is loaded (see `openLmdb`).
 * Its CommonJS build is one file and loads in half the time.
 */
function loadPackage(): Package {
	lmdb ??= createRequire(import.meta.url)("lmdb") as Package;
	return lmdb;
}

/**
 * Opens the database file. Only this module calls LMDB's package, and four of its habits end here:
 * 1. its asynchronous transactions keep what a callback did before it threw: `write` uses the synchronous one, which rolls back;
 * 2. a transaction whose callback returns a write's promise is not synchronised to the disk: the callback of `write` returns nothing;
 * 3. a reader keeps the state that it saw first until its event loop turns: every read here begins a transaction and ends it;
 * 4. `getBinaryFast` returns one buffer for all values, with a length that is not its own: callers get `decode`, and only for its call.
 *
 * And a fifth: in a thread that is being terminated, whatever the package does through an object of its native part (making a cursor or a
 * transaction, closing one, opening, closing) ends the whole process. So the reader makes what it needs here, and then calls plain functions only;
 * `openLmdb`, `write` and `close` must not be called in a thread while it may be terminated: see `thread-phase.ts`.
 */
export function openLmdb(file: string, { readOnly, mapBytes }: LmdbOptions): Lmdb {
	let decode: (value: Buffer) => unknown = keepBytes;
	const options = {
		noSubdir: true,
		readOnly,
		// A commit writes its pages, synchronises the file, and then writes the root page synchronously. Nothing is visible before it is durable.
		overlappingSync: false,
		mapSize: mapBytes,
		maxReaders,
		maxDbs: 1,
		permissionsMode: 0o600,
		encoder: { encode: keepBytes, decode: (value: Buffer) => decode(cutToLength(value)) },
		keyEncoder: { writeKey: writeBytes, readKey: copyBytes },
	};
	requireOpenable(file, readOnly, mapBytes);
	const { open, nativeAddon } = loadPackage();
	const database = open<unknown, Buffer>(file, options);

	function scan(range: TreeRange, visit: (key: Buffer, value: Buffer) => boolean): void {
		const bounds = range.reverse
			? { start: range.end, exclusiveStart: true, end: range.start, inclusiveEnd: true, reverse: true }
			: { start: range.start, end: range.end };
		for (const { key, value } of database.getRange(bounds)) if (!visit(key, value as Buffer)) break;
	}

	function scanKeys(range: TreeRange, visit: (key: Buffer) => boolean): void {
		for (const key of database.getKeys({ start: range.start, end: range.end })) if (!visit(key)) break;
	}

	const writer: WritableTree = {
		get(key, decodeValue) {
			const outer = decode;
			decode = decodeValue;
			try {
				return database.get(key) as ReturnType<typeof decodeValue> | undefined;
			} finally {
				decode = outer;
			}
		},
		scan,
		scanKeys,
		snapshot: (read) => read(),
		put(key, value) {
			// Inside a synchronous transaction the bytes are copied before this returns.
			void database.put(key, value);
		},
		remove(key) {
			void database.remove(key);
		},
	};

	// The reader's one transaction, which is also the one that scans use. Parked, it holds no pages, and its next use begins it anew.
	const transaction = database.useReadTransaction();
	const { address } = transaction as unknown as { readonly address: number };
	const readOptions = { transaction };
	transaction.done();
	let depth = 0;

	function snapshot<T>(read: () => T): T {
		depth++;
		try {
			return read();
		} finally {
			if (--depth === 0) nativeAddon.resetTxn(address);
		}
	}

	const reader: Tree = {
		get(key, decodeValue) {
			const outer = decode;
			decode = decodeValue;
			try {
				return database.get(key, readOptions) as ReturnType<typeof decodeValue> | undefined;
			} finally {
				decode = outer;
				if (depth === 0) nativeAddon.resetTxn(address);
			}
		},
		scan: (range, visit) => snapshot(() => scan(range, visit)),
		scanKeys: (range, visit) => snapshot(() => scanKeys(range, visit)),
		snapshot,
	};
	// The scans' one cursor is made by the first of them.
	reader.scanKeys({ start: Buffer.from([0]), end: Buffer.from([0, 0]) }, () => false);

	return {
		reader,
		write(change) {
			database.transactionSync(() => {
				change(writer);
			});
		},
		space() {
			const stats = database.getStats() as LmdbStats;
			const pages = 2 + countPages(stats) + countPages(stats.free);
			return {
				pageBytes: stats.pageSize,
				usedBytes: pages * stats.pageSize,
				fileBytes: (stats.lastPageNumber + 1) * stats.pageSize,
				mapBytes: stats.mapSize,
			};
		},
		sweepReaders: () => void database.readerCheck(),
		close: () => database.close(),
	};
}

/** What the package's `getStats` returns: pages of the tree, and of the tree of free pages. */
interface LmdbStats extends LmdbPages {
	readonly pageSize: number;
	readonly lastPageNumber: number;
	readonly mapSize: number;
	readonly free: LmdbPages;
}

interface LmdbPages {
	readonly treeBranchPageCount: number;
	readonly treeLeafPageCount: number;
	readonly overflowPages: number;
}

function countPages(pages: LmdbPages): number {
	return pages.treeBranchPageCount + pages.treeLeafPageCount + pages.overflowPages;
}

/** The package's own buffer is larger than the value and only says that it is not; what is given on ends where the value does. */
function cutToLength(value: Buffer): Buffer {
	return Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.length);
}

function keepBytes(value: Buffer): Buffer {
	return value;
}

function writeBytes(key: Buffer, target: Buffer, start: number): number {
	target.set(key, start);
	return start + key.length;
}

function copyBytes(source: Buffer, start: number, end: number): Buffer {
	return Buffer.from(source.subarray(start, end));
}
