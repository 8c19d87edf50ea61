import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import fc from "fast-check";
import { expect, test } from "vitest";
import { entryBytes } from "../../../host/sandbox/python/file-space.ts";
import { createSystemCalls } from "../../../host/sandbox/python/system-calls.ts";
import { GuestMemory } from "../../../host/sandbox/wasm-memory.ts";
import { createGuestFiles, current, limits, list, removeAll, write } from "./guest-files.ts";

const pages = 4;
const memoryBytes = pages * 65_536;
const [create, readWrite] = [0o100, 2];
const errno = {
	EACCES: 2,
	EBADF: 8,
	EEXIST: 20,
	EFAULT: 21,
	EINVAL: 28,
	ENODEV: 43,
	ENOENT: 44,
	ENOSYS: 52,
	ENOTTY: 59,
	EPERM: 63,
	ERANGE: 68,
};

/** A guest's memory, with what calls are given in it, and the calls. */
function createGuest() {
	const memory = new GuestMemory(new WebAssembly.Memory({ initial: pages, maximum: pages }));
	const printed: string[] = [];
	const files = createGuestFiles({ print: (fd, bytes) => printed.push(`${fd}: ${Buffer.from(bytes)}`) });
	const calls = createSystemCalls({
		memory: () => memory,
		files,
		clock: { wallMs: () => 1_700_000_000_123.7, monotonicMs: () => 42.9 },
		environment: ["HOME=/tmp", "LANG=C.UTF-8"],
		random: (bytes) => bytes.fill(7),
	});
	let next = 1024;
	/** Puts bytes where nothing else is, and a zero after them, and answers where. */
	const put = (bytes: string | Uint8Array): number => {
		const address = next;
		const content = Buffer.from(bytes);
		memory.bytes.set(content, address);
		next += content.length + 1;
		return address;
	};
	const words = (...values: number[]) => put(Buffer.from(Int32Array.from(values).buffer));
	const room = (length: number) => put(Buffer.alloc(length));
	const call = (name: string, ...values: (number | bigint)[]) =>
		(calls[name] as (...values: (number | bigint)[]) => unknown)(...values);
	const open = (path: string, flags: number, mode = 0o666) =>
		call("__syscall_openat", current, put(path), flags, words(mode)) as number;
	return { memory, files, calls, printed, put, words, room, call, open };
}

test("there is a call for everything that the module imports of files, clocks, sockets and processes", () => {
	const bytes = readFileSync(createRequire(import.meta.url).resolve("pyodide/pyodide.asm.wasm"));
	const { imports } = WebAssembly.Module as unknown as { imports(module: WebAssembly.Module): { name: string }[] };
	const wanted = imports(new WebAssembly.Module(bytes))
		.map(({ name }) => name)
		.filter((name) =>
			/^(?:__syscall_|fd_|clock_|environ_|random_)|^_(?:gmtime|localtime|mktime|timegm|tzset|mmap|munmap|msync)_js$|_now$|^_emscripten_system$/.test(
				name,
			),
		);
	expect(Object.keys(createGuest().calls).sort()).toEqual(wanted.sort());
});

test("a file is written and read through lists of buffers", () => {
	const { call, open, words, put, room, memory } = createGuest();
	const fd = open("/tmp/a", create | readWrite);
	const done = room(8);
	expect(call("fd_write", fd, words(put("Hello, "), 7, 0, 0, put("world"), 5), 3, done)).toBe(0);
	expect(memory.bytes.readInt32LE(done)).toBe(12);
	expect(call("fd_pwrite", fd, words(put("W"), 1), 1, 7n, done)).toBe(0);
	expect(call("fd_seek", fd, -5n, 2, done)).toBe(0);
	expect(memory.bytes.readBigInt64LE(done)).toBe(7n);
	const [first, second] = [room(2), room(100)];
	expect(call("fd_read", fd, words(first, 2, second, 100), 2, done)).toBe(0);
	expect(memory.bytes.readInt32LE(done)).toBe(5);
	expect(memory.bytes.toString("latin1", first, first + 2) + memory.bytes.toString("latin1", second, second + 3)).toBe("World");
	expect(call("fd_pread", fd, words(first, 2), 1, 0n, done)).toBe(0);
	expect(memory.bytes.toString("latin1", first, first + 2)).toBe("He");
	expect([call("fd_close", fd), call("fd_close", fd)]).toEqual([0, errno.EBADF]);
});

