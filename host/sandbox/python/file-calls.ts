import { systemErrors } from "./errno.ts";
import { Directory, type DirectoryEntry, type Node } from "./file-nodes.ts";
import { currentDirectory, type GuestFiles } from "./files.ts";
import type { GuestPointers } from "./guest-pointers.ts";

/** The guest's user and group. */
export const guestId = 1000;
const emptyPath = 0x1000;
const removeDirectory = 0x200;

const typeBits = { file: 0o100000, directory: 0o040000, device: 0o020000 } as const;
const entryTypes = { file: 8, directory: 4, device: 2 } as const;

const statBytes = 96;
const blockBytes = 4096;
const countedBlockBytes = 512;
const statfsBytes = 88;
const direntBytes = 280;
const direntNameAt = 19;

const billion = 1_000_000_000n;
const timeNow = 0x3fff_ffff;
const timeOmit = 0x3fff_fffe;

/** The system calls that take paths or tell of files, by the names that the module imports them with. What fails throws a `SystemError`. */
export function createFileCalls(pointers: GuestPointers, files: GuestFiles) {
	/** What a call that allows an empty path means: what is open, when it is empty. */
	function nodeAt(fd: number, path: number, flags: number): Node {
		const text = pointers.path(path);
		return text === "" && flags & emptyPath ? files.node(fd) : files.find(fd, text);
	}

	function statFile(node: Node, address: number): number {
		const stat = pointers.cleared(address, statBytes);
		const size = node.kind === "file" ? node.content.size : 0;
		stat.writeUInt32LE(1, 0);
		stat.writeUInt32LE(typeBits[node.kind] | node.mode, 4);
		stat.writeUInt32LE(node.kind === "directory" ? 2 : node.kind === "file" && !node.isLinked ? 0 : 1, 8);
		stat.writeUInt32LE(guestId, 12);
		stat.writeUInt32LE(guestId, 16);
		stat.writeBigInt64LE(BigInt(size), 24);
		stat.writeInt32LE(blockBytes, 32);
		stat.writeInt32LE(Math.ceil(size / countedBlockBytes) | 0, 36);
		for (const [index, time] of [node.accessedAt, node.modifiedAt, node.changedAt].entries()) {
			const nanoseconds = ((time % billion) + billion) % billion;
			stat.writeBigInt64LE((time - nanoseconds) / billion, 40 + 16 * index);
			stat.writeUInt32LE(Number(nanoseconds), 48 + 16 * index);
		}
		stat.writeBigInt64LE(BigInt(node.inode), 88);
		return 0;
	}

	function statSpace(size: number, address: number): number {
		if (size !== statfsBytes) throw systemErrors.EINVAL;
		const { limits, usedBytes, usedEntries } = files.space;
		const statfs = pointers.cleared(address, statfsBytes);
		const free = BigInt(Math.floor((limits.maxBytes - usedBytes) / blockBytes));
		statfs.writeUInt32LE(blockBytes, 4);
		statfs.writeBigInt64LE(BigInt(Math.floor(limits.maxBytes / blockBytes)), 8);
		statfs.writeBigInt64LE(free, 16);
		statfs.writeBigInt64LE(free, 24);
		statfs.writeBigInt64LE(BigInt(limits.maxEntries), 32);
		statfs.writeBigInt64LE(BigInt(limits.maxEntries - usedEntries), 40);
		statfs.writeUInt32LE(255, 56);
		statfs.writeUInt32LE(blockBytes, 60);
		return 0;
	}

	function timeAt(address: number): bigint | undefined {
		const time = pointers.bytes(address, 16);
		const nanoseconds = time.readInt32LE(8);
		if (nanoseconds === timeNow) return files.now();
		if (nanoseconds === timeOmit) return undefined;
		if (nanoseconds < 0 || nanoseconds >= billion) throw systemErrors.EINVAL;
		return time.readBigInt64LE(0) * billion + BigInt(nanoseconds);
	}

	/** Everything is the guest's, and there is nobody else to give it to. */
	function changeOwner(node: Node, owner: number, group: number): number {
		if (node.isReadOnly) throw systemErrors.EROFS;
		for (const id of [owner, group]) if (id !== -1 && id !== guestId) throw systemErrors.EPERM;
		return 0;
	}

	function requireAccess(node: Node, permission: number): number {
		if (permission & ~7) throw systemErrors.EINVAL;
		if (permission & 2 && node.isReadOnly && node.kind !== "device") throw systemErrors.EROFS;
		if (!node.permits(permission)) throw systemErrors.EACCES;
		return 0;
	}

	function listDirectory(fd: number, address: number, length: number): number {
		const open = files.descriptors.get(fd);
		const { node } = open;
		if (!(node instanceof Directory)) throw systemErrors.ENOTDIR;
		const room = Math.floor((length >>> 0) / direntBytes);
		if (room === 0) throw systemErrors.EINVAL;
		const buffer = pointers.bytes(address, length);
		let written = 0;
		for (const entry of listing(node, open.position)) {
			if (written === room) break;
			const dirent = buffer.subarray(written * direntBytes, ++written * direntBytes).fill(0);
			dirent.writeBigInt64LE(BigInt(entry.node.inode), 0);
			dirent.writeBigInt64LE(BigInt(entry.sequence), 8);
			dirent.writeUInt16LE(direntBytes, 16);
			dirent.writeUInt8(entryTypes[entry.node.kind], 18);
			dirent.write(entry.name, direntNameAt, "latin1");
			open.position = entry.sequence;
		}
		return written * direntBytes;
	}

	return {
		__syscall_openat(fd: number, path: number, flags: number, mode: number): number {
			return files.open(fd, pointers.path(path), flags, mode === 0 ? 0 : pointers.int32(mode));
		},
		__syscall_stat64: (path: number, stat: number) => statFile(files.find(currentDirectory, pointers.path(path)), stat),
		__syscall_lstat64: (path: number, stat: number) => statFile(files.find(currentDirectory, pointers.path(path)), stat),
		__syscall_newfstatat: (fd: number, path: number, stat: number, flags: number) => statFile(nodeAt(fd, path, flags), stat),
		__syscall_fstat64: (fd: number, stat: number) => statFile(files.descriptors.get(fd).node, stat),
		__syscall_statfs64(path: number, size: number, address: number): number {
			files.find(currentDirectory, pointers.path(path));
			return statSpace(size, address);
		},
		__syscall_fstatfs64(fd: number, size: number, address: number): number {
			files.descriptors.get(fd);
			return statSpace(size, address);
		},
		__syscall_faccessat: (fd: number, path: number, permission: number, _flags: number) =>
			requireAccess(files.find(fd, pointers.path(path)), permission),
		__syscall_chdir(path: number): number {
			files.changeDirectory(files.find(currentDirectory, pointers.path(path)));
			return 0;
		},
		__syscall_fchdir(fd: number): number {
			files.changeDirectory(files.descriptors.get(fd).node);
			return 0;
		},
		__syscall_getcwd(address: number, length: number): number {
			const path = files.workingDirectory();
			if (length === 0) throw systemErrors.EINVAL;
			if (length >>> 0 <= path.length) throw systemErrors.ERANGE;
			const buffer = pointers.cleared(address, path.length + 1);
			buffer.write(path, 0, "latin1");
			return buffer.length;
		},
		__syscall_chmod(path: number, mode: number): number {
			files.changeMode(files.find(currentDirectory, pointers.path(path)), mode);
			return 0;
		},
		__syscall_fchmod(fd: number, mode: number): number {
			files.changeMode(files.descriptors.get(fd).node, mode);
			return 0;
		},
		__syscall_fchmodat2(fd: number, path: number, mode: number, flags: number): number {
			files.changeMode(nodeAt(fd, path, flags), mode);
			return 0;
		},
		__syscall_fchownat: (fd: number, path: number, owner: number, group: number, flags: number) =>
			changeOwner(nodeAt(fd, path, flags), owner, group),
		__syscall_fchown32: (fd: number, owner: number, group: number) => changeOwner(files.descriptors.get(fd).node, owner, group),
		__syscall_utimensat(fd: number, path: number, times: number, _flags: number): number {
			// Without a path it is of what is open, as `futimens` has it.
			const text = path === 0 ? "" : pointers.path(path);
			const node = text === "" ? files.node(fd) : files.find(fd, text);
			const [accessedAt, modifiedAt] = times === 0 ? [files.now(), files.now()] : [timeAt(times), timeAt(times + 16)];
			files.changeTimes(node, accessedAt, modifiedAt);
			return 0;
		},
		__syscall_truncate64(path: number, size: bigint): number {
			files.truncate(pointers.path(path), requireSize(size));
			return 0;
		},
		__syscall_getdents64: listDirectory,
		__syscall_mkdirat(fd: number, path: number, mode: number): number {
			files.makeDirectory(fd, pointers.path(path), mode);
			return 0;
		},
		__syscall_unlinkat(fd: number, path: number, flags: number): number {
			if (flags & ~removeDirectory) throw systemErrors.EINVAL;
			if (flags) files.removeDirectory(fd, pointers.path(path));
			else files.removeFile(fd, pointers.path(path));
			return 0;
		},
		__syscall_rmdir(path: number): number {
			files.removeDirectory(currentDirectory, pointers.path(path));
			return 0;
		},
		__syscall_renameat(fromFd: number, from: number, toFd: number, to: number): number {
			files.rename(fromFd, pointers.path(from), toFd, pointers.path(to));
			return 0;
		},
		/** Nothing is a symbolic link. */
		__syscall_readlinkat(fd: number, path: number, _address: number, _length: number): number {
			files.find(fd, pointers.path(path));
			throw systemErrors.EINVAL;
		},
		__syscall_symlinkat(): number {
			throw systemErrors.EPERM;
		},
		__syscall_mknodat(): number {
			throw systemErrors.EPERM;
		},
		__syscall_umask_js: (mask: number) => files.setUmask(mask),
		__syscall_getuid32_js: () => guestId,
	};
}

/** A size or an offset of a file. No file is longer than what a number has exactly. */
export function requireSize(size: bigint): number {
	if (size < 0n) throw systemErrors.EINVAL;
	if (size > Number.MAX_SAFE_INTEGER) throw systemErrors.EFBIG;
	return Number(size);
}

function* listing(directory: Directory, position: number): Generator<DirectoryEntry & { readonly node: Node }> {
	if (position < 1) yield { name: ".", sequence: 1, node: directory };
	if (position < 2) yield { name: "..", sequence: 2, node: directory.parent ?? directory };
	yield* directory.after(position);
}
