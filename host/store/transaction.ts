import { messageHeaderBytes, type reserves, tags } from "./commit-message.ts";
import {
	createRecord,
	type RecordHeader,
	readExpiry,
	readRecordAuthor,
	readRecordHeader,
	readRecordValue,
	stampRecord,
} from "./record.ts";
import { endOf, expiryKey, type WritableTree } from "./tree.ts";

/** What became of a transaction, in the form that crosses threads. */
export type Applied =
	| {
			readonly committed: true;
			readonly sums: readonly number[] /** Keys of the tree that changed. */;
			readonly changed: readonly Buffer[];
	  }
	| {
			readonly committed: false;
			readonly reason: "check" | "not-a-number" | "out-of-range";
			readonly index: number;
			/** 0 when there is none. */
			readonly currentVersion: number;
	  };

const jsonNumber = /^[ \t\n\r]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[ \t\n\r]*$/;

export function messageId(message: Buffer): number {
	return message.readUInt32BE(0);
}

export function messageReserve(message: Buffer): (typeof reserves)[keyof typeof reserves] {
	return message[4] as (typeof reserves)[keyof typeof reserves];
}

/**
 * Applies a message of `encodeTransaction` to the tree: all of it, or nothing. The message's records are stamped in place.
 * What the tree throws is passed on and leaves the transaction half done: whoever owns the tree's own transaction rolls that back.
 */
export function applyTransaction(target: WritableTree, message: Buffer, version: number, now: number): Applied {
	const checks = message.readUInt32BE(5);
	const operations = message.readUInt32BE(9);
	const cursor = { position: messageHeaderBytes };

	for (let index = 0; index < checks; index++) {
		const tag = message[cursor.position];
		const header = readLive(target, nextKey(message, cursor), now);
		let holds = tag === tags.absent ? header === undefined : header !== undefined;
		if (tag === tags.version) {
			holds = header?.version === message.readUIntBE(cursor.position, 6);
			cursor.position += 6;
		}
		if (!holds) return { committed: false, reason: "check", index, currentVersion: header?.version ?? 0 };
	}

	const tree = operations > 1 && hasIncrement(message, cursor.position, operations) ? undoable(target) : target;
	const sums: number[] = [];
	const changed: Buffer[] = [];
	for (let index = 0; index < operations; index++) {
		const tag = message[cursor.position];
		const key = nextKey(message, cursor);
		switch (tag) {
			case tags.set: {
				const record = nextPart(message, cursor, 4);
				const old = tree.get(key, readRecordHeader);
				stampRecord(record, version, old && !isExpired(old.expiresAt, now) ? old.createdAt : now, now);
				putEntry(tree, key, record, old?.expiresAt ?? 0);
				changed.push(key);
				break;
			}
			case tags.increment: {
				const by = message.readDoubleBE(cursor.position);
				cursor.position += 8;
				const author = nextPart(message, cursor, 2);
				const old = tree.get(key, (record) => ({ ...readRecordHeader(record), value: readRecordValue(record) }));
				const live = old && !isExpired(old.expiresAt, now) ? old : undefined;
				const refuse = (reason: "not-a-number" | "out-of-range"): Applied => {
					if (tree !== target) (tree as UndoableTree).undo();
					return { committed: false, reason, index, currentVersion: live?.version ?? 0 };
				};
				if (live && !jsonNumber.test(live.value)) return refuse("not-a-number");
				const sum = (live ? Number(live.value) : 0) + by;
				if (!Number.isFinite(sum) || (Number.isInteger(sum) && !Number.isSafeInteger(sum))) return refuse("out-of-range");
				const record = createRecord(String(sum), author, live?.expiresAt ?? 0);
				stampRecord(record, version, live?.createdAt ?? now, now);
				putEntry(tree, key, record, old?.expiresAt ?? 0);
				sums.push(sum);
				changed.push(key);
				break;
			}
			case tags.delete:
				if (deleteEntry(tree, key)) changed.push(key);
				break;
			case tags.archive: {
				const overBytes = message.readDoubleBE(cursor.position);
				cursor.position += 8;
				const to = nextPart(message, cursor, 2);
				const copy = tree.get(key, (record) => copyOver(record, overBytes));
				if (!copy) break;
				const toKey = Buffer.concat([to, Buffer.from(`\u0002${copy.version}\0`, "latin1")]);
				const old = tree.get(toKey, readRecordHeader);
				stampRecord(copy.record, version, old && !isExpired(old.expiresAt, now) ? old.createdAt : now, now);
				putEntry(tree, toKey, copy.record, old?.expiresAt ?? 0);
				changed.push(toKey);
				break;
			}
			case tags.deletePrefix: {
				const keys: Buffer[] = [];
				tree.scanKeys({ start: key, end: endOf(key) }, (found) => {
					keys.push(Buffer.from(found));
					return true;
				});
				for (const found of keys) {
					deleteEntry(tree, found);
					changed.push(found);
				}
			}
		}
	}
	return { committed: true, sums, changed };
}

