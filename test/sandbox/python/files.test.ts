import { expect, test } from "vitest";
import { maxDescriptors } from "../../../host/sandbox/python/descriptors.ts";
import { entryBytes } from "../../../host/sandbox/python/file-space.ts";
import { openFlags } from "../../../host/sandbox/python/open-files.ts";
import { createGuestFiles, current, limits, list, read, readRest, removeAll, write } from "./guest-files.ts";

const { append, create, exclusive, readWrite, truncate, writeOnly } = openFlags;
const tebibyte = 2 ** 40;

test("a run finds the base, and its own /script and /tmp, which are empty", () => {
	const files = createGuestFiles();
	expect(list(files, "/")).toEqual(["lib", "usr", "dev", "script", "tmp"]);
	expect([list(files, "/script"), list(files, "/tmp")]).toEqual([[], []]);
	expect(read(files, "/lib/python314.zip")).toBe("the library");
	expect(read(files, "/usr/share/../share/./zoneinfo//Europe/Berlin")).toBe("TZif");
	expect(files.workingDirectory()).toBe("/script");
});

test("nothing of the base can be changed", () => {
	const files = createGuestFiles();
	const library = "/lib/python314.zip";
	const changes = [
		() => files.open(current, library, writeOnly, 0),
		() => files.open(current, library, readWrite | truncate, 0),
		() => files.open(current, "/lib/new", writeOnly | create, 0o666),
		() => files.truncate(library, 0),
		() => files.removeFile(current, library),
		() => files.rename(current, library, current, "/tmp/stolen"),
		() => files.rename(current, "/lib", current, "/tmp/stolen"),
		() => files.rename(current, "/tmp", current, "/tmp2"),
		() => files.makeDirectory(current, "/home", 0o777),
		() => files.removeDirectory(current, "/usr/share/zoneinfo/Europe"),
		() => files.removeDirectory(current, "/tmp"),
		() => files.changeMode(files.find(current, library), 0o777),
		() => files.changeMode(files.find(current, "/"), 0o777),
		() => files.changeTimes(files.find(current, library), 0n, 0n),
		() => files.removeFile(current, "/dev/null"),
	];
	for (const change of changes) expect(change).toThrow("EROFS");
	write(files, "/tmp/mine", "mine");
	expect(() => files.rename(current, "/tmp/mine", current, library)).toThrow("EROFS");
	expect(() => files.descriptors.get(files.open(current, library, 0, 0)).truncate(0, files.now)).toThrow("EINVAL");
	expect(read(files, library)).toBe("the library");
});

test("a base may have nothing where runs have their own", () => {
	expect(() => createGuestFiles({ base: new Map([["/tmp/a", Buffer.from("a")]]) })).toThrow(
		"The base has /tmp, which is each run's own.",
	);
});

test("after a reset nothing is left of a run", () => {
	const files = createGuestFiles();
	const before = { script: files.find(current, "/script"), mode: files.find(current, "/tmp").mode };
	write(files, "/tmp/a", "a");
	files.makeDirectory(current, "/tmp/b", 0o777);
	files.changeDirectory(files.find(current, "/tmp/b"));
	files.changeMode(files.find(current, "/tmp"), 0);
	files.setUmask(0o777);
	files.descriptors.close(1);
	files.open(current, "/lib/python314.zip", 0, 0);
	files.open(current, "/dev/null", 0, 0);
	expect(files.leftOpen()).toEqual([3]);

	files.reset();

	expect(files.leftOpen()).toEqual([]);
	expect(files.descriptors.open()).toEqual([0, 1, 2]);
	expect([files.space.usedBytes, files.space.usedEntries]).toEqual([0, 0]);
	expect(list(files, "/tmp")).toEqual([]);
	expect(files.workingDirectory()).toBe("/script");
	expect(files.setUmask(0)).toBe(0o022);
	expect(files.find(current, "/script")).toBe(before.script);
	expect(files.find(current, "/tmp").mode).toBe(before.mode);
	write(files, "/tmp/a", "next");
	expect(read(files, "/tmp/a")).toBe("next");
});

test("two runs that do the same find the same", () => {
	const files = createGuestFiles();
	const run = () => {
		write(files, "/tmp/a", "a");
		files.makeDirectory(current, "b", 0o777);
		return [files.find(current, "/tmp/a").inode, files.find(current, "b").inode, files.open(current, "/tmp/a", 0, 0)];
	};
	const first = run();
	files.reset();
	expect(run()).toEqual(first);
});

