import { RuntimeError } from "../../contract/errors.ts";
import { Descriptors } from "./descriptors.ts";
import { SystemError, systemErrors } from "./errno.ts";
import type { FileContent } from "./file-content.ts";
import type { DeviceDriver, Directory, Node } from "./file-nodes.ts";
import { type FileLimits, FileSpace } from "./file-space.ts";
import { FileTree, type Place, requireDirectory, requireNode } from "./file-tree.ts";
import { OpenFile, openFlags } from "./open-files.ts";

export interface GuestFilesOptions {
	/** What all runs find and none changes, by absolute paths. Directories are implied. */
	readonly base: ReadonlyMap<string, Uint8Array>;
	readonly limits: FileLimits;
	/** Called with what is written to standard output (1) and standard error (2). The bytes are the guest's memory: they count until it returns. */
	readonly print: (fd: 1 | 2, bytes: Uint8Array) => void;
	/** Fills with random bytes. */
	readonly random: (bytes: Uint8Array) => void;
	/** Milliseconds since 1970. */
	readonly now: () => number;
}

/** The path of a directory that calls name no other way: AT_FDCWD. */
export const currentDirectory = -100;
const startDirectory = "/script";
const startUmask = 0o022;
const permissionBits = 0o7777;
/** What one call prints or draws at most; the guest asks again for the rest. */
const maxPrintedBytes = 1_048_576;
const maxRandomBytes = 65_536;
/** Linux's own bound for what one call writes. */
const maxDiscardedBytes = 0x7fff_f000;

/**
 * The file system of one guest, in memory: a read-only base, and `/script` and `/tmp` for the run. What a program of an operating system has as its
 * own is here, too: descriptors, the current directory and the umask. What fails throws a `SystemError`.
 */
export class GuestFiles {
	readonly descriptors = new Descriptors();
	readonly space: FileSpace;
	readonly now: () => bigint;
	readonly #tree: FileTree;
	readonly #standard: () => OpenFile[];
	#directory!: Directory;
	#umask = startUmask;

