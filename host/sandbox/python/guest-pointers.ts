import type { GuestMemory } from "../wasm-memory.ts";
import { systemErrors } from "./errno.ts";
import { maxPathBytes } from "./file-tree.ts";

/** As many as Linux takes. */
const maxVectors = 1024;
const vectorBytes = 8;

/**
 * The guest's memory as system calls read and write it. Addresses and lengths are whatever a guest likes, and none of them need be aligned: what is
 * not all inside of the memory is EFAULT, before anything is read, written or allocated.
 */
export class GuestPointers {
	readonly #memory: () => GuestMemory;

	constructor(memory: () => GuestMemory) {
		this.#memory = memory;
	}

	has(address: number, length: number): boolean {
		return (address >>> 0) + (length >>> 0) <= this.#memory().bytes.length;
	}

	/** A view, which counts until the guest goes on. */
	bytes(address: number, length: number): Buffer {
		const { bytes } = this.#memory();
		const start = address >>> 0;
		const end = start + (length >>> 0);
		if (end > bytes.length) throw systemErrors.EFAULT;
		return bytes.subarray(start, end);
	}

	/** A view that is all zero. */
	cleared(address: number, length: number): Buffer {
		return this.bytes(address, length).fill(0);
	}

	/** One character for each byte, up to the zero. Throws ENAMETOOLONG when there is none soon enough for a path. */
	path(address: number): string {
		const { bytes } = this.#memory();
		const start = address >>> 0;
		// Zero is what a program passes for no path.
		if (start === 0 || start >= bytes.length) throw systemErrors.EFAULT;
		const found = bytes.subarray(start, start + maxPathBytes);
		const length = found.indexOf(0);
		if (length < 0) throw found.length < maxPathBytes ? systemErrors.EFAULT : systemErrors.ENAMETOOLONG;
		return found.toString("latin1", 0, length);
	}

	int32(address: number): number {
		return this.bytes(address, 4).readInt32LE();
	}

	setInt32(address: number, value: number): void {
		this.bytes(address, 4).writeInt32LE(value | 0);
	}

	setInt64(address: number, value: bigint): void {
		this.bytes(address, 8).writeBigInt64LE(BigInt.asIntN(64, value));
	}

	/** What a list of addresses and lengths points at, without what is empty. */
	vectors(address: number, count: number): Buffer[] {
		if (count >>> 0 > maxVectors) throw systemErrors.EINVAL;
		const list = this.bytes(address, count * vectorBytes);
		const vectors: Buffer[] = [];
		for (let at = 0; at < list.length; at += vectorBytes) {
			const vector = this.bytes(list.readUInt32LE(at), list.readUInt32LE(at + 4));
			if (vector.length > 0) vectors.push(vector);
		}
		return vectors;
	}
}
