import { RuntimeError } from "../contract/errors.ts";
import { keyRoomBytes, readKey, writeTextPrefix } from "./key.ts";
import { readEntry, readExpiry, readHead } from "./record.ts";
import type { StoreEntry, StoreGetOptions, StoreHead, StoreKey, StoreRange } from "./store.ts";
import { endOf, expiryKey, type Tree, type TreeRange, uint48Bytes, writeEntryKey } from "./tree.ts";

// Of this thread; used within one call only.
const scratch = Buffer.allocUnsafeSlow(2 * keyRoomBytes);
const nothing = Buffer.alloc(0);

export function getEntry(tree: Tree, key: StoreKey, options: StoreGetOptions = {}): StoreEntry | undefined {
	const encoded = scratch.subarray(0, writeEntryKey(key, scratch, 0));
	const entry = tree.get(encoded, (record) => readEntry(key, record));
	return entry === undefined || (options.expired !== true && isExpired(entry, Date.now())) ? undefined : entry;
}

export function listEntries(tree: Tree, range: StoreRange): StoreEntry[] {
	return listLive(tree, range, readEntry);
}

export function listHeads(tree: Tree, range: StoreRange): StoreHead[] {
	return listLive(tree, range, readHead);
}

function listLive<Item>(tree: Tree, range: StoreRange, read: (key: StoreKey, record: Buffer) => Item): Item[] {
	requireLimit(range.limit);
	const entries: Item[] = [];
	const treeRange = encodeRange(range);
	if (treeRange === undefined || range.limit === 0) return entries;
	const now = Date.now();
	tree.scan(treeRange, (key, record) => {
		const expiry = readExpiry(record);
		if (expiry === 0 || expiry > now) entries.push(read(readKey(key, 1, key.length), record));
		return entries.length < range.limit;
	});
	return entries;
}

export function expiredEntries(tree: Tree, limit: number): StoreHead[] {
	requireLimit(limit);
	const range = { start: expiryKey(0, nothing), end: expiryKey(Date.now() + 1, nothing) };
	return tree.snapshot(() => {
		const keys: Buffer[] = [];
		if (limit > 0)
			tree.scanKeys(range, (key) => {
				keys.push(Buffer.from(key.subarray(1 + uint48Bytes)));
				return keys.length < limit;
			});
		const entries: StoreHead[] = [];
		for (const key of keys) {
			const entry = tree.get(key, (record) => readHead(readKey(key, 1, key.length), record));
			if (entry) entries.push(entry);
		}
		return entries;
	});
}

function isExpired(entry: StoreEntry, now: number): boolean {
	return entry.expiresAt !== undefined && entry.expiresAt <= now;
}

function requireLimit(limit: number): void {
	if (!Number.isSafeInteger(limit) || limit < 0)
		throw new RuntimeError("invalid", `limit is ${limit}; it must be a whole number from 0.`);
}

/** The range as bytes; undefined when nothing can be in it. */
function encodeRange(range: StoreRange): TreeRange | undefined {
	let length = writeEntryKey(range.prefix, scratch, 0);
	if (range.startsWith !== undefined) length = writeTextPrefix(range.startsWith, scratch, length);
	let start: Buffer = Buffer.from(scratch.subarray(0, length));
	let end: Buffer = endOf(start);
	const reverse = range.reverse === true;
	if (range.after !== undefined) {
		const after = Buffer.from(scratch.subarray(0, writeEntryKey(range.after, scratch, 0)));
		// The key itself is left out: forwards by a byte that is less than any that follows, backwards because the end is.
		const behind = reverse ? after : Buffer.concat([after, Buffer.from([0])]);
		if (reverse && Buffer.compare(behind, end) < 0) end = behind;
		if (!reverse && Buffer.compare(behind, start) > 0) start = behind;
	}
	return Buffer.compare(start, end) < 0 ? { start, end, reverse } : undefined;
}
