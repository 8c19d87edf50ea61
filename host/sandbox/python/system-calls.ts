import type { GuestMemory } from "../wasm-memory.ts";
import { createClockCalls, type GuestClock } from "./clock-calls.ts";
import { createDescriptorCalls } from "./descriptor-calls.ts";
import { SystemError, systemErrors } from "./errno.ts";
import { createFileCalls } from "./file-calls.ts";
import type { GuestFiles } from "./files.ts";
import { GuestPointers } from "./guest-pointers.ts";

export type SystemCall = (...values: never[]) => number | bigint | null | undefined;

export interface SystemCallsOptions {
	/** Asked at every call, so that there need be none yet. */
	readonly memory: () => GuestMemory;
	readonly files: GuestFiles;
	readonly clock: GuestClock;
	/** `NAME=value`. */
	readonly environment: readonly string[];
	/** Fills with random bytes. */
	readonly random: (bytes: Uint8Array) => void;
}

const maxRandomBytes = 65_536;

/** What the module imports of what there is not: other processes, sockets, pipes, files in memory. */
const missing = [
	"poll",
	"pipe",
	"accept4",
	"bind",
	"connect",
	"getpeername",
	"getsockname",
	"getsockopt",
	"listen",
	"recvfrom",
	"recvmsg",
	"sendmsg",
	"sendto",
];

/**
 * What the module imports of an operating system, by name, over what the guest has instead: files in memory and clocks. Whatever a guest
 * passes, a call answers or fails as one of Linux does; none throws.
 */
export function createSystemCalls({ memory, files, clock, environment, random }: SystemCallsOptions): Record<string, SystemCall> {
	const pointers = new GuestPointers(memory);
	const strings = environment.map((text) => Buffer.from(`${text}\0`));
	const wasi = {
		environ_sizes_get(count: number, bytes: number): number {
			pointers.setInt32(count, strings.length);
			pointers.setInt32(
				bytes,
				strings.reduce((sum, text) => sum + text.length, 0),
			);
			return 0;
		},
		environ_get(list: number, bytes: number): number {
			let at = bytes;
			for (const [index, text] of strings.entries()) {
				pointers.setInt32(list + 4 * index, at);
				pointers.bytes(at, text.length).set(text);
				at += text.length;
			}
			return 0;
		},
		random_get(address: number, length: number): number {
			if (length >>> 0 > maxRandomBytes) throw systemErrors.EINVAL;
			random(pointers.bytes(address, length));
			return 0;
		},
	};
	const linux = {
		/** Of C's `system`. */
		_emscripten_system(): number {
			throw systemErrors.ENOSYS;
		},
		__syscall_socket(): number {
			throw systemErrors.EAFNOSUPPORT;
		},
		/** Of a file: anonymous memory is the guest's own. */
		_mmap_js(): number {
			throw systemErrors.ENODEV;
		},
		_munmap_js(): number {
			throw systemErrors.EINVAL;
		},
		_msync_js(): number {
			throw systemErrors.EINVAL;
		},
	};
	const calls: Record<string, SystemCall> = {};
	for (const name of missing) calls[`__syscall_${name}`] = () => -systemErrors.ENOSYS.errno;
	const groups = [
		wasi,
		linux,
		createFileCalls(pointers, files),
		createDescriptorCalls(pointers, files),
		createClockCalls(pointers, clock),
	];
	for (const group of groups) for (const [name, call] of Object.entries(group)) calls[name] = guarded(name, call as SystemCall);
	return calls;
}

/** A failure as the caller expects it: those of WASI are positive, those of Linux negative; what answers nothing cannot tell. */
function guarded(name: string, call: SystemCall): SystemCall {
	const sign = /^(?:fd|clock|environ|random)_/.test(name) ? 1 : -1;
	return (...values) => {
		try {
			return call(...values);
		} catch (error) {
			if (!(error instanceof SystemError)) throw error;
			return sign * error.errno;
		}
	};
}
