import { RuntimeError } from "../contract/errors.ts";
import type { StoreEntry, StoreHead, StoreKey } from "./store.ts";

// An entry's bytes: tag (1), version (6), createdAt (6), updatedAt (6), expiresAt (6, 0 for none), length of the author (2), author, value.
// The tag tells what the value is, so that others than text can come later.
const textTag = 1;
const versionAt = 1;
const createdAt = 7;
const updatedAt = 13;
const expiresAt = 19;
const authorLengthAt = 25;

/** Bytes of a record before the author. */
export const recordHeaderBytes = 27;
export const maxAuthorBytes = 0xffff;

/** The latest expiry that a record can hold. */
export const maxTimestamp = 2 ** 48 - 1;

/** What an operation must know of the entry that it replaces. */
export interface RecordHeader {
	readonly version: number;
	readonly createdAt: number;
	/** 0 when it does not expire. */
	readonly expiresAt: number;
	readonly valueBytes: number;
	readonly recordBytes: number;
}

/** Writes a header without times and version: the writer of the store stamps them. Returns the position behind the author. */
export function writeRecordHeader(target: Buffer, start: number, author: Buffer | string, expiry: number): number {
	target[start] = textTag;
	target.fill(0, start + versionAt, start + expiresAt);
	target.writeUIntBE(expiry, start + expiresAt, 6);
	const length =
		typeof author === "string"
			? target.write(author, start + recordHeaderBytes, "utf8")
			: author.copy(target, start + recordHeaderBytes);
	target.writeUInt16BE(length, start + authorLengthAt);
	return start + recordHeaderBytes + length;
}

export function stampRecord(record: Buffer, version: number, created: number, updated: number): void {
	record.writeUIntBE(version, versionAt, 6);
	record.writeUIntBE(created, createdAt, 6);
	record.writeUIntBE(updated, updatedAt, 6);
}

export function createRecord(value: Buffer | string, author: Buffer, expiry: number): Buffer {
	const text = typeof value === "string" ? Buffer.from(value) : value;
	const record = Buffer.allocUnsafe(recordHeaderBytes + author.length + text.length);
	text.copy(record, writeRecordHeader(record, 0, author, expiry));
	return record;
}

export function readExpiry(record: Buffer): number {
	return record.readUIntBE(expiresAt, 6);
}

export function readRecordHeader(record: Buffer): RecordHeader {
	const start = valueStart(record);
	return {
		version: record.readUIntBE(versionAt, 6),
		createdAt: record.readUIntBE(createdAt, 6),
		expiresAt: record.readUIntBE(expiresAt, 6),
		valueBytes: record.length - start,
		recordBytes: record.length,
	};
}

export function readRecordAuthor(record: Buffer): Buffer {
	return Buffer.from(record.subarray(recordHeaderBytes, valueStart(record)));
}

export function readRecordValue(record: Buffer): string {
	return record.toString("utf8", valueStart(record), record.length);
}

export function readEntry(key: StoreKey, record: Buffer): StoreEntry {
	return { ...readHead(key, record), value: readRecordValue(record) };
}

/** The entry without its value, which is not decoded. */
export function readHead(key: StoreKey, record: Buffer): StoreHead {
	const start = valueStart(record);
	const entry = {
		key,
		version: String(record.readUIntBE(versionAt, 6)),
		size: record.length - start,
		createdAt: record.readUIntBE(createdAt, 6),
		updatedAt: record.readUIntBE(updatedAt, 6),
		author: record.toString("utf8", recordHeaderBytes, start),
	};
	const expiry = record.readUIntBE(expiresAt, 6);
	return expiry === 0 ? entry : { ...entry, expiresAt: expiry };
}

/** Checked before anything is read: the length that is stored must not lead behind the record. */
function valueStart(record: Buffer): number {
	if (record.length < recordHeaderBytes) throw damagedRecord();
	const start = recordHeaderBytes + record.readUInt16BE(authorLengthAt);
	if (record[0] !== textTag || start > record.length) throw damagedRecord();
	return start;
}

function damagedRecord(): RuntimeError {
	return new RuntimeError("internal", "The store holds an entry that is damaged, or of a kind that this version does not know.");
}
