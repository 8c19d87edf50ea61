import { systemErrors } from "./errno.ts";
import { FileContent } from "./file-content.ts";
import type { Node } from "./file-nodes.ts";
import { releaseUnused } from "./file-tree.ts";

/** The numbers of musl for Emscripten, as in what follows. */
export const openFlags = {
	writeOnly: 1,
	readWrite: 2,
	access: 3,
	create: 0o100,
	exclusive: 0o200,
	truncate: 0o1000,
	append: 0o2000,
	nonBlocking: 0o4000,
	directory: 0o200000,
	closeOnExec: 0o2000000,
} as const;

/** What may be changed of an open file's flags. */
const changeableFlags = openFlags.append | openFlags.nonBlocking;
const seekSet = 0;
const seekCurrent = 1;
const seekEnd = 2;

/** A file, a directory or a device as it has been opened once. Descriptors that were duplicated share it. */
export class OpenFile {
	readonly node: Node;
	#flags: number;
	/** Of a directory it is the place in the order of its entries. */
	position = 0;
	#descriptors = 0;

	constructor(node: Node, flags: number) {
		this.node = node;
		this.#flags = flags & (openFlags.access | changeableFlags);
	}

	get flags(): number {
		return this.#flags;
	}

	set flags(flags: number) {
		this.#flags = (this.#flags & ~changeableFlags) | (flags & changeableFlags);
	}

	get isWritable(): boolean {
		return (this.#flags & openFlags.access) !== 0;
	}

	/** Fills `into` from the position, or from `at`, and tells how far; nothing is the end. */
	read(into: Uint8Array, at?: number): number {
		if ((this.#flags & openFlags.access) === openFlags.writeOnly) throw systemErrors.EBADF;
		const { node } = this;
		if (node.kind === "directory") throw systemErrors.EISDIR;
		if (node.kind === "device") {
			if (at !== undefined && !node.driver.isSeekable) throw systemErrors.ESPIPE;
			return node.driver.read(into);
		}
		const done = node.content.read(at ?? this.position, into);
		if (at === undefined) this.position += done;
		return done;
	}

	/** Writes `from` at the position, or at `at`, or at the end of a file opened to append, as far as there is room, and tells how far. */
	write(from: Uint8Array, now: () => bigint, at?: number): number {
		if (!this.isWritable) throw systemErrors.EBADF;
		const { node } = this;
		if (node.kind === "device") {
			if (at !== undefined && !node.driver.isSeekable) throw systemErrors.ESPIPE;
			return node.driver.write(from);
		}
		const content = this.#writableContent();
		if (from.length === 0) return 0;
		const start = this.#flags & openFlags.append ? content.size : (at ?? this.position);
		const done = content.write(start, from);
		if (at === undefined) this.position = start + done;
		node.modifiedAt = node.changedAt = now();
		return done;
	}

	truncate(size: number, now: () => bigint): void {
		this.#writableContent().truncate(size);
		this.node.modifiedAt = this.node.changedAt = now();
	}

	allocate(start: number, end: number, now: () => bigint): void {
		this.#writableContent().allocate(start, end);
		this.node.modifiedAt = this.node.changedAt = now();
	}

	/** The new position. A directory's can only be one that it had. */
	seek(offset: number, whence: number): number {
		const { node } = this;
		if (node.kind === "device") {
			if (!node.driver.isSeekable) throw systemErrors.ESPIPE;
			return 0;
		}
		if (node.kind === "directory" && whence === seekEnd) throw systemErrors.EINVAL;
		const end = node.kind === "file" ? node.content.size : 0;
		const from = whence === seekSet ? 0 : whence === seekCurrent ? this.position : whence === seekEnd ? end : Number.NaN;
		const position = from + offset;
		if (!(position >= 0)) throw systemErrors.EINVAL;
		if (position > Number.MAX_SAFE_INTEGER) throw systemErrors.EOVERFLOW;
		this.position = position;
		return position;
	}

	/** Another descriptor has it. */
	retain(): void {
		this.#descriptors++;
		if (this.#descriptors === 1 && this.node.kind === "file") this.node.openCount++;
	}

	/** One descriptor less has it. */
	release(): void {
		this.#descriptors--;
		if (this.#descriptors > 0 || this.node.kind !== "file") return;
		this.node.openCount--;
		releaseUnused(this.node);
	}

	#writableContent(): FileContent {
		const { node } = this;
		if (!this.isWritable || node.kind !== "file" || !(node.content instanceof FileContent)) throw systemErrors.EINVAL;
		return node.content;
	}
}
