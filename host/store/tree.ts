import { writeKey } from "./key.ts";
import type { StoreKey } from "./store.ts";

/** A range of encoded keys, in their order. */
export interface TreeRange {
	/** The first key, included. */
	readonly start: Buffer;
	/** The end, excluded. */
	readonly end: Buffer;
	/** From the end to the start. */
	readonly reverse?: boolean;
}

/**
 * Bytes under ordered keys: what a store's engine must offer. Buffers given to a callback are valid during that call only.
 * Every call sees one consistent state and ends with what it read from.
 */
export interface Tree {
	get<T>(key: Buffer, decode: (value: Buffer) => T): T | undefined;
	/** Visits keys in order until `visit` returns false. */
	scan(range: TreeRange, visit: (key: Buffer, value: Buffer) => boolean): void;
	/** The same for the keys alone. */
	scanKeys(range: TreeRange, visit: (key: Buffer) => boolean): void;
	/** Several reads of one state. */
	snapshot<T>(read: () => T): T;
}

export interface WritableTree extends Tree {
	/** Copies the value before it returns. */
	put(key: Buffer, value: Buffer): void;
	remove(key: Buffer): void;
}

/** The first byte of every key says what is below it. Entries come last: see `host/layout.ts`. */
export const tables = { meta: 0x01, expiries: 0x02, changes: 0x03, entries: 0x04 } as const;

export const metaKeys = {
	/** Version of this layout, as text. */
	format: Buffer.from([tables.meta, 1]),
	/** The last version given to a transaction. */
	lastVersion: Buffer.from([tables.meta, 2]),
	/** The first version that is still in the log of changes. */
	firstChange: Buffer.from([tables.meta, 3]),
} as const;

/** The layout's version. Raised when an older program would misread the store. */
export const formatVersion = 3;
/** The oldest layout that this program reads. */
export const oldestFormatVersion = 3;

export const uint48Bytes = 6;

export function encodeUint48(value: number): Buffer {
	const bytes = Buffer.allocUnsafe(uint48Bytes);
	bytes.writeUIntBE(value, 0, uint48Bytes);
	return bytes;
}

export function decodeUint48(bytes: Buffer): number {
	return bytes.readUIntBE(0, uint48Bytes);
}

/** Writes the key of an entry as the tree has it. */
export function writeEntryKey(key: StoreKey, target: Buffer, start: number): number {
	target[start] = tables.entries;
	return writeKey(key, target, start + 1);
}

/** The place of an entry in the index of expiries, oldest first. */
export function expiryKey(expiresAt: number, entryKey: Buffer): Buffer {
	const key = Buffer.allocUnsafe(1 + uint48Bytes + entryKey.length);
	key[0] = tables.expiries;
	key.writeUIntBE(expiresAt, 1, uint48Bytes);
	entryKey.copy(key, 1 + uint48Bytes);
	return key;
}

export function changeKey(version: number): Buffer {
	const key = Buffer.allocUnsafe(1 + uint48Bytes);
	key[0] = tables.changes;
	key.writeUIntBE(version, 1, uint48Bytes);
	return key;
}

/** The end of everything below an encoded tuple: no element begins with FF. */
export function endOf(prefix: Buffer): Buffer {
	const end = Buffer.allocUnsafe(prefix.length + 1);
	prefix.copy(end);
	end[prefix.length] = 0xff;
	return end;
}
