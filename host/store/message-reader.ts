import { messageAt, messageHeaderBytes, type Reserve, tags } from "./commit-message.ts";

/** A place in a message of `encodeTransaction`. */
export interface Cursor {
	position: number;
}

/** The account of a message, its key as the tree has it. */
export interface MessageAccount {
	readonly key: Buffer;
	readonly maxBytes: number;
}

export function messageId(message: Buffer): number {
	return message.readUInt32BE(messageAt.id);
}

export function messageReserve(message: Buffer): Reserve {
	return message[messageAt.reserve] as Reserve;
}

export function messageAccount(message: Buffer): MessageAccount | undefined {
	const length = message.readUInt16BE(messageAt.accountBytes);
	if (length === 0) return undefined;
	const end = messageHeaderBytes + length;
	return { key: message.subarray(messageHeaderBytes, end), maxBytes: message.readDoubleBE(end) };
}

/** The account's key as a text of one character a byte; "" without an account, and for what is no message. */
export function messageLane(message: Buffer): string {
	if (message.length < messageHeaderBytes) return "";
	const length = message.readUInt16BE(messageAt.accountBytes);
	return message.toString("latin1", messageHeaderBytes, messageHeaderBytes + length);
}

export function messageAudit(message: Buffer): string[] {
	const count = message.readUInt16BE(messageAt.audits);
	const cursor = { position: auditStart(message) };
	return Array.from({ length: count }, () => nextPart(message, cursor, 2).toString("utf8"));
}

/** Where the checks begin. */
export function bodyStart(message: Buffer): Cursor {
	const cursor = { position: auditStart(message) };
	for (let count = message.readUInt16BE(messageAt.audits); count > 0; count--) nextPart(message, cursor, 2);
	return cursor;
}

export function nextKey(message: Buffer, cursor: Cursor): Buffer {
	cursor.position += 1;
	return nextPart(message, cursor, 2);
}

export function nextPart(message: Buffer, cursor: Cursor, lengthBytes: 2 | 4): Buffer {
	const length = lengthBytes === 2 ? message.readUInt16BE(cursor.position) : message.readUInt32BE(cursor.position);
	const start = cursor.position + lengthBytes;
	cursor.position = start + length;
	return message.subarray(start, cursor.position);
}

export function skipCheck(message: Buffer, cursor: Cursor): void {
	const tag = message[cursor.position];
	nextKey(message, cursor);
	if (tag === tags.version) cursor.position += 6;
}

export function hasIncrement(message: Buffer, start: number, operations: number): boolean {
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

function auditStart(message: Buffer): number {
	const account = message.readUInt16BE(messageAt.accountBytes);
	return messageHeaderBytes + (account === 0 ? 0 : account + 8);
}