test("what is printed goes to the host, and the input is empty", () => {
	const printed: [number, string][] = [];
	const files = createGuestFiles({ print: (fd, bytes) => printed.push([fd, Buffer.from(bytes).toString()]) });
	files.descriptors.get(1).write(Buffer.from("out"), files.now);
	files.descriptors.get(2).write(Buffer.from("err"), files.now);
	files.descriptors.get(files.open(current, "/dev/stdout", writeOnly, 0)).write(Buffer.from("again"), files.now);
	expect(printed).toEqual([
		[1, "out"],
		[2, "err"],
		[1, "again"],
	]);
	expect(readRest(files, 0)).toBe("");
	expect(() => files.descriptors.get(0).write(Buffer.from("in"), files.now)).toThrow("EBADF");
	expect(() => files.open(current, "/dev/stdin", writeOnly, 0)).toThrow("EACCES");
	expect(files.descriptors.get(1).write(Buffer.alloc(3_000_000, "x"), files.now)).toBe(1_048_576);
});

test("/dev/urandom is random, a part at a time, and /dev/null is nothing", () => {
	const files = createGuestFiles();
	const random = Buffer.alloc(100_000);
	expect(files.descriptors.get(files.open(current, "/dev/urandom", 0, 0)).read(random)).toBe(65_536);
	expect(random[65_535]).toBe(4);
	const nothing = files.descriptors.get(files.open(current, "/dev/null", readWrite | truncate, 0));
	expect([nothing.write(random, files.now), nothing.read(random)]).toEqual([100_000, 0]);
});

test("a file of a terabyte is refused, and no memory is taken for it", () => {
	const files = createGuestFiles();
	const fd = files.open(current, "/tmp/bomb", readWrite | create, 0o666);
	const file = files.descriptors.get(fd);
	expect(() => file.truncate(tebibyte, files.now)).toThrow("EFBIG");
	expect(() => file.allocate(0, tebibyte, files.now)).toThrow("EFBIG");
	file.seek(tebibyte, 0);
	expect(() => file.write(Buffer.from("x"), files.now)).toThrow("EFBIG");
	expect(() => file.write(Buffer.from("x"), files.now, tebibyte)).toThrow("EFBIG");
	expect(() => files.truncate("/tmp/bomb", limits.maxBytes + 1)).toThrow("EFBIG");
	expect(files.space.usedBytes).toBe(entryBytes + "bomb".length);
	file.truncate(limits.maxBytes, files.now);
	expect(files.space.usedBytes).toBe(entryBytes + "bomb".length);
	file.seek(-1, 2);
	expect(file.write(Buffer.from("xy"), files.now)).toBe(1);
	expect(files.space.usedBytes).toBe(entryBytes + "bomb".length + 16_384);
});

test("files have no more than their room, and it comes back", () => {
	const files = createGuestFiles();
	const file = files.descriptors.get(files.open(current, "/tmp/full", readWrite | create, 0o666));
	const chunk = Buffer.alloc(10_000, "x");
	let size = 0;
	for (let done = 1; done > 0; size += done) {
		try {
			done = file.write(chunk, files.now);
		} catch (error) {
			expect((error as Error).message).toBe("ENOSPC");
			done = 0;
		}
	}
	expect(size).toBeGreaterThan(limits.maxBytes - entryBytes - 16_384 - 4);
	expect(files.space.usedBytes).toBeLessThanOrEqual(limits.maxBytes);
	expect(() =>
		files.descriptors.get(files.open(current, "/tmp/other", writeOnly | create, 0o666)).write(chunk, files.now),
	).toThrow("ENOSPC");
	files.rename(current, "/tmp/full", current, "/tmp/FULL");
	file.truncate(10, files.now);
	expect(files.space.usedBytes).toBe(2 * entryBytes + "FULLother".length + 16_384);
	file.truncate(0, files.now);
	removeAll(files, "/tmp");
	expect([files.space.usedBytes, files.space.usedEntries]).toEqual([0, 0]);
});

