import type { FileContent, FixedContent } from "./file-content.ts";

/** What a file, a directory and a device have in common. Times are nanoseconds since 1970. */
abstract class FileNode {
	readonly inode: number;
	/** Of the base, which all runs share: nothing of it may be changed. */
	readonly isReadOnly: boolean;
	/** The permission bits. The guest is the owner of everything. */
	mode: number;
	accessedAt: bigint;
	modifiedAt: bigint;
	changedAt: bigint;

	constructor(inode: number, isReadOnly: boolean, mode: number, at: bigint) {
		this.inode = inode;
		this.isReadOnly = isReadOnly;
		this.mode = mode;
		this.accessedAt = at;
		this.modifiedAt = at;
		this.changedAt = at;
	}

	/** Whether the owner has all of `permission`: 4 to read, 2 to write, 1 to search or execute. */
	permits(permission: number): boolean {
		return ((this.mode >> 6) & permission) === permission;
	}
}

/** A file has one name or none: there are no hard links. Its content lives as long as it has a name or is open. */
export class RegularFile extends FileNode {
	readonly kind = "file";
	readonly content: FileContent | FixedContent;
	isLinked = true;
	openCount = 0;

	constructor(inode: number, isReadOnly: boolean, mode: number, at: bigint, content: FileContent | FixedContent) {
		super(inode, isReadOnly, mode, at);
		this.content = content;
	}
}

/** Reads and writes as much as it likes of what it is given, and tells how much. */
export interface DeviceDriver {
	readonly read: (into: Uint8Array) => number;
	readonly write: (from: Uint8Array) => number;
	readonly isSeekable: boolean;
}

export class Device extends FileNode {
	readonly kind = "device";
	readonly driver: DeviceDriver;

	constructor(inode: number, mode: number, at: bigint, driver: DeviceDriver) {
		super(inode, true, mode, at);
		this.driver = driver;
	}
}

export interface DirectoryEntry {
	/** One character for each byte. */
	readonly name: string;
	/** Its place in the order of a listing. */
	readonly sequence: number;
	/** None when it has been removed. */
	node: Node | undefined;
}

/** Listings begin with "." and "..", which are not stored. */
const firstSequence = 3;
/** So many removed entries may stay, beside as many as there are others. */
const sparedRemovals = 32;

/**
 * Entries are listed in the order in which they were made, from any place in that order, while others are removed and added. Nothing is
 * kept for a listing that is under way: a guest may begin as many as it likes.
 */
export class Directory extends FileNode {
	readonly kind = "directory";
	name: string;
	/** The root's is itself; one that was removed has none. */
	parent: Directory | undefined;
	#byName = new Map<string, DirectoryEntry>();
	#inOrder: DirectoryEntry[] = [];
	#nextSequence = firstSequence;

	constructor(inode: number, isReadOnly: boolean, mode: number, at: bigint, name: string, parent: Directory | undefined) {
		super(inode, isReadOnly, mode, at);
		this.name = name;
		this.parent = parent ?? this;
	}

	get size(): number {
		return this.#byName.size;
	}

	get(name: string): Node | undefined {
		return this.#byName.get(name)?.node;
	}

	/** The name must be free. */
	add(name: string, node: Node): void {
		const entry = { name, sequence: this.#nextSequence++, node };
		this.#byName.set(name, entry);
		this.#inOrder.push(entry);
	}

	delete(name: string): void {
		const entry = this.#byName.get(name);
		if (entry === undefined) return;
		entry.node = undefined;
		this.#byName.delete(name);
		if (this.#inOrder.length > 2 * this.#byName.size + sparedRemovals)
			this.#inOrder = this.#inOrder.filter(({ node }) => node !== undefined);
	}

	clear(): void {
		this.#byName = new Map();
		this.#inOrder = [];
		this.#nextSequence = firstSequence;
	}

	/** The entries that come after a place in the order. */
	*after(sequence: number): Generator<DirectoryEntry & { readonly node: Node }> {
		let low = 0;
		let high = this.#inOrder.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#inOrder[middle] as DirectoryEntry).sequence <= sequence) low = middle + 1;
			else high = middle;
		}
		for (let index = low; index < this.#inOrder.length; index++) {
			const { name, sequence, node } = this.#inOrder[index] as DirectoryEntry;
			if (node !== undefined) yield { name, sequence, node };
		}
	}
}

export type Node = RegularFile | Directory | Device;
