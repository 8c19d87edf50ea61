import type { MemorySegment } from "./guest.ts";

/** Text up to these lengths is copied faster character by character than by a call of native code. */
const shortRead = 8;
const shortWrite = 32;

const copiedPageBytes = 4096;
const clearedAtOnce = 65_536;
/** As many bytes as a cache line has. */
const comparedShift = 64;
const emptyPage = new Uint8Array(copiedPageBytes);

/** The linear memory of a guest as the glue reads and writes it. Views are renewed when the memory has grown. */
export class GuestMemory {
	readonly memory: WebAssembly.Memory;
	#bytes: Buffer<ArrayBuffer>;
	#words: Uint32Array<ArrayBuffer>;

	constructor(memory: WebAssembly.Memory) {
		this.memory = memory;
		this.#bytes = Buffer.from(memory.buffer);
		this.#words = new Uint32Array(memory.buffer);
	}

	/** A grown memory detaches its old buffer, whose views then have no length. */
	get bytes(): Buffer<ArrayBuffer> {
		if (this.#bytes.length === 0) this.#renew();
		return this.#bytes;
	}

	get words(): Uint32Array<ArrayBuffer> {
		if (this.#words.length === 0) this.#renew();
		return this.#words;
	}

	word(address: number): number {
		return this.words[address >>> 2] as number;
	}

	setWord(address: number, value: number): void {
		this.words[address >>> 2] = value;
	}

	/** One byte a character, as QuickJS stores text without characters over U+00FF. */
	latin1(start: number, length: number): string {
		const bytes = this.bytes;
		if (length > shortRead) return bytes.toString("latin1", start, start + length);
		let text = "";
		for (let index = start; index < start + length; index++) text += String.fromCharCode(bytes[index] as number);
		return text;
	}

	/** Two bytes a character; lone surrogates stay what they are. */
	utf16(start: number, length: number): string {
		return this.bytes.toString("utf16le", start, start + 2 * length);
	}

	/** UTF-8 up to the zero byte; what is not UTF-8 becomes U+FFFD. */
	zeroTerminated(start: number): string {
		const bytes = this.bytes;
		const end = bytes.indexOf(0, start);
		return bytes.toString("utf8", start, end < 0 ? bytes.length : end);
	}

	/** Writes `text` if it is ASCII and no longer than a third of `limit`; tells whether it did. Uses up to `limit` bytes. */
	writeShortAscii(address: number, text: string, limit: number): boolean {
		const { length } = text;
		// No UTF-16 unit takes more than three bytes, so that what is written is not cut.
		if (3 * length > limit) return false;
		const bytes = this.bytes;
		if (length > shortWrite) return bytes.write(text, address, limit, "utf8") === length;
		for (let index = 0; index < length; index++) {
			const code = text.charCodeAt(index);
			if (code > 0x7f) return false;
			bytes[address + index] = code;
		}
		return true;
	}

	/** Writes well-formed text that is `byteLength` long in UTF-8. */
	writeUtf8(address: number, text: string, byteLength: number): void {
		if (byteLength === text.length) this.bytes.write(text, address, byteLength, "latin1");
		else this.bytes.write(text, address, byteLength, "utf8");
	}

	writeUtf16(address: number, text: string): void {
		this.bytes.write(text, address, 2 * text.length, "utf16le");
	}

	/** A copy of the pages that are not all zero, pages in a row as one segment. */
	copy(): MemorySegment[] {
		const bytes = this.bytes;
		const segments: MemorySegment[] = [];
		let start = -1;
		for (let page = 0; page <= bytes.length; page += copiedPageBytes) {
			const isEmpty = page === bytes.length || bytes.compare(emptyPage, 0, copiedPageBytes, page, page + copiedPageBytes) === 0;
			if (!isEmpty && start < 0) start = page;
			if (!isEmpty || start < 0) continue;
			segments.push({ offset: start, bytes: new Uint8Array(bytes.subarray(start, page)) });
			start = -1;
		}
		return segments;
	}

	/** Makes a memory that is zero elsewhere what it was when the segments were copied. */
	write(segments: readonly MemorySegment[]): void {
		for (const { offset, bytes } of segments) this.bytes.set(bytes, offset);
	}

	/** Makes the memory, whatever is in it, what it was when the segments were copied. */
	overwrite(segments: readonly MemorySegment[]): void {
		this.clearAround(segments.map(({ offset, bytes }) => ({ offset, length: bytes.length })));
		this.write(segments);
	}

	/** Makes zero what is in none of the segments, which are in the order of their offsets. */
	clearAround(segments: readonly { readonly offset: number; readonly length: number }[]): void {
		let end = 0;
		for (const { offset, length } of segments) {
			this.#clear(end, offset);
			end = offset + length;
		}
		this.#clear(end, this.bytes.length);
	}

	/**
	 * Makes a range all zero. Most of what is zero in an image no script has used: to read that it still is costs less than to write it, and pages
	 * that were never written take no memory.
	 */
	#clear(start: number, end: number): void {
		const memory = this.bytes;
		for (let at = start; at < end; at += clearedAtOnce) {
			const stop = Math.min(at + clearedAtOnce, end);
			if (!this.#isEmpty(at, stop)) memory.fill(0, at, stop);
		}
	}

	/** A range is all zero when its beginning is, and each part equals the one before. */
	#isEmpty(start: number, end: number): boolean {
		const memory = this.bytes;
		const first = Math.min(start + comparedShift, end);
		for (let at = start; at < first; at++) if (memory[at] !== 0) return false;
		return memory.compare(memory, first, end, start, start + end - first) === 0;
	}

	#renew(): void {
		this.#bytes = Buffer.from(this.memory.buffer);
		this.#words = new Uint32Array(this.memory.buffer);
	}
}
