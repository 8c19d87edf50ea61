import { systemErrors } from "./errno.ts";
import { FileContent, FixedContent } from "./file-content.ts";
import { Device, type DeviceDriver, Directory, type Node, RegularFile } from "./file-nodes.ts";
import type { FileSpace } from "./file-space.ts";

/** In bytes, as everywhere. A path's includes the zero at its end. */
export const maxNameBytes = 255;
export const maxPathBytes = 4096;

/** 1980-01-01: the first time that archives can hold. */
const baseTime = 315_532_800_000_000_000n;
const writableDirectories = ["script", "tmp"];

/** Where a path leads to: something that is there, or a name in a directory that is free. */
export interface Place {
	readonly parent: Directory;
	/** Of the entry in the directory; "." and ".." when the path ends so, "" for the root. */
	readonly name: string;
	readonly node: Node | undefined;
	/** Only a directory can be what the path means. */
	readonly endsWithSlash: boolean;
}

/**
 * Files and directories: a base that nobody changes, and `/script` and `/tmp`, which are one run's. Names and paths have one character for each
 * byte, so that they come back as they were given, whatever their encoding is.
 */
export class FileTree {
	readonly root = new Directory(1, true, 0o555, baseTime, "", undefined);
	readonly #space: FileSpace;
	readonly #now: () => bigint;
	readonly #firstInode: number;
	#nextInode = 2;