test("what is printed is one part in a call", () => {
	const { call, words, put, room, memory, printed } = createGuest();
	const done = room(4);
	call("fd_write", 1, words(put("one"), 3, put("two"), 3), 2, done);
	expect([memory.bytes.readInt32LE(done), printed]).toEqual([3, ["1: one"]]);
});

test("stat tells what a file is", () => {
	const { call, open, put, room, memory, files } = createGuest();
	write(files, "/tmp/a", "x".repeat(1_000));
	files.changeTimes(files.find(current, "/tmp/a"), -1n, 1_700_000_000_123_456_789n);
	const stat = room(96);
	memory.bytes.fill(0xff, stat, stat + 96);
	expect(call("__syscall_stat64", put("/tmp/a"), stat)).toBe(0);
	const bytes = memory.bytes.subarray(stat, stat + 96);
	expect([0, 4, 8, 12, 16, 20, 32, 36, 48, 64].map((at) => bytes.readInt32LE(at))).toEqual([
		1, 0o100644, 1, 1000, 1000, 0, 4096, 2, 999_999_999, 123_456_789,
	]);
	expect([24, 40, 56, 88].map((at) => bytes.readBigInt64LE(at))).toEqual([
		1000n,
		-1n,
		1_700_000_000n,
		BigInt(files.find(current, "/tmp/a").inode),
	]);
	const mode = (name: string, ...values: number[]) => {
		expect(call(name, ...values, stat)).toBe(0);
		return memory.bytes.readUInt32LE(stat + 4);
	};
	expect([
		mode("__syscall_stat64", put("/lib")),
		mode("__syscall_lstat64", put("/lib/python314.zip")),
		mode("__syscall_fstat64", 1),
	]).toEqual([0o040555, 0o100444, 0o020222]);
	const fd = open("/tmp/a", 0);
	expect(call("__syscall_newfstatat", fd, put(""), stat, 0x1000)).toBe(0);
	expect(memory.bytes.readBigInt64LE(stat + 24)).toBe(1000n);
	expect([call("__syscall_newfstatat", fd, put(""), stat, 0), call("__syscall_stat64", put("/tmp/b"), stat)]).toEqual([
		-errno.ENOENT,
		-errno.ENOENT,
	]);
});

test("a directory is listed in parts", () => {
	const { call, open, room, memory, files } = createGuest();
	const names = Array.from({ length: 20 }, (_, count) => `name-${count}`);
	for (const name of names) write(files, `/tmp/${name}`, "");
	const fd = open("/tmp", 0o200000);
	const buffer = room(2048);
	const entries = () => {
		const found: string[] = [];
		for (let length = -1; length !== 0; ) {
			length = call("__syscall_getdents64", fd, buffer, 2048) as number;
			expect(length).toBeGreaterThanOrEqual(0);
			for (let at = buffer; at < buffer + length; at += 280) {
				expect([memory.bytes.readUInt16LE(at + 16), memory.bytes.readUInt8(at + 18)]).toEqual([280, found.length < 2 ? 4 : 8]);
				found.push(memory.zeroTerminated(at + 19));
			}
		}
		return found;
	};
	expect(entries()).toEqual([".", "..", ...names]);
	expect(entries()).toEqual([]);
	expect(call("fd_seek", fd, 0n, 0, buffer)).toBe(0);
	expect(entries()).toEqual([".", "..", ...names]);
	expect(call("__syscall_getdents64", fd, buffer, 279)).toBe(-errno.EINVAL);
});

