import { SystemError, systemErrors } from "./errno.ts";
import { requireSize } from "./file-calls.ts";
import type { GuestFiles } from "./files.ts";
import type { GuestPointers } from "./guest-pointers.ts";
import { openFlags } from "./open-files.ts";

/** The commands of `fcntl`, as musl numbers them for Emscripten. */
const duplicate = 0;
const getDescriptorFlags = 1;
const setDescriptorFlags = 2;
const getFileFlags = 3;
const setFileFlags = 4;
const getLock = 12;
const setLock = 13;
const setLockAndWait = 14;
const duplicateCloseOnExec = 1030;
const closeOnExec = 1;
const unlocked = 2;

/** Devices are of no known kind, as pipes are: `isatty` takes every character device for a terminal. */
const fileTypes = { device: 0, directory: 3, file: 4 } as const;
const fdstatBytes = 24;

/** The system calls that take descriptors, by the names that the module imports them with. What fails throws a `SystemError`. */
export function createDescriptorCalls(pointers: GuestPointers, files: GuestFiles) {
	const { descriptors } = files;

	/** Moves what `list` points at, until there is no more or no more room, and stores how much that was. */
	function transfer(
		fd: number,
		list: number,
		count: number,
		doneAddress: number,
		move: (vector: Buffer, done: number) => number,
	): number {
		const { node } = descriptors.get(fd);
		const vectors = pointers.vectors(list, count);
		pointers.bytes(doneAddress, 4);
		let done = 0;
		for (const vector of vectors) {
			let moved = 0;
			try {
				moved = move(vector, done);
			} catch (error) {
				// What has been moved counts; the next call fails.
				if (done === 0 || !(error instanceof SystemError)) throw error;
			}
			done += moved;
			// The lengths of files bound what they take; a device is given one part in a call.
			if (moved < vector.length || node.kind === "device") break;
		}
		pointers.setInt32(doneAddress, done);
		return 0;
	}

	function duplicated(fd: number, lowest: number, closesOnExec: boolean): number {
		const file = descriptors.get(fd);
		if (lowest < 0) throw systemErrors.EINVAL;
		return descriptors.set(descriptors.free(lowest), file, closesOnExec);
	}

	return {
		fd_read(fd: number, list: number, count: number, done: number): number {
			const file = descriptors.get(fd);
			return transfer(fd, list, count, done, (vector) => file.read(vector));
		},
		fd_pread(fd: number, list: number, count: number, offset: bigint, done: number): number {
			const file = descriptors.get(fd);
			const start = requireSize(offset);
			return transfer(fd, list, count, done, (vector, before) => file.read(vector, start + before));
		},
		fd_write(fd: number, list: number, count: number, done: number): number {
			const file = descriptors.get(fd);
			return transfer(fd, list, count, done, (vector) => file.write(vector, files.now));
		},
		fd_pwrite(fd: number, list: number, count: number, offset: bigint, done: number): number {
			const file = descriptors.get(fd);
			const start = requireSize(offset);
			return transfer(fd, list, count, done, (vector, before) => file.write(vector, files.now, start + before));
		},
		fd_seek(fd: number, offset: bigint, whence: number, position: number): number {
			const file = descriptors.get(fd);
			pointers.bytes(position, 8);
			if (offset !== BigInt.asIntN(54, offset)) throw systemErrors.EOVERFLOW;
			pointers.setInt64(position, BigInt(file.seek(Number(offset), whence)));
			return 0;
		},
		fd_close(fd: number): number {
			descriptors.close(fd);
			return 0;
		},
		fd_sync(fd: number): number {
			descriptors.get(fd);
			return 0;
		},
		fd_fdstat_get(fd: number, address: number): number {
			const { node } = descriptors.get(fd);
			pointers.cleared(address, fdstatBytes).writeUInt8(fileTypes[node.kind], 0);
			return 0;
		},
		__syscall_fdatasync(fd: number): number {
			descriptors.get(fd);
			return 0;
		},
		__syscall_fadvise64(fd: number): number {
			descriptors.get(fd);
			return 0;
		},
		__syscall_fallocate(fd: number, mode: number, offset: bigint, length: bigint): number {
			const file = descriptors.get(fd);
			if (mode !== 0) throw systemErrors.ENOTSUP;
			if (length <= 0n) throw systemErrors.EINVAL;
			file.allocate(requireSize(offset), requireSize(offset + length), files.now);
			return 0;
		},
		__syscall_ftruncate64(fd: number, size: bigint): number {
			const file = descriptors.get(fd);
			file.truncate(requireSize(size), files.now);
			return 0;
		},
		__syscall_dup: (fd: number) => duplicated(fd, 0, false),
		__syscall_dup3(fd: number, target: number, flags: number): number {
			const file = descriptors.get(fd);
			if (fd === target || flags & ~openFlags.closeOnExec) throw systemErrors.EINVAL;
			return descriptors.set(target, file, flags !== 0);
		},
		__syscall_fcntl64(fd: number, command: number, argument: number): number {
			const file = descriptors.get(fd);
			switch (command) {
				case duplicate:
				case duplicateCloseOnExec:
					return duplicated(fd, pointers.int32(argument), command === duplicateCloseOnExec);
				case getDescriptorFlags:
					return descriptors.closesOnExec(fd) ? closeOnExec : 0;
				case setDescriptorFlags:
					descriptors.setClosesOnExec(fd, (pointers.int32(argument) & closeOnExec) !== 0);
					return 0;
				case getFileFlags:
					return file.flags;
				case setFileFlags:
					file.flags = pointers.int32(argument);
					return 0;
				// There is nobody else who would hold a lock.
				case getLock:
					pointers.bytes(pointers.int32(argument), 2).writeInt16LE(unlocked);
					return 0;
				case setLock:
				case setLockAndWait:
					return 0;
				default:
					throw systemErrors.EINVAL;
			}
		},
		/** No descriptor is a terminal. */
		__syscall_ioctl(fd: number): number {
			descriptors.get(fd);
			throw systemErrors.ENOTTY;
		},
	};
}