test("there are no more files and directories than their limit", () => {
	const files = createGuestFiles();
	for (let count = 0; count < limits.maxEntries; count++) files.makeDirectory(current, `/tmp/${count}`, 0o777);
	expect(() => files.makeDirectory(current, "/tmp/more", 0o777)).toThrow("ENOSPC");
	expect(() => files.open(current, "/tmp/more", writeOnly | create, 0o666)).toThrow("ENOSPC");
	files.rename(current, "/tmp/0", current, "/tmp/more");
	files.removeDirectory(current, "/tmp/more");
	write(files, "/tmp/more", "");
});

test("names take of the room, too", () => {
	const files = createGuestFiles({ limits: { maxBytes: 100_000, maxEntries: 1_000_000 } });
	let count = 0;
	expect(() => {
		for (; ; count++) files.makeDirectory(current, `/tmp/${String(count).padStart(255, "x")}`, 0o777);
	}).toThrow("ENOSPC");
	expect(count).toBe(Math.floor(100_000 / (entryBytes + 255)));
});

test("what was written, and only that, is read, wherever holes, cuts and blocks are", () => {
	const files = createGuestFiles();
	const file = files.descriptors.get(files.open(current, "/tmp/a", readWrite | create, 0o666));
	const expected = Buffer.alloc(200_000);
	let size = 0;
	for (const [at, length] of [
		[100, 50],
		[16_380, 10],
		[100_000, 40_000],
		[5, 16_384],
		[32_768, 16_384],
	] as const) {
		const bytes = Buffer.alloc(length, String(at));
		expect(file.write(bytes, files.now, at)).toBe(length);
		expected.set(bytes, at);
		size = Math.max(size, at + length);
	}
	for (const cut of [120_001, 50_000, 32_768, 17_000, 600, 3]) {
		file.truncate(cut, files.now);
		expected.fill(0, cut);
		file.truncate(size, files.now);
		const found = Buffer.alloc(200_000, 0xff);
		expect(file.read(found, 0)).toBe(size);
		expect(found.compare(expected, 0, size, 0, size)).toBe(0);
	}
});

test("a file that was removed lives as long as it is open", () => {
	const files = createGuestFiles();
	write(files, "/tmp/a", "content");
	const fd = files.open(current, "/tmp/a", readWrite, 0);
	const second = files.descriptors.set(files.descriptors.free(), files.descriptors.get(fd), false);
	files.removeFile(current, "/tmp/a");
	files.descriptors.close(fd);
	expect(readRest(files, second)).toBe("content");
	expect(files.space.usedBytes).toBe(512);
	files.descriptors.close(second);
	expect(files.space.usedBytes).toBe(0);
});

test("a file that another one replaces lives as long as it is open", () => {
	const files = createGuestFiles();
	write(files, "/tmp/old", "old");
	write(files, "/tmp/new", "new");
	const fd = files.open(current, "/tmp/old", 0, 0);
	files.rename(current, "/tmp/new", current, "/tmp/old");
	expect([readRest(files, fd), read(files, "/tmp/old")]).toEqual(["old", "new"]);
	expect(list(files, "/tmp")).toEqual(["old"]);
	files.descriptors.close(fd);
	expect(files.space.usedBytes).toBe(entryBytes + "old".length + 512);
});

test("a directory cannot be moved into itself, however that is said", () => {
	const files = createGuestFiles();
	files.makeDirectory(current, "/tmp/a", 0o777);
	files.makeDirectory(current, "/tmp/a/b", 0o777);
	for (const target of ["/tmp/a/c", "/tmp/a/b/c", "/tmp/a/b/../c", "/tmp/a/b/./c/"])
		expect(() => files.rename(current, "/tmp/a", current, target)).toThrow("EINVAL");
	expect(() => files.rename(current, "/tmp/a/b", current, "/tmp/a")).toThrow("ENOTEMPTY");
	expect(() => files.rename(current, "/tmp/a/.", current, "/tmp/c")).toThrow("EBUSY");
	files.rename(current, "/tmp/a", current, "/tmp/a");
	files.rename(current, "/tmp/a/b", current, "/tmp/b");
	files.changeDirectory(files.find(current, "/tmp/b"));
	expect(files.workingDirectory()).toBe("/tmp/b");
	expect(files.find(current, "..")).toBe(files.find(current, "/tmp"));
});

