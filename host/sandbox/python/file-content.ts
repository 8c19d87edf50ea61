import { SystemError, systemErrors } from "./errno.ts";
import type { FileSpace } from "./file-space.ts";

/** A file grows without being copied, and one that is mostly holes takes what was written. */
const blockBytes = 16_384;
/** The first block doubles up to its full size, so that small files take little. */
const smallestBlockBytes = 512;

/** Bytes that nobody changes, which all runs share. */
export class FixedContent {
	readonly #bytes: Uint8Array;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	get size(): number {
		return this.#bytes.length;
	}

	/** Fills `into` as far as there is content from `at` on, and tells how far. */
	read(at: number, into: Uint8Array): number {
		const part = this.#bytes.subarray(at, at + into.length);
		into.set(part);
		return part.length;
	}
}

/** The content of a file of a run, in blocks, which are taken from its space before they are allocated. What was never written is zero. */
export class FileContent {
	readonly #space: FileSpace;
	#blocks: (Uint8Array | undefined)[] = [];
	#blocksBytes = 0;
	#size = 0;

	constructor(space: FileSpace) {
		this.#space = space;
	}

	get size(): number {
		return this.#size;
	}

	/** Fills `into` as far as there is content from `at` on, and tells how far. */
	read(at: number, into: Uint8Array): number {
		const end = Math.min(at + into.length, this.#size);
		for (let from = at; from < end; ) {
			const offset = from % blockBytes;
			const part = Math.min(blockBytes - offset, end - from);
			const found = this.#blocks[(from - offset) / blockBytes]?.subarray(offset, offset + part);
			if (found !== undefined) into.set(found, from - at);
			// A hole, or the part of a first block that it does not have yet.
			into.fill(0, from - at + (found?.length ?? 0), from - at + part);
			from += part;
		}
		return Math.max(end - at, 0);
	}

	/** Writes as much as there is room for, and tells how much that is. Throws EFBIG or ENOSPC when it is nothing. */
	write(at: number, from: Uint8Array): number {
		if (from.length === 0) return 0;
		const { maxBytes } = this.#space.limits;
		if (at >= maxBytes) throw systemErrors.EFBIG;
		const end = Math.min(at + from.length, maxBytes);
		let done = at;
		try {
			while (done < end) {
				const offset = done % blockBytes;
				const part = Math.min(blockBytes - offset, end - done);
				this.#block((done - offset) / blockBytes, offset + part).set(from.subarray(done - at, done - at + part), offset);
				done += part;
			}
		} catch (error) {
			if (done === at || !(error instanceof SystemError)) throw error;
		}
		this.#size = Math.max(this.#size, done);
		return done - at;
	}

	/** Cuts, or lengthens with a hole. Throws EFBIG. */
	truncate(size: number): void {
		if (size > this.#space.limits.maxBytes) throw systemErrors.EFBIG;
		const kept = Math.ceil(size / blockBytes);
		for (let index = kept; index < this.#blocks.length; index++) this.#give(this.#blocks[index]?.length ?? 0);
		this.#blocks.length = Math.min(kept, this.#blocks.length);
		// A file that is lengthened again shows nothing of what it was.
		if (size < this.#size) this.#blocks[kept - 1]?.fill(0, size - (kept - 1) * blockBytes);
		this.#size = size;
	}

	/** Has blocks for everything up to `end`, so that what is written there later finds room. Throws EFBIG or ENOSPC. */
	allocate(start: number, end: number): void {
		if (end > this.#space.limits.maxBytes) throw systemErrors.EFBIG;
		for (let from = start; from < end; ) {
			const offset = from % blockBytes;
			const part = Math.min(blockBytes - offset, end - from);
			this.#block((from - offset) / blockBytes, offset + part);
			from += part;
		}
		this.#size = Math.max(this.#size, end);
	}

	/** Gives the space back; the content is empty from now on. */
	release(): void {
		this.#give(this.#blocksBytes);
		this.#blocks = [];
		this.#size = 0;
	}

	/** The block, with at least so many bytes. */
	#block(index: number, needed: number): Uint8Array {
		const block = this.#blocks[index];
		if (block !== undefined && block.length >= needed) return block;
		let length = index === 0 ? (block?.length ?? smallestBlockBytes) : blockBytes;
		while (length < needed) length *= 2;
		this.#take(length - (block?.length ?? 0));
		const grown = new Uint8Array(length);
		if (block !== undefined) grown.set(block);
		this.#blocks[index] = grown;
		return grown;
	}

	#take(bytes: number): void {
		this.#space.take(bytes);
		this.#blocksBytes += bytes;
	}

	#give(bytes: number): void {
		this.#space.give(bytes);
		this.#blocksBytes -= bytes;
	}
}
