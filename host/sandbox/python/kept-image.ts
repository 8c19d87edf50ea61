import { closeSync, openSync, readSync } from "node:fs";
import type { GuestFile } from "../engine.ts";
import type { GuestImage } from "../guest.ts";
import { type EngineLayout, readLayout } from "../image-file.ts";
import type { GuestMemory } from "../wasm-memory.ts";

/**
 * Python's image in its file, from which it is read into the memory of each instance: the system keeps the file in its own memory, once for all workers, and a
 * copy in each of them would take 20 MB. Nobody writes to such a file once it has its name.
 */
export class KeptImage implements Disposable {
	readonly minimumPages: number;
	readonly pages: number;
	readonly stackPointer: number;
	readonly places: GuestImage["places"];
	readonly files: readonly GuestFile[];
	readonly #descriptor: number;
	readonly #layout: EngineLayout;

	/** Throws an Error when there is none. */
	constructor(file: string) {
		this.#descriptor = openSync(file, "r");
		this.#layout = readLayout((position, length) => this.#read(position, Buffer.allocUnsafeSlow(length)));
		const { header, files } = this.#layout;
		this.minimumPages = header.minimumPages;
		this.pages = header.pages;
		this.stackPointer = header.stackPointer;
		this.places = header.places;
		this.files = files.map(({ path, position, length }) => ({
			path,
			content: this.#read(position, Buffer.allocUnsafeSlow(length)),
		}));
	}

	/** The module, compiled. What it is compiled of is not kept. */
	compile(): WebAssembly.Module {
		const { position, length } = this.#layout.binary;
		return new WebAssembly.Module(this.#read(position, Buffer.allocUnsafeSlow(length)));
	}

	/** Makes the memory, whatever is in it, that of the image. */
	writeTo(memory: GuestMemory): void {
		memory.clearAround(this.#layout.memory);
		for (const { offset, length, position } of this.#layout.memory)
			this.#read(position, memory.bytes.subarray(offset, offset + length));
	}

	[Symbol.dispose](): void {
		closeSync(this.#descriptor);
	}

	#read<Bytes extends Uint8Array>(position: number, into: Bytes): Bytes {
		for (let done = 0; done < into.length; ) {
			const read = readSync(this.#descriptor, into, done, into.length - done, position + done);
			if (read === 0) throw new Error("Python's image is shorter than it says.");
			done += read;
		}
		return into;
	}
}
