// How a guest process and its host talk, over two sockets. On the first the guest asks, one thing at a time, and waits: so a call that the host can
// answer at once is answered at once, as in a thread. On the second the host tells what comes later.

/** What a guest says. The last three are answered, on the same socket. */
export const guestFrames = {
	/** The engine is made. */
	ready: 1,
	/** The run is over. head: `{ failure?, usage }`, tail: what it returned. */
	ended: 2,
	/** The engine failed. head: why. */
	broken: 3,
	/** Nobody waits for the fetch `id` any more. */
	cancel: 4,
	/** A call of the contract. number: its operation, head: parameters, tail: body. Answered with `answer` or `later`. */
	call: 5,
	/** A request. head: `[url, method, headers, redirect]`, tail: body in base64. Answered with `later`. */
	fetch: 6,
	/** Printed text. number: 0 stdout, 1 stderr, head: the text. Answered with `answer`: "full" when the log takes no more. */
	print: 7,
} as const;

/** What a host says: the first two as answers, the others on the second socket. number, of an answer: what goes into the cell that the engine polls. */
export const hostFrames = {
	/** head: JSON, empty for nothing; an error is JSON behind a `!`. */
	answer: 1,
	/** `settled` with the same id will come. */
	later: 2,
	/** head: as in `answer`. */
	settled: 3,
	/** A run. head: a `GuestOrder`, tail: the script's source. */
	run: 4,
	/** The run has to stop. head: why. */
	stop: 5,
	/** A file of the run that comes next. head: its path, tail: its content in base64. */
	file: 6,
} as const;

/** One message. Its meaning is in the tables. */
export interface Frame {
	readonly type: number;
	/** Of a call or a fetch; unique for the life of the process. */
	readonly id: number;
	readonly number: number;
	readonly head: string;
	readonly tail?: string | undefined;
}

/** Bytes that a guest may put into one frame: what the contract takes is smaller, and what is larger would have been refused for its size. */
export const maxGuestFrameBytes = 64 * 1024 * 1024;

/** Characters of one frame of type `print`; longer texts are printed in parts, so that the log can be found full between them. */
export const maxPrintedCharacters = 256 * 1024;

// length (4, of all that follows), type (1), flags (1), id (4), number (2), length of the head (4), head, tail.
const lengthBytes = 4;
const prefixBytes = 12;
const at = { type: 0, flags: 1, id: 2, number: 6, head: 8 } as const;
/** Texts are UTF-8, but UTF-16 where half of a surrogate pair would become something else: what is wrong with it is said where it is known what it is. */
const flags = { tail: 1, utf16: 2 } as const;

export function encodeFrame({ type, id, number, head, tail }: Frame): Buffer {
	const isUtf8 = head.isWellFormed() && (tail === undefined || tail.isWellFormed());
	const encoding = isUtf8 ? "utf8" : "utf16le";
	const headBytes = Buffer.byteLength(head, encoding);
	const tailBytes = tail === undefined ? 0 : Buffer.byteLength(tail, encoding);
	const bytes = Buffer.allocUnsafe(lengthBytes + prefixBytes + headBytes + tailBytes);
	bytes.writeUInt32LE(prefixBytes + headBytes + tailBytes, 0);
	bytes[lengthBytes + at.type] = type;
	bytes[lengthBytes + at.flags] = (tail === undefined ? 0 : flags.tail) | (isUtf8 ? 0 : flags.utf16);
	bytes.writeUInt32LE(id, lengthBytes + at.id);
	bytes.writeUInt16LE(number, lengthBytes + at.number);
	bytes.writeUInt32LE(headBytes, lengthBytes + at.head);
	bytes.write(head, lengthBytes + prefixBytes, encoding);
	if (tail !== undefined) bytes.write(tail, lengthBytes + prefixBytes + headBytes, encoding);
	return bytes;
}

/** Puts frames together from what arrives. */
export class FrameReader {
	readonly #maxBytes: number;
	#chunks: Buffer[] = [];
	#bytes = 0;

	/** A frame of more than `maxBytes` is refused before it has come. */
	constructor(maxBytes = Number.POSITIVE_INFINITY) {
		this.#maxBytes = maxBytes;
	}

	add(chunk: Buffer): void {
		this.#chunks.push(chunk);
		this.#bytes += chunk.length;
	}

	/** The next frame, when all of it is there. Throws an Error for what is none. */
	next(): Frame | undefined {
		if (this.#bytes < lengthBytes) return undefined;
		if ((this.#chunks[0] as Buffer).length < lengthBytes) this.#join();
		const length = (this.#chunks[0] as Buffer).readUInt32LE(0);
		if (length < prefixBytes || length > this.#maxBytes)
			throw new Error(`a frame of ${length} bytes; it may have ${prefixBytes} to ${this.#maxBytes}`);
		if (this.#bytes < lengthBytes + length) return undefined;
		const bytes = this.#join();
		const rest = bytes.subarray(lengthBytes + length);
		this.#chunks = rest.length > 0 ? [rest] : [];
		this.#bytes = rest.length;
		return decodeFrame(bytes.subarray(lengthBytes, lengthBytes + length));
	}

	#join(): Buffer {
		if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#bytes)];
		return this.#chunks[0] as Buffer;
	}
}

function decodeFrame(bytes: Buffer): Frame {
	const set = bytes[at.flags] as number;
	const encoding = (set & flags.utf16) === 0 ? "utf8" : "utf16le";
	const headEnd = prefixBytes + bytes.readUInt32LE(at.head);
	if (headEnd > bytes.length) throw new Error(`a head of ${headEnd - prefixBytes} bytes in a frame of ${bytes.length}`);
	return {
		type: bytes[at.type] as number,
		id: bytes.readUInt32LE(at.id),
		number: bytes.readUInt16LE(at.number),
		head: bytes.toString(encoding, prefixBytes, headEnd),
		tail: (set & flags.tail) === 0 ? undefined : bytes.toString(encoding, headEnd),
	};
}