	constructor({ base, limits, print, random, now }: GuestFilesOptions) {
		this.space = new FileSpace(limits);
		this.now = createTimes(now);
		const devices = createDevices(print, random);
		this.#tree = new FileTree(base, devices, this.space, this.now);
		const at = (path: string, flags: number) => new OpenFile(this.#tree.locate(this.#tree.root, path).node as Node, flags);
		this.#standard = () => [at("/dev/stdin", 0), at("/dev/stdout", openFlags.writeOnly), at("/dev/stderr", openFlags.writeOnly)];
		this.reset();
	}

	/** Nothing is left of what a run has made, opened or set. Takes the same time whatever that is. */
	reset(): void {
		this.#tree.reset();
		this.descriptors.reset(this.#standard());
		this.#directory = requireDirectory(this.#tree.locate(this.#tree.root, startDirectory).node as Node);
		this.#umask = startUmask;
	}

	/** The descriptors that are open beside the standard ones: an image must be taken while there are none, because its runs would not have them. */
	leftOpen(): number[] {
		return this.descriptors.open().filter((fd) => fd > 2);
	}

	/**
	 * Writes a file of the host's to `/script` or `/tmp`, with the directories that it needs. Throws `too-large` when the run's files have no room
	 * for it, and `invalid` for a path that cannot be.
	 */
	put(path: string, bytes: Uint8Array): void {
		const { root } = this.#tree;
		const name = Buffer.from(path).toString("latin1");
		try {
			for (let end = name.indexOf("/", 1); end > 0; end = name.indexOf("/", end + 1)) {
				const place = this.#tree.locate(root, name.slice(0, end));
				if (place.node === undefined) this.#tree.makeDirectory(place, 0o755);
			}
			const { content } = this.#tree.makeFile(this.#tree.locate(root, name), 0o644);
			if ((content as FileContent).write(0, bytes) < bytes.length) throw systemErrors.ENOSPC;
		} catch (error) {
			if (!(error instanceof SystemError)) throw error;
			if (error !== systemErrors.ENOSPC && error !== systemErrors.EFBIG)
				throw new RuntimeError("invalid", `${JSON.stringify(path)} cannot be a file of a run: ${error.message}.`);
			const { maxBytes, maxEntries } = this.space.limits;
			throw new RuntimeError(
				"too-large",
				`There is no room for ${JSON.stringify(path)}, which has ${bytes.length} bytes; the limits of a run's files are ${maxBytes} bytes and ${maxEntries} files and directories.`,
			);
		}
	}

	/** `fd` is of the directory where a relative path begins. */
	locate(fd: number, path: string): Place {
		if (path === "") throw systemErrors.ENOENT;
		return this.#tree.locate(path.startsWith("/") ? this.#tree.root : requireDirectory(this.node(fd)), path);
	}

	/** Throws ENOENT where there is nothing. */
	find(fd: number, path: string): Node {
		return requireNode(this.locate(fd, path));
	}

	/** What is open, or the current directory. */
	node(fd: number): Node {
		return fd === currentDirectory ? this.#directory : this.descriptors.get(fd).node;
	}

	open(fd: number, path: string, flags: number, mode: number): number {
		const access = flags & openFlags.access;
		const isWriting = access !== 0;
		if (access === openFlags.access || (flags & openFlags.create && flags & openFlags.directory)) throw systemErrors.EINVAL;
		const opened = this.descriptors.free();
		const place = this.locate(fd, path);
		if (flags & openFlags.create && place.endsWithSlash) throw systemErrors.EISDIR;
		const node =
			place.node === undefined && flags & openFlags.create
				? this.#create(place, mode)
				: this.#requireOpenable(place, flags, isWriting);
		const file = new OpenFile(node, flags);
		if (flags & openFlags.truncate && isWriting && node.kind === "file") file.truncate(0, this.now);
		return this.descriptors.set(opened, file, (flags & openFlags.closeOnExec) !== 0);
	}

	makeDirectory(fd: number, path: string, mode: number): void {
		this.#tree.makeDirectory(this.locate(fd, path), mode & 0o1777 & ~this.#umask);
	}

	removeFile(fd: number, path: string): void {
		this.#tree.removeFile(this.locate(fd, path));
	}

	removeDirectory(fd: number, path: string): void {
		this.#tree.removeDirectory(this.locate(fd, path));
	}

	rename(fromFd: number, from: string, toFd: number, to: string): void {
		this.#tree.rename(this.locate(fromFd, from), this.locate(toFd, to));
	}

	/** A file that is not open: as `truncate` of one that was opened for it. */
	truncate(path: string, size: number): void {
		const node = this.find(currentDirectory, path);
		if (node.kind === "directory") throw systemErrors.EISDIR;
		if (node.isReadOnly) throw systemErrors.EROFS;
		if (!node.permits(2)) throw systemErrors.EACCES;
		new OpenFile(node, openFlags.writeOnly).truncate(size, this.now);
	}

	changeMode(node: Node, mode: number): void {
		requireChangeable(node);
		node.mode = mode & permissionBits;
		node.changedAt = this.now();
	}

	/** Nanoseconds since 1970; none leaves a time as it is. */
	changeTimes(node: Node, accessedAt: bigint | undefined, modifiedAt: bigint | undefined): void {
		requireChangeable(node);
		node.accessedAt = accessedAt ?? node.accessedAt;
		node.modifiedAt = modifiedAt ?? node.modifiedAt;
		node.changedAt = this.now();
	}

	changeDirectory(node: Node): void {
		const directory = requireDirectory(node);
		if (!directory.permits(1)) throw systemErrors.EACCES;
		this.#directory = directory;
	}

	workingDirectory(): string {
		return this.#tree.path(this.#directory);
	}

	/** The one that there was. */
	setUmask(mask: number): number {
		const before = this.#umask;
		this.#umask = mask & 0o777;
		return before;
	}

	#create(place: Place, mode: number): Node {
		return this.#tree.makeFile(place, mode & permissionBits & ~this.#umask);
	}

	#requireOpenable(place: Place, flags: number, isWriting: boolean): Node {
		const node = requireNode(place);
		if (flags & openFlags.create && flags & openFlags.exclusive) throw systemErrors.EEXIST;
		if (node.kind !== "directory" && flags & openFlags.directory) throw systemErrors.ENOTDIR;
		if (node.kind === "directory" && (isWriting || flags & (openFlags.create | openFlags.truncate))) throw systemErrors.EISDIR;
		if (node.kind === "file" && isWriting && node.isReadOnly) throw systemErrors.EROFS;
		const isReading = (flags & openFlags.access) !== openFlags.writeOnly;
		if (!node.permits((isReading ? 4 : 0) | (isWriting ? 2 : 0))) throw systemErrors.EACCES;
		return node;
	}
}

function requireChangeable(node: Node): void {
	if (node.isReadOnly) throw systemErrors.EROFS;
}

/**
 * Nanoseconds, whole milliseconds unless that would be no later than the time before: what asks whether something has changed since, as Python's
 * importer asks of directories, learns it. A microsecond is what a float of seconds can tell apart.
 */
function createTimes(now: () => number): () => bigint {
	let last = 0n;
	return () => {
		const time = BigInt(Math.floor(now())) * 1_000_000n;
		last = time > last ? time : last + 1_000n;
		return last;
	};
}

function createDevices(
	print: GuestFilesOptions["print"],
	random: GuestFilesOptions["random"],
): Record<string, DeviceDriver & { readonly mode: number }> {
	const discard = (from: Uint8Array) => Math.min(from.length, maxDiscardedBytes);
	const end = () => 0;
	const printer = (fd: 1 | 2) => ({
		mode: 0o222,
		isSeekable: false,
		read: end,
		write(from: Uint8Array): number {
			const part = from.subarray(0, maxPrintedBytes);
			if (part.length > 0) print(fd, part);
			return part.length;
		},
	});
	const randomness = {
		mode: 0o666,
		isSeekable: true,
		write: discard,
		read(into: Uint8Array): number {
			const part = into.subarray(0, maxRandomBytes);
			random(part);
			return part.length;
		},
	};
	return {
		null: { mode: 0o666, isSeekable: true, read: end, write: discard },
		random: randomness,
		urandom: randomness,
		stdin: { mode: 0o444, isSeekable: false, read: end, write: discard },
		stdout: printer(1),
		stderr: printer(2),
	};
}