/** Bytes that a transaction may add to the tree, pages counted in full where a value has pages of its own. */
export function estimateBytes(tree: WritableTree, message: Buffer, pageBytes: number): number {
	const cursor = { position: messageHeaderBytes };
	const checks = message.readUInt32BE(5);
	for (let index = 0; index < checks; index++) skipCheck(message, cursor);
	let bytes = 2 * pageBytes;
	const operations = message.readUInt32BE(9);
	for (let index = 0; index < operations; index++) {
		const tag = message[cursor.position];
		const key = nextKey(message, cursor);
		if (tag === tags.set) bytes += recordBytes(key.length, nextPart(message, cursor, 4).length, pageBytes);
		else if (tag === tags.increment) {
			cursor.position += 8;
			bytes += recordBytes(key.length, nextPart(message, cursor, 2).length + 64, pageBytes);
		} else if (tag === tags.archive) {
			cursor.position += 8;
			const to = nextPart(message, cursor, 2);
			bytes += recordBytes(to.length + 17, tree.get(key, (record) => record.length) ?? 0, pageBytes);
		}
	}
	return bytes;
}

function recordBytes(keyBytes: number, valueBytes: number, pageBytes: number): number {
	// The key once more in the log of changes and in the index of expiries; pages are about two thirds full.
	const inTree = 3 * (keyBytes + 24) + 24;
	return valueBytes + keyBytes < pageBytes / 3
		? 2 * (inTree + valueBytes)
		: 2 * inTree + Math.ceil((valueBytes + 16) / pageBytes) * pageBytes;
}

function isExpired(expiresAt: number, now: number): boolean {
	return expiresAt !== 0 && expiresAt <= now;
}

function readLive(tree: WritableTree, key: Buffer, now: number): RecordHeader | undefined {
	const header = tree.get(key, readRecordHeader);
	return header && !isExpired(header.expiresAt, now) ? header : undefined;
}

function putEntry(tree: WritableTree, key: Buffer, record: Buffer, oldExpiry: number): void {
	const expiry = readExpiry(record);
	if (oldExpiry !== 0 && oldExpiry !== expiry) tree.remove(expiryKey(oldExpiry, key));
	if (expiry !== 0 && oldExpiry !== expiry) tree.put(expiryKey(expiry, key), Buffer.from([1]));
	tree.put(key, record);
}

function deleteEntry(tree: WritableTree, key: Buffer): boolean {
	const expiry = tree.get(key, readExpiry);
	if (expiry === undefined) return false;
	if (expiry !== 0) tree.remove(expiryKey(expiry, key));
	tree.remove(key);
	return true;
}

/** A copy of the record without its expiry, when its value is longer. */
function copyOver(record: Buffer, overBytes: number): { readonly version: number; readonly record: Buffer } | undefined {
	const header = readRecordHeader(record);
	if (!(header.valueBytes > overBytes)) return undefined;
	const value = record.subarray(record.length - header.valueBytes, record.length);
	return { version: header.version, record: createRecord(value, readRecordAuthor(record), 0) };
}

type UndoableTree = WritableTree & { undo(): void };

/** Remembers what was there before, for the transactions that may be refused after they have written. */
function undoable(tree: WritableTree): UndoableTree {
	const before: [key: Buffer, value: Buffer | undefined][] = [];
	const remember = (key: Buffer) =>
		before.push([Buffer.from(key), tree.get(key, (value) => Buffer.from(value.subarray(0, value.length)))]);
	return {
		get: tree.get,
		scan: tree.scan,
		scanKeys: tree.scanKeys,
		snapshot: tree.snapshot,
		put(key, value) {
			remember(key);
			tree.put(key, value);
		},
		remove(key) {
			remember(key);
			tree.remove(key);
		},
		undo() {
			for (const [key, value] of before.reverse()) {
				if (value === undefined) tree.remove(key);
				else tree.put(key, value);
			}
		},
	};
}

interface Cursor {
	position: number;
}

function nextKey(message: Buffer, cursor: Cursor): Buffer {
	cursor.position += 1;
	return nextPart(message, cursor, 2);
}

function nextPart(message: Buffer, cursor: Cursor, lengthBytes: 2 | 4): Buffer {
	const length = lengthBytes === 2 ? message.readUInt16BE(cursor.position) : message.readUInt32BE(cursor.position);
	const start = cursor.position + lengthBytes;
	cursor.position = start + length;
	return message.subarray(start, cursor.position);
}

function skipCheck(message: Buffer, cursor: Cursor): void {
	const tag = message[cursor.position];
	nextKey(message, cursor);
	if (tag === tags.version) cursor.position += 6;
}

function hasIncrement(message: Buffer, start: number, operations: number): boolean {
	const cursor = { position: start };
	for (let index = 0; index < operations; index++) {
		const tag = message[cursor.position];
		if (tag === tags.increment) return true;
		nextKey(message, cursor);
		if (tag === tags.set) nextPart(message, cursor, 4);
		else if (tag === tags.archive) {
			cursor.position += 8;
			nextPart(message, cursor, 2);
		}
	}
	return false;
}
