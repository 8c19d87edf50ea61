import { Balance, storedBytes } from "./account.ts";
import { messageAt, reserves, tags } from "./commit-message.ts";
import { bodyStart, hasIncrement, messageAccount, messageReserve, nextKey, nextPart, skipCheck } from "./message-reader.ts";
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
	  }
	| { readonly committed: false; readonly reason: "account"; readonly storedBytes: number; readonly addedBytes: number };

const jsonNumber = /^[ \t\n\r]*-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[ \t\n\r]*$/;

/**
 * Applies a message of `encodeTransaction` to the tree: all of it, or nothing. The message's records are stamped in place.
 * What the tree throws is passed on and leaves the transaction half done: whoever owns the tree's own transaction rolls that back.
 * `estimate` is what `estimateBytes` said of it.
 */
export function applyTransaction(target: WritableTree, message: Buffer, version: number, now: number, estimate: number): Applied {
	const checks = message.readUInt32BE(messageAt.checks);
	const operations = message.readUInt32BE(messageAt.operations);
	const cursor = bodyStart(message);

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

	const account = messageAccount(message);
	const balance = account && new Balance(target, account);
	const mayOverdraw = balance?.refuses(estimate) === true && messageReserve(message) !== reserves.reserved;
	const mayUndo = mayOverdraw || (operations > 1 && hasIncrement(message, cursor.position, operations));
	const undo = mayUndo ? undoable(target) : undefined;
	const tree = undo ?? target;
	const tally: Tally = { bytes: 0 };
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
				putEntry(tree, key, record, old, tally);
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
					undo?.undo();
					return { committed: false, reason, index, currentVersion: live?.version ?? 0 };
				};
				if (live && !jsonNumber.test(live.value)) return refuse("not-a-number");
				const sum = (live ? Number(live.value) : 0) + by;
				if (!Number.isFinite(sum) || (Number.isInteger(sum) && !Number.isSafeInteger(sum))) return refuse("out-of-range");
				const record = createRecord(String(sum), author, live?.expiresAt ?? 0);
				stampRecord(record, version, live?.createdAt ?? now, now);
				putEntry(tree, key, record, old, tally);
				sums.push(sum);
				changed.push(key);
				break;
			}
			case tags.delete:
				if (deleteEntry(tree, key, tally)) changed.push(key);
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
				putEntry(tree, toKey, copy.record, old, tally);
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
					deleteEntry(tree, found, tally);
					changed.push(found);
				}
			}
		}
	}
	if (balance && undo && mayOverdraw && balance.refuses(tally.bytes)) {
		undo.undo();
		return { committed: false, reason: "account", storedBytes: balance.stored, addedBytes: tally.bytes };
	}
	if (tally.bytes !== 0) balance?.add(tally.bytes, version, now);
	return { committed: true, sums, changed };
}

/** Bytes that a transaction may add to the tree, pages counted in full where a value has pages of its own. */
export function estimateBytes(tree: WritableTree, message: Buffer, pageBytes: number): number {
	const cursor = bodyStart(message);
	let bytes = 2 * pageBytes;
	// Of an audit entry the key, the code and what it is linked by are added to what the message has.
	const audits = message.readUInt16BE(messageAt.audits);
	if (audits > 0) bytes += 2 * (cursor.position + audits * auditOverheadBytes);
	const checks = message.readUInt32BE(messageAt.checks);
	for (let index = 0; index < checks; index++) skipCheck(message, cursor);
	const operations = message.readUInt32BE(messageAt.operations);
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

const auditOverheadBytes = 512;

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

/** Bytes that the entries of a transaction take more than before it. */
interface Tally {
	bytes: number;
}

function putEntry(tree: WritableTree, key: Buffer, record: Buffer, old: RecordHeader | undefined, tally: Tally): void {
	const oldExpiry = old?.expiresAt ?? 0;
	const expiry = readExpiry(record);
	if (oldExpiry !== 0 && oldExpiry !== expiry) tree.remove(expiryKey(oldExpiry, key));
	if (expiry !== 0 && oldExpiry !== expiry) tree.put(expiryKey(expiry, key), Buffer.from([1]));
	tree.put(key, record);
	tally.bytes += old ? record.length - old.recordBytes : storedBytes(key, record.length);
}

function deleteEntry(tree: WritableTree, key: Buffer, tally: Tally): boolean {
	const old = tree.get(key, readRecordHeader);
	if (old === undefined) return false;
	if (old.expiresAt !== 0) tree.remove(expiryKey(old.expiresAt, key));
	tree.remove(key);
	tally.bytes -= storedBytes(key, old.recordBytes);
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
