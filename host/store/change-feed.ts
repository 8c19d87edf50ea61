import { RuntimeError } from "../contract/errors.ts";
import { readChanges, readLastVersion } from "./change-log.ts";
import { keyRoomBytes } from "./key.ts";
import type { StoreChange, StoreKey } from "./store.ts";
import { type Tree, writeEntryKey } from "./tree.ts";

/** Transactions whose changes are joined into one hint at most. */
const maxJoined = 256;

export interface ChangeFeed {
	changes(prefix: StoreKey, options?: { readonly cursor?: string; readonly signal?: AbortSignal }): AsyncIterable<StoreChange>;
	/** Something was committed. */
	wake(): void;
	/** Ends every iteration with the error. */
	close(error: RuntimeError): void;
}

export interface ChangeFeedOptions {
	/** How often to look for what other processes wrote, in milliseconds, while somebody listens; 0 for never. */
	readonly pollMs: number;
	/** Called when the first listener comes, and when the last one has gone. */
	onListening?(listening: boolean): void;
}

/** Hints from the log of changes: read again on every wake-up, so that a hint may come twice but is never left out. */
export function createChangeFeed(tree: Tree, options: ChangeFeedOptions): ChangeFeed {
	const waiting = new Set<() => void>();
	let listeners = 0;
	let closed: RuntimeError | undefined;

	const wake = () => {
		for (const resume of [...waiting]) resume();
	};

	function changed(signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve) => {
			const timer = options.pollMs > 0 ? setTimeout(resume, options.pollMs) : undefined;
			function resume() {
				clearTimeout(timer);
				signal?.removeEventListener("abort", resume);
				waiting.delete(resume);
				resolve();
			}
			signal?.addEventListener("abort", resume);
			waiting.add(resume);
		});
	}

	async function* follow(
		prefix: Buffer,
		start: number,
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoreChange, void, void> {
		let cursor = start;
		if (++listeners === 1) options.onListening?.(true);
		try {
			while (signal?.aborted !== true) {
				if (closed) throw closed;
				const read = readChanges(tree, prefix, cursor, maxJoined);
				const moved = read.cursor !== cursor;
				cursor = read.cursor;
				if (read.lost) yield { type: "reset", cursor: String(cursor) };
				else if (read.keys.length > 0) yield { type: "changed", cursor: String(cursor), keys: read.keys };
				else if (!moved) await changed(signal);
			}
		} finally {
			if (--listeners === 0) options.onListening?.(false);
		}
	}

	return {
		changes(prefix, { cursor, signal } = {}) {
			if (closed) throw closed;
			const target = Buffer.allocUnsafe(keyRoomBytes + 1);
			const encoded = Buffer.from(target.subarray(0, writeEntryKey(prefix, target, 0)));
			return follow(encoded, cursor === undefined ? readLastVersion(tree) : requireCursor(cursor), signal);
		},
		wake,
		close(error) {
			closed = error;
			wake();
		},
	};
}

function requireCursor(cursor: string): number {
	if (!/^(?:0|[1-9][0-9]{0,14})$/.test(cursor))
		throw new RuntimeError("invalid", `${JSON.stringify(cursor)} is not a cursor of this store.`);
	return Number(cursor);
}