test("the current directory is told where there is room for it", () => {
	const { call, put, room, memory } = createGuest();
	const buffer = room(100);
	expect([call("__syscall_getcwd", buffer, 7), call("__syscall_getcwd", buffer, 8)]).toEqual([-errno.ERANGE, 8]);
	expect(memory.zeroTerminated(buffer)).toBe("/script");
	expect([call("__syscall_chdir", put("../tmp")), call("__syscall_getcwd", buffer, 100)]).toEqual([0, 5]);
	expect(memory.zeroTerminated(buffer)).toBe("/tmp");
});

test("descriptors are duplicated and have flags", () => {
	const { call, open, words, room, memory } = createGuest();
	const fd = open("/tmp/a", create | readWrite | 0o2000);
	expect(call("__syscall_fcntl64", fd, 3, 0)).toBe(readWrite | 0o2000);
	expect(call("__syscall_fcntl64", fd, 4, words(0o4000))).toBe(0);
	expect(call("__syscall_fcntl64", fd, 3, 0)).toBe(readWrite | 0o4000);
	expect(call("__syscall_fcntl64", fd, 1030, words(10))).toBe(10);
	expect([call("__syscall_fcntl64", 10, 1, 0), call("__syscall_fcntl64", fd, 1, 0)]).toEqual([1, 0]);
	expect([call("__syscall_dup", fd), call("__syscall_dup3", fd, 20, 0o2000000), call("__syscall_fcntl64", 20, 1, 0)]).toEqual([
		4, 20, 1,
	]);
	expect([call("__syscall_dup3", fd, fd, 0), call("__syscall_dup3", fd, 256, 0)]).toEqual([-errno.EINVAL, -errno.EBADF]);
	const lock = room(32);
	expect([call("__syscall_fcntl64", fd, 13, words(lock)), call("__syscall_fcntl64", fd, 12, words(lock))]).toEqual([0, 0]);
	expect(memory.bytes.readInt16LE(lock)).toBe(2);
});

test("times are set, and left, and are now", () => {
	const { call, put, words, files } = createGuest();
	write(files, "/tmp/a", "");
	const node = files.find(current, "/tmp/a");
	expect(call("__syscall_utimensat", current, put("/tmp/a"), words(5, 0, 6, 0, -1, -1, 7, 0), 0)).toBe(0);
	expect([node.accessedAt, node.modifiedAt]).toEqual([5_000_000_006n, -999_999_993n]);
	expect(call("__syscall_utimensat", current, put("/tmp/a"), words(0, 0, 0x3ffffffe, 0, 0, 0, 0x3fffffff, 0), 0)).toBe(0);
	expect(node.accessedAt).toBe(5_000_000_006n);
	expect(node.modifiedAt / 1_000_000n).toBe(1_700_000_000_000n);
	expect(call("__syscall_utimensat", current, put("/tmp/a"), words(0, 0, 1_000_000_000, 0, 0, 0, 0, 0), 0)).toBe(-errno.EINVAL);
});

test("clocks have whole milliseconds, and the time zone is UTC", () => {
	const { call, room, memory } = createGuest();
	const time = room(8);
	const clock = (id: number) => [call("clock_time_get", id, 1n, time), memory.bytes.readBigInt64LE(time)];
	expect([clock(0), clock(1), clock(2)]).toEqual([
		[0, 1_700_000_000_123_000_000n],
		[0, 42_000_000n],
		[0, 42_000_000n],
	]);
	expect([call("clock_time_get", 4, 1n, time), call("clock_time_get", -1, 1n, time)]).toEqual([errno.EINVAL, errno.EINVAL]);
	expect([call("emscripten_date_now"), call("emscripten_get_now")]).toEqual([1_700_000_000_123, 42]);
	expect([call("clock_res_get", 0, time), memory.bytes.readBigInt64LE(time)]).toEqual([0, 1_000_000n]);
	const [standard, daylight] = [room(17), room(17)];
	call("_tzset_js", time, time + 4, standard, daylight);
	expect([memory.zeroTerminated(standard), memory.zeroTerminated(daylight), memory.bytes.readBigInt64LE(time)]).toEqual([
		"UTC",
		"UTC",
		0n,
	]);
});

