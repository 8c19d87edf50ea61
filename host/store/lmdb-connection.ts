import type { MessagePort } from "node:worker_threads";
import type { RuntimeError } from "../contract/errors.ts";
import { createChangeFeed } from "./change-feed.ts";
import { closedStore } from "./closed-store.ts";
import { createCommitClient } from "./commit-client.ts";
import { lmdbFailure } from "./lmdb-failure.ts";
import { type Lmdb, openLmdb } from "./lmdb-tree.ts";
import { expiredEntries, getEntry, listEntries, listHeads } from "./reader.ts";
import type { Store } from "./store.ts";
import { parkThread, runUninterrupted, type ThreadPhase } from "./thread-phase.ts";
import type { Tree } from "./tree.ts";

/** How often a listener looks for what other processes wrote, in milliseconds. */
const pollMs = 100;

/** What another thread of the process needs to use the store. Post it with `port` in the transfer list; it serves one thread. */
export interface StoreConnection {
	readonly file: string;
	readonly mapBytes: number;
	readonly port: MessagePort;
	readonly phase: ThreadPhase;
}

/**
 * Resolves when the thread that was given the connection may be terminated: await it before `worker.terminate()`. It has to wait only for a
 * thread that is opening or closing the store, milliseconds; one that has not begun to will not. The connection is of no use after it.
 */
export function prepareTermination(connection: Pick<StoreConnection, "phase">): Promise<void> {
	return parkThread(connection.phase);
}

/**
 * Uses the store from another thread: reads it by itself, and posts commits to the writer's thread. The thread may be terminated at any moment
 * after `prepareTermination`, whatever it does. Reads fail with `unavailable` when the store cannot be opened.
 */
export function connectLmdbStore(connection: StoreConnection): Store {
	const { file, mapBytes, phase, port } = connection;
	const database = openLater(() => runUninterrupted(phase, () => openLmdb(file, { readOnly: true, mapBytes })));
	return createLmdbStore({ ...database, close: () => runUninterrupted(phase, database.close) }, port).store;
}

/** What a reader needs of a database. */
export type LmdbReader = Pick<Lmdb, "reader" | "close">;

/**
 * A database that its first read opens. Loading LMDB takes 30 to 60 ms of a thread that is starting: one that only writes does without.
 */
export function openLater(open: () => Lmdb): LmdbReader {
	let database: Lmdb | undefined;
	const tree = (): Tree => {
		try {
			database ??= open();
		} catch (error) {
			throw lmdbFailure("opened", error);
		}
		return database.reader;
	};
	return {
		reader: {
			get: (key, decode) => tree().get(key, decode),
			scan: (range, visit) => tree().scan(range, visit),
			scanKeys: (range, visit) => tree().scanKeys(range, visit),
			snapshot: (read) => tree().snapshot(read),
		},
		close: async () => database?.close(),
	};
}

/** A store over a database and a port to the writer. `fail` says that the writer is gone. */
export function createLmdbStore(
	database: LmdbReader,
	port: MessagePort,
): { readonly store: Store; fail(error: RuntimeError): void } {
	const tree = database.reader;
	const client = createCommitClient(port, () => feed.wake());
	const feed = createChangeFeed(tree, { pollMs, onListening: (listening) => client.listen(listening) });
	let closing: Promise<void> | undefined;

	function read<T>(reading: () => T): T {
		if (closing) throw closedStore();
		try {
			return reading();
		} catch (error) {
			throw lmdbFailure("read", error);
		}
	}

	async function close(): Promise<void> {
		feed.close(closedStore());
		await client.close(closedStore());
		await database.close();
	}

	const store: Store = {
		get: (key, options) => read(() => getEntry(tree, key, options)),
		list: (range) => read(() => listEntries(tree, range)),
		heads: (range) => read(() => listHeads(tree, range)),
		expired: (limit) => read(() => expiredEntries(tree, limit)),
		commit: (transaction) => client.commit(transaction),
		changes: (prefix, options) => read(() => feed.changes(prefix, options)),
		close() {
			closing ??= close();
			return closing;
		},
	};
	return { store, fail: (error) => client.fail(error) };
}
