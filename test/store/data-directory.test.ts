import {
	chmodSync,
	chownSync,
	closeSync,
	mkdirSync,
	openSync,
	readdirSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { openLmdb } from "../../host/store/lmdb-tree.ts";
import { metaKeys } from "../../host/store/tree.ts";
import { requireUnprivileged } from "../other-user.ts";
import { temporaryDirectory } from "./directory.ts";
import { startStoreProcess } from "./store-process.ts";

const maxStoreBytes = 64 * 1024 * 1024;
const isRoot = process.geteuid?.() === 0;
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe("the data directory", () => {
	let parent: ReturnType<typeof temporaryDirectory>;
	let directory: string;

	beforeEach(() => {
		parent = temporaryDirectory();
		directory = join(parent.path, "data.d");
	});
	afterEach(() => parent.remove());

	const fill = async () => {
		const store = await openLmdbStore({ directory, maxStoreBytes });
		await store.commit({ operations: [{ type: "set", key: ["a"], value: "x".repeat(100_000) }] });
		await store.close();
	};
	const open = () => openLmdbStore({ directory, maxStoreBytes }).then((store) => store.close());

	test("is made, and everything in it is the user's alone, whatever the umask", async () => {
		const umask = process.umask(0);
		try {
			directory = join(directory, "deep", "er");
			await fill();
		} finally {
			process.umask(umask);
		}
		expect(mode(directory)).toBe("700");
		expect(mode(join(parent.path, "data.d"))).toBe("700");
		const names = readdirSync(directory);
		expect(names.length).toBeGreaterThanOrEqual(2);
		for (const name of names) expect([name, mode(join(directory, name))]).toEqual([name, "600"]);
	});

	test("is closed to others when it was open to them, with all that is below it", async () => {
		await fill();
		mkdirSync(join(directory, "hosts"), { mode: 0o755 });
		writeFileSync(join(directory, "hosts", "x"), "", { mode: 0o644 });
		symlinkSync("/etc/hostname", join(directory, "hosts", "link"));
		const linked = mode("/etc/hostname");
		chmodSync(directory, 0o755);
		for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o755);
		await open();
		expect([
			mode(directory),
			mode(join(directory, "store.lmdb")),
			mode(join(directory, "hosts")),
			mode(join(directory, "hosts", "x")),
		]).toEqual(["700", "600", "700", "600"]);
		expect(mode("/etc/hostname")).toBe(linked);
	});

	test.each(["700", "755"])("with mode %s that holds other things and no store is refused and left as it is", async (given) => {
		mkdirSync(join(directory, "bin"), { recursive: true });
		writeFileSync(join(directory, "bin", "tool.sh"), "#!/bin/sh\n");
		chmodSync(join(directory, "bin", "tool.sh"), 0o755);
		mkdirSync(join(directory, "hosts"));
		chmodSync(join(directory, "hosts"), 0o755);
		chmodSync(directory, given);
		await expect(open()).rejects.toMatchObject({
			code: "unavailable",
			message: `${directory} cannot become a data directory: it holds other things ("bin") and no store. Use one that is empty or does not exist yet.`,
		});
		expect([directory, join(directory, "hosts"), join(directory, "bin", "tool.sh")].map(mode)).toEqual([given, "755", "755"]);
		expect(readdirSync(directory).sort()).toEqual(["bin", "hosts"]);
	});

	test("with a store keeps what else is in it as it is", async () => {
		await fill();
		mkdirSync(join(directory, "bin"));
		writeFileSync(join(directory, "bin", "tool.sh"), "#!/bin/sh\n");
		for (const path of [join(directory, "bin"), join(directory, "bin", "tool.sh")]) chmodSync(path, 0o755);
		await open();
		expect([join(directory, "bin"), join(directory, "bin", "tool.sh")].map(mode)).toEqual(["755", "755"]);
	});

	test("that a process has left before it made the store is used", async () => {
		mkdirSync(join(directory, "hosts"), { recursive: true, mode: 0o755 });
		await open();
		expect(mode(join(directory, "hosts"))).toBe("700");
	});

	test.skipIf(!isRoot)("that belongs to somebody else is refused, and so is a file in it (only root can make one)", async () => {
		await fill();
		chownSync(join(directory, "store.lmdb"), 12_345, 12_345);
		await expect(open()).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(/store\.lmdb \(mode 0600\) belongs to user 12345/),
		});
		chownSync(join(directory, "store.lmdb"), 0, 0);
		chownSync(directory, 12_345, 12_345);
		await expect(open()).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("belongs to user 12345"),
		});
	});

	test("that cannot be read says so", async (context) => {
		const { uid } = requireUnprivileged(context);
		await fill();
		// Root reads everything, so it asks as somebody else.
		if (!isRoot) chmodSync(directory, 0);
		else chmodSync(parent.path, 0o755);
		const other = startStoreProcess(uid === undefined ? {} : { user: uid });
		await expect(other.open({ directory, maxStoreBytes })).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(isRoot ? /belongs to user 0/ : /EACCES: permission denied/),
		});
		const below = { directory: join(directory, "below"), maxStoreBytes };
		await expect(other.open(below)).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("EACCES: permission denied"),
		});
		await other.end();
		chmodSync(directory, 0o700);
	});

	test("that is a file, or below one, is refused", async () => {
		writeFileSync(directory, "");
		await expect(open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining(directory) });
		directory = join(directory, "below");
		await expect(open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining(directory) });
	});

	test("with a store of a newer or an older format is refused, and the store is not changed", async () => {
		await fill();
		const write = async (format: string) => {
			const database = openLmdb(join(directory, "store.lmdb"), { readOnly: false, mapBytes: maxStoreBytes });
			database.write((tree) => tree.put(metaKeys.format, Buffer.from(format)));
			await database.close();
		};
		await write("4");
		await expect(open()).rejects.toMatchObject({
			code: "unsupported",
			message: expect.stringMatching(/^The store has format 4; .* up to 3\./),
		});
		for (const older of ["1", "2"]) {
			await write(older);
			await expect(open()).rejects.toMatchObject({
				code: "unsupported",
				message: expect.stringMatching(new RegExp(`^The store has format ${older}; .* from 3 on\\.`)),
			});
		}
		await write("rubbish");
		await expect(open()).rejects.toMatchObject({ code: "internal" });
		await write("3");
		await open();
	});

	test("with a store that becomes newer while it is open takes no more writes from this version", async () => {
		const store = await openLmdbStore({ directory, maxStoreBytes });
		await store.commit({ operations: [{ type: "set", key: ["a"], value: "1" }] });
		const newer = openLmdb(join(directory, "store.lmdb"), { readOnly: false, mapBytes: maxStoreBytes });
		newer.write((tree) => tree.put(metaKeys.format, Buffer.from("4")));
		await newer.close();
		await expect(store.commit({ operations: [{ type: "set", key: ["a"], value: "2" }] })).rejects.toMatchObject({
			code: "unsupported",
		});
		await store.close();
	});

	test("with a file that was cut is refused before it is read", async () => {
		await fill();
		truncateSync(join(directory, "store.lmdb"), statSync(join(directory, "store.lmdb")).size - 8_192);
		await expect(open()).rejects.toMatchObject({
			code: "internal",
			message: expect.stringMatching(/^The store is damaged: its file has \d+ bytes/),
		});
	});

	test("with a file of another LMDB is refused", async () => {
		await fill();
		const file = openSync(join(directory, "store.lmdb"), "r+");
		writeSync(file, Buffer.from([3, 0]), 0, 2, 28);
		closeSync(file);
		await expect(open()).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("format 3") });
	});

	test("that needs more address space than the process may have is refused", async () => {
		const limited = startStoreProcess({ shellLimit: "-v 60000000" });
		await expect(limited.open({ directory, maxStoreBytes: 1024 ** 4 })).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("ulimit -v"),
		});
		await limited.end();
	});

	test("with a file that is something else is refused", async () => {
		mkdirSync(directory, { mode: 0o700 });
		writeFileSync(join(directory, "store.lmdb"), "something else ".repeat(2_000));
		await expect(open()).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(/^The store could not be opened: its file is no LMDB database\.$/),
		});
		writeFileSync(join(directory, "store.lmdb"), "short");
		await expect(open()).rejects.toMatchObject({ code: "unavailable" });
		// An empty file is what a process leaves that dies while it makes the store.
		writeFileSync(join(directory, "store.lmdb"), "");
		await open();
	});
});