test.each([
	[0n, [0, 0, 0, 1, 0, 70, 4, 0]],
	[-1n, [59, 59, 23, 31, 11, 69, 3, 364]],
	[951_827_696n, [56, 34, 12, 29, 1, 100, 2, 59]],
	[-62_135_596_801n, [59, 59, 23, 31, 11, -1900, 0, 365]],
	[1_000_000_000_000n, [40, 46, 1, 27, 8, 31_758, 5, 269]],
	[2n ** 63n - 1n, [7, 30, 15, 4, 11, 0x7fff_ffff, 0, 338]],
	[-(2n ** 63n), [52, 29, 8, 27, 0, -0x7fff_ffff, 0, 26]],
] as const)("the second %d is in the calendar", (time, fields) => {
	const { call, room, memory } = createGuest();
	const tm = room(44);
	call("_gmtime_js", time, tm);
	const found = fields.map((_, index) => memory.bytes.readInt32LE(tm + 4 * index));
	expect(found).toEqual([...fields]);
	// `Date`, which it goes through, has no later years.
	if (Math.abs(fields[5]) < 200_000) expect(call("_timegm_js", tm)).toBe(time);
});

test("fields of a time may be out of their ranges", () => {
	const { call, words, memory } = createGuest();
	const tm = words(-1, 0, 0, 1, 12, 123, 0, 0, 0, 0, 0);
	expect(call("_mktime_js", tm)).toBe(1_704_067_199n);
	expect([0, 16, 20].map((at) => memory.bytes.readInt32LE(tm + at))).toEqual([59, 11, 123]);
	expect(call("_mktime_js", words(0, 0, 0, 1, 0, 0x7fff_ffff, 0, 0, 0, 0, 0))).toBe(-1n);
	expect([call("_timegm_js", memoryBytes - 8), call("_mktime_js", -1)]).toEqual([-1n, -1n]);
});

test("the environment and random bytes are what the host gives", () => {
	const { call, room, memory } = createGuest();
	const [count, bytes, list, strings] = [room(4), room(4), room(8), room(100)];
	expect([call("environ_sizes_get", count, bytes), memory.bytes.readInt32LE(count), memory.bytes.readInt32LE(bytes)]).toEqual([
		0, 2, 23,
	]);
	expect(call("environ_get", list, strings)).toBe(0);
	expect([list, list + 4].map((at) => memory.zeroTerminated(memory.bytes.readUInt32LE(at)))).toEqual([
		"HOME=/tmp",
		"LANG=C.UTF-8",
	]);
	expect([call("random_get", strings, 16), memory.bytes[strings], memory.bytes[strings + 15]]).toEqual([0, 7, 7]);
	expect(call("random_get", 0, 65_537)).toBe(errno.EINVAL);
});

test("what there is not is refused", () => {
	const { call, put, open } = createGuest();
	const fd = open("/tmp/a", create | readWrite);
	expect(call("__syscall_symlinkat", put("/etc"), current, put("/tmp/b"))).toBe(-errno.EPERM);
	expect(call("__syscall_mknodat", current, put("/tmp/b"), 0o020666, 0)).toBe(-errno.EPERM);
	expect(call("__syscall_readlinkat", current, put("/tmp/a"), put(""), 10)).toBe(-errno.EINVAL);
	expect(call("_mmap_js", 4096, 3, 1, fd, 0n, put("    "), put("    "))).toBe(-errno.ENODEV);
	expect(call("__syscall_ioctl", 1, 21523, put(""))).toBe(-errno.ENOTTY);
	expect([
		call("__syscall_socket", 2, 1, 0, 0, 0, 0),
		call("__syscall_pipe", put("        ")),
		call("__syscall_poll", 0, 0, -1),
	]).toEqual([-5, -errno.ENOSYS, -errno.ENOSYS]);
	expect(call("__syscall_fchown32", fd, 0, 0)).toBe(-errno.EPERM);
	expect(call("__syscall_fchown32", fd, 1000, -1)).toBe(0);
});

