import { RuntimeError } from "../contract/errors.ts";
import { keyRoomBytes, maxKeyBytes, maxKeyElements } from "./key.ts";
import { maxAuthorBytes, maxTimestamp, recordHeaderBytes, writeRecordHeader } from "./record.ts";
import type { StoreAccount, StoreKey, StoreOperation, StoreTransaction } from "./store.ts";
import { writeEntryKey } from "./tree.ts";

/** Bytes that a transaction may have in all. */
export const maxTransactionBytes = 64 * 1024 * 1024;

/** Kinds of checks and operations in a message. */
export const tags = { absent: 1, present: 2, version: 3, set: 4, increment: 5, delete: 6, archive: 7, deletePrefix: 8 } as const;

/** May a transaction use the space that is kept back? `always`: it only deletes. `audit`: it has audit entries only. */
export const reserves = { never: 0, reserved: 1, always: 2, audit: 3 } as const;
export type Reserve = (typeof reserves)[keyof typeof reserves];

/** Where what is in a message. */
export const messageAt = { id: 0, reserve: 4, checks: 5, operations: 9, audits: 13, accountBytes: 15 } as const;
export const messageHeaderBytes = 17;

/** Audit entries that a transaction may have, and bytes of each. */
export const maxAuditEntries = 1_000;
export const maxAuditEntryBytes = 8_192;

// id (4), reserve (1), checks (4), operations (4), audit entries (2), length of the account's key (2, 0 without one), the key, its maxBytes: double (8),
// the audit entries: length (2), text; then each check and operation: tag (1), length of the key (2), key, and
// version: 6 | set: length (4), record | increment: double (8), length of the author (2), author
// archive: double (8), length of the key (2), key. Keys are those of the tree. So the writer's thread only has to stamp records and put them.

const smallBytes = 64 * 1024;
const largeBytes = 4 * 1024 * 1024;
let scratch: Buffer | undefined;
let position = 0;

/**
 * The transaction as bytes, valid until the next call. Throws `invalid` and `too-large` for what no store can take, so that
 * nothing is posted of a transaction that is wrong.
 */
export function encodeTransaction(id: number, transaction: StoreTransaction): Buffer {
	if (scratch === undefined || scratch.length > largeBytes) scratch = Buffer.allocUnsafeSlow(smallBytes);
	const checks = transaction.checks ?? [];
	const operations = transaction.operations;
	const audit = transaction.audit ?? [];
	position = messageHeaderBytes;
	scratch.writeUInt16BE(0, messageAt.accountBytes);
	if (transaction.account) writeAccount(transaction.account);
	writeAudit(audit);
	for (const check of checks) {
		if ("version" in check) {
			writeKeyPart(tags.version, check.key, false);
			const version = parseVersion(check.version);
			scratch.writeUIntBE(version, position, 6);
			position += 6;
		} else {
			writeKeyPart(tags[check.is], check.key, false);
		}
	}
	let onlyDeletes = operations.length > 0;
	for (const operation of operations) {
		if (operation.type !== "delete" && operation.type !== "delete-prefix") onlyDeletes = false;
		writeOperation(operation);
		if (position > maxTransactionBytes) throw tooLarge(position);
	}
	scratch.writeUInt32BE(id, messageAt.id);
	scratch[messageAt.reserve] = reserveOf(transaction, onlyDeletes);
	scratch.writeUInt32BE(checks.length, messageAt.checks);
	scratch.writeUInt32BE(operations.length, messageAt.operations);
	scratch.writeUInt16BE(audit.length, messageAt.audits);
	return scratch.subarray(0, position);
}

function reserveOf({ operations, audit = [], reserve }: StoreTransaction, onlyDeletes: boolean): Reserve {
	if (onlyDeletes) return reserves.always;
	if (reserve === true) return reserves.reserved;
	return operations.length === 0 && audit.length > 0 ? reserves.audit : reserves.never;
}

function writeAccount({ key, maxBytes }: StoreAccount): void {
	if (key.length === 0) throw new RuntimeError("invalid", "The key of an account must have at least one element.");
	if (!Number.isSafeInteger(maxBytes) || maxBytes < 0)
		throw new RuntimeError("invalid", `An account's maxBytes is ${maxBytes}; it must be a whole number from 0.`);
	const target = ensureRoom(keyRoomBytes + 8);
	const start = position;
	position = writeEntryKey(key, target, start);
	target.writeUInt16BE(position - start, messageAt.accountBytes);
	position = target.writeDoubleBE(maxBytes, position);
}

