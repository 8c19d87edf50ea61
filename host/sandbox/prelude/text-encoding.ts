type Bytes = ArrayBuffer | ArrayBufferView;

interface DecoderOptions {
	readonly fatal?: boolean;
	readonly ignoreBOM?: boolean;
}

/** UTF-8, as the Encoding Standard has it: lone surrogates become U+FFFD. */
export class TextEncoder {
	get encoding(): string {
		return "utf-8";
	}

	encode(input: unknown = ""): Uint8Array<ArrayBuffer> {
		const text = `${input}`;
		const bytes = new Uint8Array(text.length * 3);
		return bytes.slice(0, encodeTo(text, bytes).written);
	}

	encodeInto(source: unknown, destination: Uint8Array): { read: number; written: number } {
		return encodeTo(`${source}`, destination);
	}
}

function encodeTo(text: string, bytes: Uint8Array): { read: number; written: number } {
	let read = 0;
	let written = 0;
	while (read < text.length) {
		let code = text.charCodeAt(read);
		let units = 1;
		if (code >= 0xd800 && code < 0xe000) {
			const next = text.charCodeAt(read + 1);
			if (code < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
				code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
				units = 2;
			} else code = 0xfffd;
		}
		const length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		if (written + length > bytes.length) break;
		if (length === 1) bytes[written] = code;
		else {
			bytes[written] = (0xf00 >> length) | (code >> (6 * (length - 1)));
			for (let rest = 1; rest < length; rest++) bytes[written + rest] = 0x80 | ((code >> (6 * (length - 1 - rest))) & 0x3f);
		}
		written += length;
		read += units;
	}
	return { read, written };
}

/** The encodings there are, by their labels. A single-byte encoding other than these is not supported. */
const encodings: Record<string, string> = {
	"utf-8": "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
	"utf-16le": "utf-16le utf-16 ucs-2 unicode csunicode iso-10646-ucs-2 unicodefeff",
	"utf-16be": "utf-16be unicodefffe",
	"windows-1252": "windows-1252 latin1 l1 iso-8859-1 iso8859-1 iso88591 iso_8859-1 ascii us-ascii cp1252 x-cp1252 cp819 ibm819",
};

/** What windows-1252 has at 0x80 to 0x9f. */
const windows1252 =
	"\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";

export class TextDecoder {
	readonly #encoding: string;
	readonly #fatal: boolean;
	readonly #ignoreBOM: boolean;
	/** Bytes of a character whose rest comes with the next chunk. */
	#held: Uint8Array = new Uint8Array(0);
	#mayHaveBOM = true;

	constructor(label: unknown = "utf-8", options: DecoderOptions = {}) {
		const wanted = `${label}`.trim().toLowerCase();
		const found = Object.keys(encodings).find((name) => (encodings[name] as string).split(" ").includes(wanted));
		if (found === undefined) throw new RangeError(`The "${label}" encoding is not supported`);
		this.#encoding = found;
		this.#fatal = Boolean(options.fatal);
		this.#ignoreBOM = Boolean(options.ignoreBOM);
	}

	get encoding(): string {
		return this.#encoding;
	}

	get fatal(): boolean {
		return this.#fatal;
	}

	get ignoreBOM(): boolean {
		return this.#ignoreBOM;
	}