test("addresses outside of the memory are refused, and nothing is allocated for lengths", () => {
	const { call, put, words, open, room, files } = createGuest();
	const fd = open("/tmp/a", create | readWrite);
	const done = room(8);
	for (const [address, length] of [
		[memoryBytes - 1, 2],
		[0, -1],
		[-1, -1],
		[0x7fff_ffff, 0x7fff_ffff],
	] as const) {
		expect(call("fd_read", fd, words(address, length), 1, done)).toBe(errno.EFAULT);
		expect(call("fd_write", fd, words(address, length), 1, done)).toBe(errno.EFAULT);
	}
	for (const address of [memoryBytes - 7, memoryBytes, -1]) expect(call("fd_write", fd, address, 1, done)).toBe(errno.EFAULT);
	expect(call("fd_write", fd, words(put("x"), 1), 1, memoryBytes - 3)).toBe(errno.EFAULT);
	expect(call("__syscall_getdents64", open("/tmp", 0), memoryBytes - 279, 280)).toBe(-errno.EFAULT);
	expect(call("__syscall_getdents64", open("/tmp", 0), 0, -1)).toBe(-errno.EFAULT);
	expect(files.space.usedBytes).toBe(entryBytes + "a".length);
	expect(call("fd_write", fd, 0, 1025, done)).toBe(errno.EINVAL);
	expect(call("__syscall_stat64", 0, done)).toBe(-errno.EFAULT);
	expect(call("__syscall_stat64", put("/tmp"), memoryBytes - 95)).toBe(-errno.EFAULT);
});

const texts = [
	"/tmp/a",
	"/tmp/b",
	"/tmp/d",
	"/tmp/d/a",
	"a",
	"d",
	"..",
	".",
	"",
	"/",
	"/lib/python314.zip",
	"/dev/null",
	"x".repeat(300),
];
const textsAt = 4096;
const vectorsAt = 16_384;
const roomAt = 32_768;

/** What calls take, and how a value of that kind is made that means something. */
const kinds = {
	fd: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constant(current)),
	path: fc.nat(texts.length - 1).map((index) => textsAt + 512 * index),
	flags: fc
		.tuple(fc.nat(2), fc.subarray([create, create, 0o200, 0o1000, 0o2000]))
		.map(([access, bits]) => bits.reduce((sum, bit) => sum | bit, access)),
	room: fc.nat(100).map((at) => roomAt + 8 * at),
	vectors: fc.constant(vectorsAt),
	small: fc.nat(3),
	length: fc.constantFrom(0, 1, 280, 2048, 20_000, 88),
	mode: fc.constantFrom(0o777, 0o700, 0o644, 0),
	command: fc.constantFrom(0, 1, 2, 3, 4, 12, 13, 1030),
	any: fc.oneof(
		fc.integer(),
		fc.integer({ min: memoryBytes - 100, max: memoryBytes + 100 }),
		fc.constantFrom(-1, 0x7fff_ffff, -0x8000_0000),
	),
	size: fc.oneof(fc.bigInt({ min: 0n, max: 40_000n }), fc.constantFrom(-1n, 2n ** 40n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n))),
} satisfies Record<string, fc.Arbitrary<number | bigint>>;