	constructor(
		base: ReadonlyMap<string, Uint8Array>,
		devices: Readonly<Record<string, DeviceDriver & { mode: number }>>,
		space: FileSpace,
		now: () => bigint,
	) {
		this.#space = space;
		this.#now = now;
		for (const [path, bytes] of base) {
			const names = splitPath(Buffer.from(path).toString("latin1"));
			const name = names.pop() ?? "";
			const parent = names.reduce((directory, each) => this.#baseDirectory(directory, each), this.root);
			parent.add(name, new RegularFile(this.#nextInode++, true, 0o444, baseTime, new FixedContent(bytes)));
		}
		const deviceDirectory = this.#baseDirectory(this.root, "dev");
		for (const [name, driver] of Object.entries(devices))
			deviceDirectory.add(name, new Device(this.#nextInode++, driver.mode, baseTime, driver));
		for (const name of writableDirectories) {
			if (this.root.get(name) !== undefined) throw new Error(`The base has /${name}, which is each run's own.`);
			this.root.add(name, new Directory(this.#nextInode++, false, 0o755, baseTime, name, this.root));
		}
		this.#firstInode = this.#nextInode;
		this.reset();
	}

	/** Everything is what it was before the first run. Takes the same time whatever there is. */
	reset(): void {
		this.#space.reset();
		this.#nextInode = this.#firstInode;
		const at = this.#now();
		for (const name of writableDirectories) {
			const directory = this.root.get(name) as Directory;
			directory.clear();
			directory.mode = 0o755;
			directory.accessedAt = directory.modifiedAt = directory.changedAt = at;
		}
	}

	/** Throws ENOENT, ENOTDIR, ENAMETOOLONG or EACCES when there is no way to the path's last name. */
	locate(from: Directory, path: string): Place {
		if (path === "") throw systemErrors.ENOENT;
		if (path.length >= maxPathBytes) throw systemErrors.ENAMETOOLONG;
		const names = splitPath(path);
		let parent = path.startsWith("/") ? this.root : from;
		const name = names.pop();
		if (name === undefined) return { parent: this.root, name: "", node: this.root, endsWithSlash: true };
		for (const each of names) parent = requireDirectory(found(child(parent, each)));
		return { parent, name, node: child(parent, name), endsWithSlash: path.endsWith("/") && !isDots(name) };
	}

	/** Throws ERANGE when it is longer than any path, and ENOENT when the directory has been removed. */
	path(directory: Directory): string {
		const names: string[] = [];
		let length = 1;
		for (let each = directory; each !== this.root; ) {
			if (each.parent === undefined) throw systemErrors.ENOENT;
			names.unshift(each.name);
			length += each.name.length + 1;
			if (length > maxPathBytes) throw systemErrors.ERANGE;
			each = each.parent;
		}
		return `/${names.join("/")}`;
	}

	makeFile(place: Place, mode: number): RegularFile {
		if (place.endsWithSlash) throw systemErrors.EISDIR;
		const parent = this.#requireRoom(place);
		const file = new RegularFile(this.#nextInode++, false, mode, this.#now(), new FileContent(this.#space));
		this.#add(parent, place.name, file);
		return file;
	}

	makeDirectory(place: Place, mode: number): Directory {
		const parent = this.#requireRoom(place);
		const directory = new Directory(this.#nextInode++, false, mode, this.#now(), place.name, parent);
		this.#add(parent, place.name, directory);
		return directory;
	}

	removeFile(place: Place): void {
		if (requireNode(place).kind === "directory") throw systemErrors.EISDIR;
		this.#remove(requireChangeable(place), place.name);
	}

	removeDirectory(place: Place): void {
		if (place.name === ".") throw systemErrors.EINVAL;
		const directory = requireDirectory(requireNode(place));
		if (place.name === "..") throw systemErrors.ENOTEMPTY;
		const parent = requireChangeable(place);
		if (directory.isReadOnly) throw systemErrors.EROFS;
		if (directory.size > 0) throw systemErrors.ENOTEMPTY;
		this.#remove(parent, place.name);
	}

	rename(from: Place, to: Place): void {
		for (const { name } of [from, to]) if (isDots(name)) throw systemErrors.EBUSY;
		const node = requireNode(from);
		if (to.endsWithSlash && node.kind !== "directory") throw systemErrors.ENOTDIR;
		const source = requireChangeable(from);
		const target = requireChangeable(to);
		if (to.node === node) return;
		if (target.parent === undefined) throw systemErrors.ENOENT;
		if (node.kind === "directory" && isWithin(target, node)) throw systemErrors.EINVAL;
		if (to.node?.kind === "directory" && isWithin(source, to.node)) throw systemErrors.ENOTEMPTY;
		if (to.node?.kind === "directory") {
			if (node.kind !== "directory") throw systemErrors.EISDIR;
			if (to.node.size > 0) throw systemErrors.ENOTEMPTY;
		} else if (to.node !== undefined && node.kind === "directory") throw systemErrors.ENOTDIR;
		this.#space.take(to.name.length - from.name.length);
		if (to.node !== undefined) this.#remove(target, to.name);
		source.delete(from.name);
		target.add(to.name, node);
		if (node.kind === "directory") {
			node.name = to.name;
			node.parent = target;
		}
		const at = this.#now();
		node.changedAt = at;
		source.modifiedAt = source.changedAt = at;
		target.modifiedAt = target.changedAt = at;
	}

	#baseDirectory(parent: Directory, name: string): Directory {
		const found = parent.get(name);
		if (found !== undefined) return requireDirectory(found);
		const directory = new Directory(this.#nextInode++, true, 0o555, baseTime, name, parent);
		parent.add(name, directory);
		return directory;
	}

	#requireRoom(place: Place): Directory {
		if (place.node !== undefined) throw systemErrors.EEXIST;
		const parent = requireChangeable(place);
		if (parent.parent === undefined) throw systemErrors.ENOENT;
		this.#space.takeEntry(place.name);
		return parent;
	}

	#add(parent: Directory, name: string, node: Node): void {
		parent.add(name, node);
		parent.modifiedAt = parent.changedAt = node.changedAt;
	}

	#remove(parent: Directory, name: string): void {
		const node = parent.get(name) as Node;
		parent.delete(name);
		this.#space.giveEntry(name);
		parent.modifiedAt = parent.changedAt = this.#now();
		if (node.kind === "directory") node.parent = undefined;
		if (node.kind === "file") {
			node.isLinked = false;
			releaseUnused(node);
		}
	}
}

/** A file's content is gone with its last name and its last descriptor. */
export function releaseUnused(file: RegularFile): void {
	if (!file.isLinked && file.openCount === 0 && file.content instanceof FileContent) file.content.release();
}

/** Throws ENOENT, or ENOTDIR for what is no directory and should be one. */
export function requireNode({ node, endsWithSlash }: Place): Node {
	return endsWithSlash ? requireDirectory(found(node)) : found(node);
}

export function requireDirectory(node: Node): Directory {
	if (node.kind !== "directory") throw systemErrors.ENOTDIR;
	return node;
}

function isWithin(directory: Directory, ancestor: Directory): boolean {
	for (let each: Directory | undefined = directory; each !== undefined && each !== each.parent; each = each.parent)
		if (each === ancestor) return true;
	return false;
}

function found(node: Node | undefined): Node {
	if (node === undefined) throw systemErrors.ENOENT;
	return node;
}

function isDots(name: string): boolean {
	return name === "." || name === "..";
}

function splitPath(path: string): string[] {
	return path.split("/").filter((name) => name !== "");
}

function child(directory: Directory, name: string): Node | undefined {
	if (name.length > maxNameBytes) throw systemErrors.ENAMETOOLONG;
	if (!directory.permits(1)) throw systemErrors.EACCES;
	if (name === ".") return directory;
	if (name === "..") return directory.parent;
	return directory.get(name);
}

/** The directory in which the place's entry may be made, replaced or removed. */
function requireChangeable({ parent }: Place): Directory {
	if (parent.isReadOnly) throw systemErrors.EROFS;
	if (!parent.permits(2)) throw systemErrors.EACCES;
	return parent;
}