test("nothing can be made in a directory that was removed", () => {
	const files = createGuestFiles();
	files.makeDirectory(current, "/tmp/a", 0o777);
	write(files, "/tmp/file", "file");
	files.changeDirectory(files.find(current, "/tmp/a"));
	files.removeDirectory(current, "/tmp/a");
	for (const attempt of [
		() => files.open(current, "b", writeOnly | create, 0o666),
		() => files.open(current, "..", writeOnly | create, 0o666),
		() => files.makeDirectory(current, "b", 0o777),
		() => files.makeDirectory(current, "..", 0o777),
		() => files.rename(current, "/tmp/file", current, "b"),
		() => files.find(current, "../file"),
		() => files.workingDirectory(),
	])
		expect(attempt).toThrow("ENOENT");
	expect(files.space.usedEntries).toBe(1);
});

test("a directory is listed completely while its entries are removed and others are made", () => {
	const files = createGuestFiles({ limits: { maxBytes: 10_000_000, maxEntries: 2_000 } });
	for (let count = 0; count < 500; count++) write(files, `/tmp/${count}`, "");
	const directory = files.find(current, "/tmp");
	if (directory.kind !== "directory") throw new Error("/tmp is no directory.");
	const seen: string[] = [];
	let position = 0;
	for (let round = 0; ; round++) {
		const [entry] = directory.after(position);
		if (entry === undefined || round > 1_000) break;
		seen.push(entry.name);
		position = entry.sequence;
		files.removeFile(current, `/tmp/${entry.name}`);
		if (round < 100) {
			write(files, "/tmp/passing", "");
			files.removeFile(current, "/tmp/passing");
		}
	}
	expect(seen).toEqual(Array.from({ length: 500 }, (_, count) => String(count)));
	expect(directory.size).toBe(0);
});

test("names may have any bytes, and are as long as they may be", () => {
	const files = createGuestFiles();
	const name = "\xff\x01\n".repeat(85);
	write(files, `/tmp/${name}`, "x");
	expect(list(files, "/tmp")).toEqual([name]);
	expect(() => write(files, `/tmp/${name}x`, "x")).toThrow("ENAMETOOLONG");
	expect(() => files.find(current, `/tmp/${name}x`)).toThrow("ENAMETOOLONG");
	expect(() => files.find(current, `/tmp/${"./".repeat(2_046)}`)).toThrow("ENAMETOOLONG");
	expect(files.find(current, `/tmp/${"./".repeat(2_045)}`)).toBe(files.find(current, "/tmp"));
});

test("a path that leads deeper than paths can be is told of no program", () => {
	const files = createGuestFiles({ limits: { maxBytes: 10_000_000, maxEntries: 2_000 } });
	const name = "d".repeat(200);
	for (let depth = 0; depth < 30; depth++) {
		files.makeDirectory(current, name, 0o777);
		files.changeDirectory(files.find(current, name));
	}
	expect(() => files.workingDirectory()).toThrow("ERANGE");
	files.reset();
	expect(files.workingDirectory()).toBe("/script");
});

test("there are no more descriptors than their limit, and a file that cannot be opened is not made", () => {
	const files = createGuestFiles();
	for (let count = 3; count < maxDescriptors; count++) expect(files.open(current, "/dev/null", 0, 0)).toBe(count);
	expect(() => files.open(current, "/tmp/new", writeOnly | create, 0o666)).toThrow("EMFILE");
	expect(list(files, "/tmp")).toEqual([]);
	files.descriptors.close(7);
	expect(files.open(current, "/tmp/new", writeOnly | create, 0o666)).toBe(7);
	for (const fd of [-1, maxDescriptors, Number.MIN_SAFE_INTEGER, 2 ** 31])
		expect(() => files.descriptors.get(fd)).toThrow("EBADF");
});