function writeAudit(entries: readonly string[]): void {
	if (entries.length > maxAuditEntries)
		throw new RuntimeError(
			"invalid",
			`A transaction has ${entries.length} audit entries; at most ${maxAuditEntries} are allowed.`,
		);
	for (const text of entries) {
		const bytes = byteLength(text, "audit entry");
		// `byteLength` is an upper bound for short texts.
		if (bytes > maxAuditEntryBytes)
			throw new RuntimeError("invalid", `An audit entry has ${bytes} bytes; the limit is ${maxAuditEntryBytes}.`);
		const target = ensureRoom(2 + bytes);
		const length = target.write(text, position + 2, "utf8");
		target.writeUInt16BE(length, position);
		position += 2 + length;
	}
}

/** The number of a version, 0 for what is none: versions are opaque, so an unknown one is a version that nothing has. */
export function parseVersion(version: string): number {
	const number = /^[1-9][0-9]{0,14}$/.test(version) ? Number(version) : 0;
	return number < 2 ** 48 ? number : 0;
}

function writeOperation(operation: StoreOperation): void {
	switch (operation.type) {
		case "set": {
			writeKeyPart(tags.set, operation.key, false);
			const expiry = operation.expiresAt ?? 0;
			if (operation.expiresAt !== undefined && !(Number.isSafeInteger(expiry) && expiry > 0 && expiry <= maxTimestamp))
				throw new RuntimeError("invalid", `expiresAt is ${expiry}; it must be whole milliseconds from 1 to 2^48-1.`);
			const author = operation.author ?? "";
			const valueBytes = byteLength(operation.value, "value");
			const target = ensureRoom(4 + recordHeaderBytes + authorBytes(author) + valueBytes);
			const start = position + 4;
			const valueStart = writeRecordHeader(target, start, author, expiry);
			position = valueStart + target.write(operation.value, valueStart, "utf8");
			target.writeUInt32BE(position - start, start - 4);
			return;
		}
		case "increment": {
			writeKeyPart(tags.increment, operation.key, false);
			const author = operation.author ?? "";
			const target = ensureRoom(10 + authorBytes(author));
			target.writeDoubleBE(operation.by, position);
			const length = target.write(author, position + 10, "utf8");
			target.writeUInt16BE(length, position + 8);
			position += 10 + length;
			return;
		}
		case "delete":
			writeKeyPart(tags.delete, operation.key, false);
			return;
		case "delete-prefix":
			writeKeyPart(tags.deletePrefix, operation.prefix, true);
			return;
		case "archive": {
			if (operation.to.length >= maxKeyElements)
				throw new RuntimeError(
					"invalid",
					`The key to archive to may have ${maxKeyElements - 1} elements; the version is added to it.`,
				);
			writeKeyPart(tags.archive, operation.key, false);
			const target = ensureRoom(10 + keyRoomBytes);
			target.writeDoubleBE(operation.overBytes, position);
			const start = position + 10;
			const end = writeEntryKey(operation.to, target, start);
			// A version has up to 15 digits, a tag and an end.
			if (end - start - 1 + 17 > maxKeyBytes)
				throw new RuntimeError(
					"too-large",
					`The key to archive to has ${end - start - 1} bytes; the limit is ${maxKeyBytes - 17}.`,
					{
						limit: { name: "maxKeyBytes", value: maxKeyBytes, unit: "bytes" },
					},
				);
			target.writeUInt16BE(end - start, start - 2);
			position = end;
		}
	}
}

function writeKeyPart(tag: number, key: StoreKey, mayBeEmpty: boolean): void {
	if (key.length === 0 && !mayBeEmpty) throw new RuntimeError("invalid", "A store key must have at least one element.");
	const target = ensureRoom(3 + keyRoomBytes);
	target[position] = tag;
	const start = position + 3;
	position = writeEntryKey(key, target, start);
	target.writeUInt16BE(position - start, start - 2);
}

/** How many bytes a text takes, refused when it cannot be written as UTF-8. */
function byteLength(text: string, what: string): number {
	if (!text.isWellFormed()) throw new RuntimeError("invalid", `The ${what} holds half of a surrogate pair.`);
	return text.length < 1_024 ? text.length * 3 : Buffer.byteLength(text);
}

function authorBytes(author: string): number {
	const bytes = byteLength(author, "author");
	if (bytes > maxAuthorBytes) throw new RuntimeError("invalid", `The author has ${bytes} bytes; the limit is ${maxAuthorBytes}.`);
	return bytes;
}

function ensureRoom(bytes: number): Buffer {
	if (position + bytes > maxTransactionBytes + keyRoomBytes) throw tooLarge(position + bytes);
	let target = scratch as Buffer;
	if (target.length < position + bytes) {
		const larger = Buffer.allocUnsafeSlow(Math.max(target.length * 2, position + bytes));
		target.copy(larger, 0, 0, position);
		scratch = target = larger;
	}
	return target;
}

function tooLarge(bytes: number): RuntimeError {
	return new RuntimeError("too-large", `The transaction has ${bytes} bytes or more; the limit is ${maxTransactionBytes}.`, {
		limit: { name: "maxTransactionBytes", value: maxTransactionBytes, unit: "bytes" },
	});
}
