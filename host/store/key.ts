import { RuntimeError } from "../contract/errors.ts";
import type { StoreKey } from "./store.ts";

/** Bytes that an encoded key may have; what LMDB allows (1,978), less what indexes put before it. */
export const maxKeyBytes = 1_900;
export const maxKeyElements = 8;

/** A buffer with this much room behind the position takes any key that `writeKey` does not refuse, and the element that it refuses. */
export const keyRoomBytes = 8_192;

// A number is 01 and seven bytes, big endian. A text is 02, its UTF-8 with 00 written as 00 FF, and 00. The next element (01, 02) or the
// end of the key is less than FF, so bytes compare as tuples do, and everything below a tuple lies between its bytes and its bytes + FF.
const numberTag = 1;
const textTag = 2;

/** Writes the key's bytes and returns the position behind them. Throws `invalid` or `too-large`; what lies behind the position is then undefined. */
export function writeKey(key: StoreKey, target: Buffer, start: number): number {
	if (key.length > maxKeyElements)
		throw new RuntimeError("invalid", `A store key has ${key.length} elements; at most ${maxKeyElements} are allowed.`);
	let position = start;
	for (let index = 0; index < key.length; index++) {
		const element = key[index];
		position =
			typeof element === "string" ? writeText(element, target, position) + 1 : writeNumber(element as number, target, position);
		if (typeof element === "string") target[position - 1] = 0;
		if (position - start > maxKeyBytes) throw tooLarge(position - start);
	}
	return position;
}

/** Writes the bytes that all texts beginning with `text` begin with. */
export function writeTextPrefix(text: string, target: Buffer, start: number): number {
	return writeText(text, target, start);
}

/** The tuple in bytes that `writeKey` made. Throws `internal` for others. */
export function readKey(bytes: Buffer, start: number, end: number): StoreKey {
	const key: (string | number)[] = [];
	let position = start;
	while (position < end) {
		const tag = bytes[position++];
		if (tag === numberTag) {
			key.push(bytes.readUInt8(position) * 2 ** 48 + bytes.readUIntBE(position + 1, 6));
			position += 7;
			continue;
		}
		if (tag !== textTag) throw damagedKey();
		let terminator = bytes.indexOf(0, position);
		if (terminator < 0 || terminator >= end) throw damagedKey();
		if (terminator + 1 >= end || bytes[terminator + 1] !== 0xff) {
			key.push(bytes.toString("utf8", position, terminator));
		} else {
			let text = "";
			while (terminator + 1 < end && bytes[terminator + 1] === 0xff) {
				text += `${bytes.toString("utf8", position, terminator)}\0`;
				position = terminator + 2;
				terminator = bytes.indexOf(0, position);
				if (terminator < 0 || terminator >= end) throw damagedKey();
			}
			key.push(text + bytes.toString("utf8", position, terminator));
		}
		position = terminator + 1;
	}
	return key;
}

function writeNumber(value: number, target: Buffer, start: number): number {
	if (!Number.isSafeInteger(value) || value < 0 || Object.is(value, -0))
		throw new RuntimeError("invalid", `A store key has the element ${String(value)}; numbers must be whole, from 0 to 2^53-1.`);
	target[start] = numberTag;
	target[start + 1] = Math.floor(value / 2 ** 48);
	target.writeUIntBE(value % 2 ** 48, start + 2, 6);
	return start + 8;
}

function writeText(text: string, target: Buffer, start: number): number {
	// Every UTF-16 unit takes at least one byte: refused before it could run over the target.
	if (text.length > maxKeyBytes) throw tooLarge(text.length);
	target[start] = textTag;
	let position = start + 1;
	for (let index = 0; index < text.length; index++) {
		const unit = text.charCodeAt(index);
		if (unit === 0 || unit >= 0x80) return writeAnyText(text, target, start + 1);
		target[position++] = unit;
	}
	return position;
}

function writeAnyText(text: string, target: Buffer, start: number): number {
	if (!text.isWellFormed()) throw new RuntimeError("invalid", "A store key holds half of a surrogate pair.");
	let end = start + target.write(text, start, "utf8");
	let zero = target.indexOf(0, start);
	while (zero >= 0 && zero < end) {
		target.copyWithin(zero + 2, zero + 1, end);
		target[zero + 1] = 0xff;
		end++;
		zero = target.indexOf(0, zero + 2);
	}
	return end;
}

function tooLarge(bytes: number): RuntimeError {
	return new RuntimeError("too-large", `A store key has ${bytes} bytes or more; the limit is ${maxKeyBytes}.`, {
		limit: { name: "maxKeyBytes", value: maxKeyBytes, unit: "bytes" },
	});
}

function damagedKey(): RuntimeError {
	return new RuntimeError("internal", "The store holds a key that is damaged.");
}