test("files are opened as their flags say", () => {
	const files = createGuestFiles();
	write(files, "/tmp/a", "12345");
	files.makeDirectory(current, "/tmp/d", 0o777);
	expect(() => files.open(current, "/tmp/none", readWrite, 0)).toThrow("ENOENT");
	expect(() => files.open(current, "/tmp/a", create | exclusive | writeOnly, 0)).toThrow("EEXIST");
	expect(() => files.open(current, "/tmp/a", openFlags.directory, 0)).toThrow("ENOTDIR");
	expect(() => files.open(current, "/tmp/a/", 0, 0)).toThrow("ENOTDIR");
	expect(() => files.open(current, "/tmp/a/b", create | writeOnly, 0)).toThrow("ENOTDIR");
	expect(() => files.open(current, "/tmp/d", writeOnly, 0)).toThrow("EISDIR");
	expect(() => files.open(current, "/tmp/new/", create | writeOnly, 0)).toThrow("EISDIR");
	expect(() => files.open(current, "", create | writeOnly, 0)).toThrow("ENOENT");
	expect(() => files.open(current, "/tmp/a", 3, 0)).toThrow("EINVAL");
	const end = files.descriptors.get(files.open(current, "/tmp/a", writeOnly | append, 0));
	end.seek(0, 0);
	end.write(Buffer.from("67"), files.now);
	expect(() => end.read(Buffer.alloc(1))).toThrow("EBADF");
	expect(read(files, "/tmp/a")).toBe("1234567");
	files.descriptors.close(files.open(current, "/tmp/a", readWrite | truncate, 0));
	expect(read(files, "/tmp/a")).toBe("");
	const directory = files.open(current, "/tmp/d", openFlags.directory, 0);
	expect(() => files.descriptors.get(directory).read(Buffer.alloc(1))).toThrow("EISDIR");
	files.open(directory, "inside", create | writeOnly, 0o666);
	expect(list(files, "/tmp/d")).toEqual(["inside"]);
});

test("a program is held to the permissions that it sets", () => {
	const files = createGuestFiles();
	write(files, "/tmp/a", "a");
	files.makeDirectory(current, "/tmp/d", 0o777);
	write(files, "/tmp/d/b", "b");
	expect(files.find(current, "/tmp/a").mode).toBe(0o644);
	files.changeMode(files.find(current, "/tmp/a"), 0o400);
	expect(() => files.open(current, "/tmp/a", writeOnly, 0)).toThrow("EACCES");
	expect(() => files.truncate("/tmp/a", 0)).toThrow("EACCES");
	files.changeMode(files.find(current, "/tmp/d"), 0o500);
	expect(() => files.removeFile(current, "/tmp/d/b")).toThrow("EACCES");
	expect(() => write(files, "/tmp/d/c", "c")).toThrow("EACCES");
	files.changeMode(files.find(current, "/tmp/d"), 0o600);
	expect(() => read(files, "/tmp/d/b")).toThrow("EACCES");
	expect(files.descriptors.get(files.open(current, "/tmp/new", readWrite | create, 0)).write(Buffer.from("x"), files.now)).toBe(
		1,
	);
});

test("every change has a later time than the one before, on a clock that stands still", () => {
	const files = createGuestFiles();
	const times = ["/tmp/a", "/tmp/b", "/tmp/c"].map((path) => {
		write(files, path, "x");
		return files.find(current, "/tmp").modifiedAt;
	});
	expect(times).toEqual([...new Set(times)].sort());
	expect(times.map((time) => time / 1_000_000n)).toEqual(times.map(() => 1_700_000_000_000n));
	files.changeTimes(files.find(current, "/tmp/a"), -5n, undefined);
	expect(files.find(current, "/tmp/a").accessedAt).toBe(-5n);
});

test("the host's files are put where they belong, with their directories, and count", () => {
	const files = createGuestFiles();
	const bytes = Buffer.from("print(1)");
	files.put("/script/lib/größe/main.py", bytes);
	files.put("/script/other.py", bytes);
	bytes.fill(0);
	expect(read(files, Buffer.from("/script/lib/größe/main.py").toString("latin1"))).toBe("print(1)");
	expect(list(files, "/script")).toEqual(["lib", "other.py"]);
	expect(files.space.usedEntries).toBe(4);
	write(files, "/script/other.py", "print(2)");
	expect(read(files, "/script/other.py")).toBe("print(2)");
});

test("the host's files are refused where they cannot be, or when there is no room", () => {
	const files = createGuestFiles();
	files.put("/script/a", Buffer.from("a"));
	for (const path of [
		"/script/a",
		"/script/a/b",
		"/lib/evil.py",
		"/script/../lib/evil.py",
		"/script/",
		"/script",
		"x",
		"",
		`/script/${"x".repeat(256)}`,
	])
		expect(() => files.put(path, Buffer.from("x"))).toThrow(expect.objectContaining({ code: "invalid" }));
	expect(() => files.put("/script/b", Buffer.alloc(limits.maxBytes))).toThrow(
		'There is no room for "/script/b", which has 1048576 bytes; the limits of a run\'s files are 1048576 bytes and 64 files and directories.',
	);
});