	decode(input?: Bytes, options: { readonly stream?: boolean } = {}): string {
		const chunk = input === undefined ? new Uint8Array(0) : toBytes(input);
		const bytes = this.#held.length === 0 ? chunk : concatenate([this.#held, chunk]);
		const isLast = !options.stream;
		const complete = isLast ? bytes.length : this.#completeLength(bytes);
		this.#held = isLast ? new Uint8Array(0) : bytes.slice(complete);
		let text: string;
		try {
			text = this.#decode(bytes.subarray(0, complete));
		} catch (error) {
			this.#held = new Uint8Array(0);
			this.#mayHaveBOM = true;
			throw error;
		}
		if (this.#mayHaveBOM && text !== "") {
			this.#mayHaveBOM = false;
			if (!this.#ignoreBOM && this.#encoding !== "windows-1252" && text[0] === "\ufeff") text = text.slice(1);
		}
		if (isLast) this.#mayHaveBOM = true;
		return text;
	}

	#decode(bytes: Uint8Array): string {
		switch (this.#encoding) {
			case "utf-8":
				return decodeUtf8(bytes, this.#fatal);
			case "windows-1252":
				return toBinaryText(bytes).replace(/[\x80-\x9f]/g, (character) => windows1252[character.charCodeAt(0) - 0x80] as string);
			default:
				return decodeUtf16(bytes, this.#encoding === "utf-16be", this.#fatal);
		}
	}

	/** How many bytes from the start do not end within a character. */
	#completeLength(bytes: Uint8Array): number {
		if (this.#encoding === "windows-1252") return bytes.length;
		if (this.#encoding === "utf-8") return completeUtf8(bytes);
		const even = bytes.length & ~1;
		const high = bytes[even - (this.#encoding === "utf-16be" ? 2 : 1)] ?? 0;
		return high >= 0xd8 && high < 0xdc ? even - 2 : even;
	}
}

/** A view of the bytes of a buffer or of another view. */
export function toBytes(input: Bytes): Uint8Array<ArrayBuffer> {
	if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer as ArrayBuffer, input.byteOffset, input.byteLength);
	if (input instanceof ArrayBuffer || (input as unknown) instanceof SharedArrayBuffer) return new Uint8Array(input);
	throw new TypeError("The input must be an ArrayBuffer or a view of one");
}

export function concatenate(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
	let length = 0;
	for (const chunk of chunks) length += chunk.length;
	const whole = new Uint8Array(length);
	let offset = 0;
	for (const chunk of chunks) {
		whole.set(chunk, offset);
		offset += chunk.length;
	}
	return whole;
}

/** One character for each byte. */
function toBinaryText(bytes: Uint8Array): string {
	let text = "";
	for (let start = 0; start < bytes.length; start += 4096)
		text += String.fromCharCode.apply(undefined, bytes.subarray(start, start + 4096) as unknown as number[]);
	return text;
}

/** Built-in functions do the work for valid text, many times faster than a loop in an interpreter. */
export function decodeUtf8(bytes: Uint8Array, fatal = false): string {
	const binary = toBinaryText(bytes);
	if (!/[\x80-\xff]/.test(binary)) return binary;
	try {
		return decodeURIComponent(escape(binary));
	} catch {
		if (fatal) throw new TypeError("The encoded data was not valid for encoding utf-8");
		return decodeMalformedUtf8(bytes);
	}
}

/** Every longest part that could begin a character becomes one U+FFFD. */
function decodeMalformedUtf8(bytes: Uint8Array): string {
	let text = "";
	let index = 0;
	while (index < bytes.length) {
		const first = bytes[index++] as number;
		if (first < 0x80) {
			text += String.fromCharCode(first);
			continue;
		}
		const needed = lengthOf(first) - 1;
		let code = needed > 0 ? first & (0x3f >> needed) : 0;
		let taken = 0;
		while (taken < needed && isContinuation(first, taken, bytes[index])) {
			code = (code << 6) | ((bytes[index++] as number) & 0x3f);
			taken++;
		}
		text += needed > 0 && taken === needed ? String.fromCodePoint(code) : "\ufffd";
	}
	return text;
}

/** How many bytes a character has that begins with this one; 0 when none does. */
function lengthOf(first: number): number {
	if (first < 0x80) return 1;
	if (first < 0xc2 || first > 0xf4) return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** The second byte has a narrower range after some first ones: no overlong forms, no surrogates, nothing over U+10FFFF. */
function isContinuation(first: number, taken: number, byte: number | undefined): boolean {
	if (byte === undefined || (byte & 0xc0) !== 0x80) return false;
	if (taken > 0) return true;
	if (first === 0xe0) return byte >= 0xa0;
	if (first === 0xed) return byte < 0xa0;
	if (first === 0xf0) return byte >= 0x90;
	return first !== 0xf4 || byte < 0x90;
}

function completeUtf8(bytes: Uint8Array): number {
	for (let back = 1; back <= 3 && back <= bytes.length; back++) {
		const start = bytes.length - back;
		const first = bytes[start] as number;
		if ((first & 0xc0) === 0x80) continue;
		if (lengthOf(first) <= back) return bytes.length;
		for (let taken = 0; taken < back - 1; taken++)
			if (!isContinuation(first, taken, bytes[start + 1 + taken])) return bytes.length;
		return start;
	}
	return bytes.length;
}

function decodeUtf16(bytes: Uint8Array, isBigEndian: boolean, fatal: boolean): string {
	const units: number[] = [];
	let text = "";
	for (let index = 0; index + 1 < bytes.length; index += 2) {
		const [a, b] = [bytes[index] as number, bytes[index + 1] as number];
		units.push(isBigEndian ? (a << 8) | b : (b << 8) | a);
		if (units.length === 4096) text += String.fromCharCode.apply(undefined, units.splice(0));
	}
	text += String.fromCharCode.apply(undefined, units);
	// Half a unit at the end, alone or behind half a character, is one mistake.
	if (bytes.length % 2 === 1 && !/[\ud800-\udbff]$/.test(text)) text += "\ud800";
	if (fatal && !text.isWellFormed()) throw new TypeError("The encoded data was not valid for encoding utf-16");
	return text.toWellFormed();
}
