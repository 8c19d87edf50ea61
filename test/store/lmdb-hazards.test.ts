import { createRequire } from "node:module";
import { join } from "node:path";
import type * as LmdbPackage from "lmdb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keyRoomBytes } from "../../host/store/key.ts";
import { type Lmdb, openLmdb } from "../../host/store/lmdb-tree.ts";
import { getEntry } from "../../host/store/reader.ts";
import { writeEntryKey } from "../../host/store/tree.ts";
import { temporaryDirectory } from "./directory.ts";

const lmdb = createRequire(import.meta.url)("lmdb") as typeof LmdbPackage;
const MiB = 1024 * 1024;

/** What the package does by itself, and what is left of it behind the wrapper: each pair shows the hazard and its absence. */
describe("hazards of LMDB's package", () => {
	let directory: ReturnType<typeof temporaryDirectory>;
	/** The package without the wrapper, on the same file. */
	let raw: LmdbPackage.RootDatabase<Buffer, Buffer>;
	let wrapped: Lmdb;
	/** A second handle, as another thread has one: it sees what was committed and nothing else. */
	let other: Lmdb;

	beforeEach(() => {
		directory = temporaryDirectory();
		const file = join(directory.path, "store.lmdb");
		wrapped = openLmdb(file, { readOnly: false, mapBytes: 256 * MiB });
		other = openLmdb(file, { readOnly: true, mapBytes: 256 * MiB });
		raw = lmdb.open<Buffer, Buffer>(file, { noSubdir: true, overlappingSync: false, encoding: "binary", keyEncoding: "binary" });
	});
	afterEach(async () => {
		await raw.close();
		await other.close();
		await wrapped.close();
		directory.remove();
	});

	const key = Buffer.from("key");
	const text = (value: Buffer) => value.toString("utf8", 0, value.length);
	const committed = () => other.reader.get(key, text);

	describe("an asynchronous transaction whose callback throws", () => {
		test("keeps what was written before", async () => {
			await raw
				.transaction(() => {
					void raw.put(key, Buffer.from("half"));
					throw new Error("stop");
				})
				.catch(() => {});
			expect(committed()).toBe("half");
		});

		test("is rolled back by the wrapper, which goes on", () => {
			expect(() =>
				wrapped.write((tree) => {
					tree.put(key, Buffer.from("half"));
					throw new Error("stop");
				}),
			).toThrow("stop");
			expect(committed()).toBeUndefined();
			wrapped.write((tree) => tree.put(key, Buffer.from("whole")));
			expect(committed()).toBe("whole");
		});
	});

	describe("a transaction whose callback returns the promise of a write", () => {
		test("returns before it is committed", async () => {
			const result: unknown = raw.transactionSync(() => raw.put(key, Buffer.from("later")));
			expect(committed()).toBeUndefined();
			await result;
			expect(committed()).toBe("later");
		});

		test("cannot come about in the wrapper, whatever the callback returns", () => {
			wrapped.write((tree) => {
				tree.put(key, Buffer.from("now"));
				return Promise.resolve(true) as never;
			});
			expect(committed()).toBe("now");
		});
	});

	describe("a read after another thread's acknowledged write, in the same turn of the event loop", () => {
		test("misses it", () => {
			raw.get(key);
			wrapped.write((tree) => tree.put(key, Buffer.from("new")));
			expect(raw.get(key)).toBeUndefined();
		});

		test("sees it through the wrapper: get, scan and keys", () => {
			expect(committed()).toBeUndefined();
			const range = { start: Buffer.from("a"), end: Buffer.from("z") };
			for (let round = 0; round < 100; round++) {
				wrapped.write((tree) => tree.put(Buffer.from("key"), Buffer.from(String(round))));
				expect(committed()).toBe(String(round));
				const seen: string[] = [];
				other.reader.scan(range, (_, value) => seen.push(text(value)) > 0);
				expect(seen).toEqual([String(round)]);
				wrapped.write((tree) => tree.put(Buffer.from(`key${round}`), Buffer.from("x")));
				let keys = 0;
				other.reader.scanKeys(range, () => ++keys > 0);
				expect(keys).toBe(2);
				wrapped.write((tree) => tree.remove(Buffer.from(`key${round}`)));
			}
		});

		test("holds no pages between reads, so that the file does not grow under a writer", () => {
			committed();
			for (let round = 0; round < 200; round++) {
				wrapped.write((tree) => tree.put(key, Buffer.alloc(MiB / 4, round)));
				expect(other.reader.get(key, (value) => value[0])).toBe(round);
			}
			let fileBytes = 0;
			wrapped.write(() => {
				fileBytes = wrapped.space().fileBytes;
			});
			expect(fileBytes).toBeLessThan(4 * MiB);
		});

		test("is not kept from later reads by one that failed in the middle", () => {
			wrapped.write((tree) => tree.put(key, Buffer.from("old")));
			expect(() =>
				other.reader.snapshot(() => {
					committed();
					throw new Error("stop");
				}),
			).toThrow("stop");
			wrapped.write((tree) => tree.put(key, Buffer.from("new")));
			expect(committed()).toBe("new");
		});

		test("sees one state within a snapshot", () => {
			wrapped.write((tree) => tree.put(key, Buffer.from("old")));
			other.reader.snapshot(() => {
				expect(committed()).toBe("old");
				wrapped.write((tree) => tree.put(key, Buffer.from("new")));
				expect(committed()).toBe("old");
			});
			expect(committed()).toBe("new");
		});
	});

	describe("the buffer of a fast read", () => {
		test("is one for all values", () => {
			wrapped.write((tree) => {
				tree.put(Buffer.from("a"), Buffer.from("first"));
				tree.put(Buffer.from("b"), Buffer.from("other"));
			});
			const first = raw.getBinaryFast(Buffer.from("a")) as Buffer;
			raw.getBinaryFast(Buffer.from("b"));
			expect(first.toString("latin1", 0, 5)).toBe("other");
		});

		test("gives nothing away through an entry that is damaged", () => {
			const secret = Buffer.alloc(4_096, "S");
			const entryKey = (name: string) => {
				const bytes = Buffer.alloc(keyRoomBytes);
				return bytes.subarray(0, writeEntryKey([name], bytes, 0));
			};
			// A header that tells of an author of 60,000 bytes, cut off; and one that is too short to be a header.
			const header = Buffer.alloc(40);
			header[0] = 1;
			header.writeUInt16BE(60_000, 25);
			for (const damaged of [header, header.subarray(0, 10), Buffer.from([9, ...header.subarray(1)])]) {
				wrapped.write((tree) => {
					tree.put(entryKey("secret"), secret);
					tree.put(entryKey("damaged"), damaged);
				});
				other.reader.get(entryKey("secret"), text);
				expect(() => getEntry(other.reader, ["damaged"])).toThrow(expect.objectContaining({ code: "internal" }));
			}
		});
	});
});