/** The calls that change something or read it, by what they take; the others get any numbers, and 64 bits where they take those. */
const shapes: Readonly<Record<string, readonly (keyof typeof kinds)[]>> = {
	__syscall_openat: ["fd", "path", "flags", "room"],
	__syscall_mkdirat: ["fd", "path", "mode"],
	__syscall_unlinkat: ["fd", "path", "length"],
	__syscall_rmdir: ["path"],
	__syscall_renameat: ["fd", "path", "fd", "path"],
	__syscall_chdir: ["path"],
	__syscall_fchdir: ["fd"],
	__syscall_chmod: ["path", "mode"],
	__syscall_truncate64: ["path", "size"],
	__syscall_ftruncate64: ["fd", "size"],
	__syscall_fallocate: ["fd", "small", "size", "size"],
	__syscall_getdents64: ["fd", "room", "length"],
	__syscall_newfstatat: ["fd", "path", "room", "flags"],
	__syscall_fstatfs64: ["fd", "length", "room"],
	__syscall_getcwd: ["room", "length"],
	__syscall_utimensat: ["fd", "path", "room", "small"],
	__syscall_faccessat: ["fd", "path", "small", "small"],
	__syscall_dup: ["fd"],
	__syscall_dup3: ["fd", "fd", "small"],
	__syscall_fcntl64: ["fd", "command", "room"],
	fd_read: ["fd", "vectors", "small", "room"],
	fd_write: ["fd", "vectors", "small", "room"],
	fd_pread: ["fd", "vectors", "small", "size", "room"],
	fd_pwrite: ["fd", "vectors", "small", "size", "room"],
	fd_seek: ["fd", "size", "small", "room"],
	fd_close: ["fd"],
	clock_time_get: ["small", "size", "room"],
	_gmtime_js: ["size", "room"],
	_localtime_js: ["size", "room"],
	_timegm_js: ["room"],
	_mktime_js: ["room"],
	random_get: ["room", "length"],
	__syscall_fadvise64: ["fd", "size", "size", "small"],
	_mmap_js: ["length", "small", "small", "fd", "size", "room", "room"],
	_munmap_js: ["any", "any", "any", "any", "any", "size"],
	_msync_js: ["any", "any", "any", "any", "any", "size"],
};
const answersWide = ["_mktime_js", "_timegm_js"];

const noShape = Array.from({ length: 6 }, () => "any" as const);
const anyCall = fc
	.oneof(
		{ weight: 4, arbitrary: fc.constantFrom(...Object.keys(shapes), ...Array.from({ length: 6 }, () => "__syscall_openat")) },
		fc.constantFrom(...Object.keys(createGuest().calls)),
	)
	.chain((name) => {
		const values = (shapes[name] ?? noShape).map((kind) =>
			kind === "size" ? kinds.size : fc.oneof({ weight: 9, arbitrary: kinds[kind] }, kinds.any),
		);
		return fc.tuple(fc.constant(name), fc.tuple(...values));
	});

test("whatever a guest passes, calls answer as the module expects, and limits hold", () => {
	fc.assert(
		fc.property(fc.array(anyCall, { maxLength: 200, size: "max" }), (sequence) => {
			const { memory, files, call } = createGuest();
			for (const [index, text] of texts.entries()) memory.bytes.write(`${text}\0`, textsAt + 512 * index, "latin1");
			// One that holds itself, one that is long and one that is empty.
			memory.bytes.set(new Uint8Array(Uint32Array.from([vectorsAt, 24, roomAt, 20_000, 5, 0]).buffer), vectorsAt);
			memory.bytes.writeUInt32LE(0o600, roomAt);
			files.makeDirectory(current, "/tmp/d", 0o777);
			for (const path of ["/tmp/a", "/tmp/d/a"]) files.open(current, path, create | readWrite, 0o666);
			files.open(current, "/tmp", 0, 0);
			files.open(current, "/lib/python314.zip", 0, 0);
			for (const [name, values] of sequence) {
				const answer = call(name, ...values);
				const isExpected = answersWide.includes(name)
					? typeof answer === "bigint"
					: answer === undefined || Number.isInteger(answer);
				const { usedBytes, usedEntries } = files.space;
				const isWithin = usedBytes >= 0 && usedBytes <= limits.maxBytes && usedEntries >= 0 && usedEntries <= limits.maxEntries;
				if (!isExpected || !isWithin)
					throw new Error(`${name}(${values}) answers ${answer}; ${usedEntries} entries take ${usedBytes} bytes.`);
			}
			expect(list(files, "/")).toEqual(["lib", "usr", "dev", "script", "tmp"]);
			for (const fd of files.descriptors.open()) files.descriptors.close(fd);
			for (const path of ["/tmp", "/script"]) {
				files.changeMode(files.find(current, path), 0o755);
				removeAll(files, path);
			}
			expect([files.space.usedBytes, files.space.usedEntries]).toEqual([0, 0]);
		}),
		{ numRuns: 300 },
	);
});
