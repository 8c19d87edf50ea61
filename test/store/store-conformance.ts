import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type {
	CommitResult,
	Store,
	StoreChange,
	StoreEntry,
	StoreKey,
	StoreOperation,
	StoreTransaction,
} from "../../host/store/store.ts";
import { describeAccounts } from "./account-conformance.ts";

/** A store under test and what ends it. */
export interface OpenStore {
	readonly store: Store;
	dispose(): Promise<void>;
}

export interface StoreSettings {
	readonly maxStoreBytes: number;
	readonly keptChanges: number;
}

/** Makes an empty store. */
export type StoreFactory = (settings: StoreSettings) => Promise<OpenStore>;

const MiB = 1024 * 1024;
/** The smallest log of changes, so that a test can overrun it. */
const keptChanges = 300;

/** What every store promises: run it for each implementation. */
export function describeStore(name: string, factory: StoreFactory): void {
	describe(name, () => {
		let open: OpenStore;
		let store: Store;

		// One store for the tests that can begin by emptying it: starting one is most of a test's time.
		beforeAll(async () => {
			open = await factory({ maxStoreBytes: 256 * MiB, keptChanges });
			store = open.store;
		});
		afterAll(() => open.dispose());
		beforeEach(async () => {
			await store.commit({ operations: [{ type: "delete-prefix", prefix: [] }] });
		});

		const set = (key: StoreKey, value: string, more: { expiresAt?: number; author?: string } = {}): StoreOperation => ({
			type: "set",
			key,
			value,
			...more,
		});
		const apply = async (...operations: StoreOperation[]): Promise<CommitResult & { committed: true }> => {
			const result = await store.commit({ operations });
			if (!result.committed) throw new Error(`not committed: ${result.reason}`);
			return result;
		};
		const value = async (key: StoreKey) => (await store.get(key))?.value;
		const keysUnder = async (prefix: StoreKey) => (await store.list({ prefix, limit: 1_000 })).map((entry) => entry.key);

		describe("reading and writing", () => {
			test("a key that was never set is missing", async () => {
				expect(await store.get(["a"])).toBeUndefined();
				expect(await store.list({ prefix: [], limit: 10 })).toEqual([]);
			});

			test.each(["0", "false", '""', "null", "[]", "", "1.0", '"\u{1F600} \u0000 ä"'])(
				"the text %j comes back as it went in",
				async (text) => {
					await apply(set(["a"], text));
					expect(await value(["a"])).toBe(text);
				},
			);

			test("an entry tells its version, its times and who wrote it", async () => {
				const before = Date.now();
				const { version } = await apply(set(["a", 7], "1", { author: "Ärztin" }));
				const entry = (await store.get(["a", 7])) as StoreEntry;
				expect(entry).toEqual({
					key: ["a", 7],
					value: "1",
					size: 1,
					version,
					createdAt: entry.createdAt,
					updatedAt: entry.createdAt,
					author: "Ärztin",
				});
				expect(entry.createdAt).toBeGreaterThanOrEqual(before);
				expect(entry.createdAt).toBeLessThanOrEqual(Date.now());
			});

			test("writing again keeps the time of creation and changes version and author", async () => {
				const first = await apply(set(["a"], "1", { author: "x" }));
				const created = (await store.get(["a"])) as StoreEntry;
				await new Promise((resolve) => setTimeout(resolve, 5));
				const second = await apply(set(["a"], "2"));
				const entry = (await store.get(["a"])) as StoreEntry;
				expect(second.version).not.toBe(first.version);
				expect(entry).toMatchObject({ value: "2", version: second.version, createdAt: created.createdAt, author: "" });
				expect(entry.updatedAt).toBeGreaterThan(created.updatedAt);
			});

			test("all keys of one transaction have its version", async () => {
				const { version } = await apply(set(["a"], "1"), set(["b"], "2"));
				expect((await store.list({ prefix: [], limit: 10 })).map((entry) => entry.version)).toEqual([version, version]);
			});

			test("a deleted key is missing, and its versions do not come again", async () => {
				const first = await apply(set(["a"], "1"));
				await apply({ type: "delete", key: ["a"] });
				expect(await store.get(["a"])).toBeUndefined();
				const second = await apply(set(["a"], "1"));
				expect(second.version).not.toBe(first.version);
			});

			test.each([1, 16])("a value of %d MiB comes back, also in a list", async (size) => {
				const text = `ä${"0123456789abcdef".repeat((size * MiB) / 16 - 1)}ß`;
				await apply(set(["large", 1], text), set(["large", 2], "small"), set(["large", 3], text.slice(1)));
				expect((await value(["large", 1])) === text).toBe(true);
				expect(await value(["large", 2])).toBe("small");
				const listed = await store.list({ prefix: ["large"], limit: 10 });
				expect(listed.map((entry) => entry.value.length)).toEqual([text.length, 5, text.length - 1]);
				expect(listed[0]?.value === text && listed[2]?.value === text.slice(1)).toBe(true);
			});

			test("a value that was read does not change when others are read or written", async () => {
				await apply(set(["a"], "first"), set(["b"], "SECOND-LONGER"));
				const a = await store.get(["a"]);
				const list = await store.list({ prefix: [], limit: 10 });
				await store.get(["b"]);
				await apply(set(["a"], "third"), set(["b"], "x".repeat(100)));
				await store.get(["b"]);
				expect(a?.value).toBe("first");
				expect(list.map((entry) => entry.value)).toEqual(["first", "SECOND-LONGER"]);
			});

			test("half a surrogate pair is refused in values and keys", async () => {
				await expect(store.commit({ operations: [set(["a"], "\ud800")] })).rejects.toMatchObject({ code: "invalid" });
				await expect(store.commit({ operations: [set(["\udc00"], "1")] })).rejects.toMatchObject({ code: "invalid" });
				expect(await store.list({ prefix: [], limit: 10 })).toEqual([]);
			});
		});

		describe("keys", () => {
			test("order: numbers before texts, numbers by value, texts by their UTF-8 bytes, a tuple before what begins with it", async () => {
				const ordered: StoreKey[] = [
					[0],
					[1],
					[9],
					[10],
					[2 ** 40],
					[Number.MAX_SAFE_INTEGER],
					[""],
					["", 0],
					["", ""],
					["\u0000"],
					["\u0000", 1],
					["\u0000\u0000"],
					["\u0001"],
					["a"],
					["a", 0],
					["a", "b"],
					["a\u0000"],
					["a\u0000b"],
					["ab"],
					["b"],
					["\u00e9"],
					["\uffff"],
					["\u{10000}"],
					["\u{1F600}"],
				];
				for (const key of [...ordered].reverse()) await apply(set(key, JSON.stringify(key)));
				const listed = await store.list({ prefix: [], limit: 100 });
				expect(listed.map((entry) => entry.key)).toEqual(ordered);
				expect(listed.map((entry) => entry.value)).toEqual(ordered.map((key) => JSON.stringify(key)));
				expect((await store.list({ prefix: [], limit: 100, reverse: true })).map((entry) => entry.key)).toEqual(
					[...ordered].reverse(),
				);
			});

			test("the longest names work: 255 characters of four bytes, and eight elements", async () => {
				const long = "\u{1F600}".repeat(255);
				const deep = ["a", 1, "b", 2, "c", 3, "d", "\u0000".repeat(255)];
				await apply(set(["variables", long, "x"], "1"), set(deep, "2"));
				expect(await value(["variables", long, "x"])).toBe("1");
				expect(await value(deep)).toBe("2");
				expect(await keysUnder([])).toEqual([deep, ["variables", long, "x"]]);
			});

			test.each<[string, StoreKey, string]>([
				["too long", ["x".repeat(1_900)], "too-large"],
				["too long in bytes", ["\u{1F600}".repeat(475)], "too-large"],
				["too long by the sum of its elements", ["a".repeat(1_000), "b".repeat(1_000)], "too-large"],
				["made of nine elements", [1, 2, 3, 4, 5, 6, 7, 8, 9], "invalid"],
				["empty", [], "invalid"],
				["with a negative number", [-1], "invalid"],
				["with a fraction", [1.5], "invalid"],
				["with a number that is not safe", [2 ** 53], "invalid"],
				["with minus zero", [-0], "invalid"],
			])("a key that is %s is refused", async (_, key, code) => {
				await expect(store.commit({ operations: [set(["fine"], "1"), set(key, "1")] })).rejects.toMatchObject({
					name: "RuntimeError",
					code,
				});
				expect(await store.get(["fine"])).toBeUndefined();
			});

			test("the longest key that is allowed works, and one byte more names the limit", async () => {
				const longest = "x".repeat(1_898);
				await apply(set([longest], "1", { expiresAt: Date.now() + 60_000 }));
				expect(await value([longest])).toBe("1");
				await expect(store.commit({ operations: [set([`${longest}x`], "1")] })).rejects.toMatchObject({
					code: "too-large",
					details: { limit: { name: "maxKeyBytes", value: 1_900, unit: "bytes" } },
				});
			});
		});

		describe("lists", () => {
			beforeEach(async () => {
				const names = ["a", "ab", "abc", "ac", "b", "\u00e4b", "ab\u0000c"];
				await apply(
					...names.map((key) => set(["v", "n", key], key)),
					set(["v", "n2", "z"], "z"),
					set(["v", "n"], "n"),
					set(["v", "n", 5], "5"),
				);
			});

			const names = (entries: readonly StoreEntry[]) => entries.map((entry) => entry.key[2]);

			test("a prefix is whole elements: the key itself and all below it, no others", async () => {
				expect(names(await store.list({ prefix: ["v", "n"], limit: 100 }))).toEqual([
					undefined,
					5,
					"a",
					"ab",
					"ab\u0000c",
					"abc",
					"ac",
					"b",
					"\u00e4b",
				]);
				expect(await keysUnder(["v", "n2"])).toEqual([["v", "n2", "z"]]);
				expect(await keysUnder(["v", "nothing"])).toEqual([]);
			});

			test("startsWith narrows to texts that begin with it", async () => {
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "ab", limit: 100 }))).toEqual(["ab", "ab\u0000c", "abc"]);
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "ab\u0000", limit: 100 }))).toEqual(["ab\u0000c"]);
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "\u00e4", limit: 100 }))).toEqual(["\u00e4b"]);
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "", limit: 100 }))).toHaveLength(7);
			});

			test("pages join without gaps or repetitions, in both directions", async () => {
				for (const reverse of [false, true]) {
					const all = await store.list({ prefix: ["v", "n"], limit: 100, reverse });
					const paged: StoreEntry[] = [];
					for (;;) {
						const last = paged.at(-1);
						const page = await store.list({ prefix: ["v", "n"], limit: 2, reverse, ...(last ? { after: last.key } : {}) });
						if (page.length === 0) break;
						paged.push(...page);
					}
					expect(paged).toEqual(all);
				}
			});

			test("a page can begin behind a key that is gone, or outside of the range", async () => {
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "a", after: ["v", "n", "abb"], limit: 2 }))).toEqual([
					"abc",
					"ac",
				]);
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "ab", after: ["a"], limit: 1 }))).toEqual(["ab"]);
				expect(await store.list({ prefix: ["v", "n"], startsWith: "ab", after: ["w"], limit: 1 })).toEqual([]);
				expect(names(await store.list({ prefix: ["v", "n"], startsWith: "ab", after: ["w"], reverse: true, limit: 1 }))).toEqual([
					"abc",
				]);
			});

			test("heads are the entries without their values, which tell how many bytes those have", async () => {
				await apply(set(["v", "n", "ab"], "\u00e4\u{1F600}x", { author: "me", expiresAt: Date.now() + 60_000 }));
				await apply(set(["v", "n", "gone"], "1", { expiresAt: Date.now() - 1 }));
				const after: StoreKey = ["v", "n", "ab"];
				for (const range of [{ startsWith: "a" }, { after, reverse: true }, { after }, {}])
					for (const limit of [2, 100]) {
						const entries = await store.list({ prefix: ["v", "n"], limit, ...range });
						expect(entries.length).toBeGreaterThan(1);
						expect(await store.heads({ prefix: ["v", "n"], limit, ...range })).toEqual(
							entries.map(({ value: text, ...head }) => ({ ...head, size: Buffer.byteLength(text) })),
						);
					}
				expect((await store.heads({ prefix: ["v", "n", "ab"], limit: 1 }))[0]).toMatchObject({ size: 7, author: "me" });
			});

			test("a limit of 0 lists nothing, and one that is no number is refused", async () => {
				expect(await store.list({ prefix: [], limit: 0 })).toEqual([]);
				await expect((async () => store.list({ prefix: [], limit: Number.NaN }))()).rejects.toMatchObject({ code: "invalid" });
			});
		});

		describe("transactions", () => {
			test("a check that fails says which and the version there is, and nothing is changed", async () => {
				const { version } = await apply(set(["a"], "1"));
				expect(
					await store.commit({
						checks: [
							{ key: ["a"], is: "present" },
							{ key: ["a"], is: "absent" },
						],
						operations: [set(["a"], "2"), set(["b"], "2")],
					}),
				).toEqual({ committed: false, reason: "check", index: 1, currentVersion: version });
				expect(await store.commit({ checks: [{ key: ["b"], is: "present" }], operations: [set(["b"], "2")] })).toEqual({
					committed: false,
					reason: "check",
					index: 0,
				});
				expect(await value(["a"])).toBe("1");
				expect(await value(["b"])).toBeUndefined();
			});

			test("checks see the state before the transaction's own operations", async () => {
				const result = await store.commit({
					checks: [{ key: ["a"], is: "absent" }],
					operations: [set(["a"], "1"), set(["a"], "2")],
				});
				expect(result.committed).toBe(true);
				expect(await value(["a"])).toBe("2");
			});

			test("a version check compares and sets; versions of other stores match nothing", async () => {
				const { version } = await apply(set(["a"], "1"));
				for (const wrong of ["", "0", "x", "-1", "999999", `0${version}`, "1e3", "99999999999999999999"])
					expect(
						await store.commit({ checks: [{ key: ["a"], version: wrong }], operations: [set(["a"], "wrong")] }),
					).toMatchObject({
						committed: false,
						currentVersion: version,
					});
				expect((await store.commit({ checks: [{ key: ["a"], version }], operations: [set(["a"], "2")] })).committed).toBe(true);
				expect((await store.commit({ checks: [{ key: ["a"], version }], operations: [set(["a"], "3")] })).committed).toBe(false);
				expect((await store.commit({ checks: [{ key: ["gone"], version: "0" }], operations: [] })).committed).toBe(false);
				expect(await value(["a"])).toBe("2");
			});

			test("an operation that fails leaves nothing of those before it", async () => {
				const { version } = await apply(
					set(["text"], '"x"'),
					set(["kept"], "old", { expiresAt: Date.now() + 60_000 }),
					set(["below", 1], "1"),
				);
				const before = await store.list({ prefix: [], limit: 100 });
				const result = await store.commit({
					operations: [
						set(["new"], "1"),
						set(["kept"], "new"),
						{ type: "archive", key: ["below", 1], to: ["archive"], overBytes: 0 },
						{ type: "delete-prefix", prefix: ["below"] },
						{ type: "increment", key: ["new"], by: 1 },
						{ type: "increment", key: ["text"], by: 1 },
					],
				});
				expect(result).toEqual({ committed: false, reason: "not-a-number", index: 5, currentVersion: version });
				expect(await store.list({ prefix: [], limit: 100 })).toEqual(before);
			});

			test("operations see what those before them did", async () => {
				const result = await apply(
					set(["n"], "40"),
					{ type: "increment", key: ["n"], by: 2 },
					{ type: "delete", key: ["n"] },
					{ type: "increment", key: ["n"], by: 1 },
					set(["p", 1], "1"),
					{ type: "delete-prefix", prefix: ["p"] },
					set(["p", 2], "2"),
				);
				expect(result.sums).toEqual([42, 1]);
				expect(await value(["n"])).toBe("1");
				expect(await keysUnder(["p"])).toEqual([["p", 2]]);
			});

			test("without operations only the checks are answered", async () => {
				await apply(set(["a"], "1"));
				expect(await store.commit({ checks: [{ key: ["a"], is: "present" }], operations: [] })).toMatchObject({
					committed: true,
					sums: [],
				});
				expect(await store.commit({ checks: [{ key: ["a"], is: "absent" }], operations: [] })).toMatchObject({
					committed: false,
				});
			});

			test("what is posted at one time is applied in that order, each on top of the last", async () => {
				const results = await Promise.all(
					Array.from({ length: 500 }, (_, index) =>
						store.commit({ operations: [{ type: "increment", key: ["n"], by: 1 }, set(["last"], String(index))] }),
					),
				);
				expect(results.map((result) => result.committed && result.sums[0])).toEqual(
					Array.from({ length: 500 }, (_, index) => index + 1),
				);
				expect(new Set(results.map((result) => result.committed && result.version)).size).toBe(500);
				expect(await value(["last"])).toBe("499");
			});

			test("delete-prefix takes whole elements and counts in the thousands", async () => {
				await apply(
					...Array.from({ length: 2_000 }, (_, index) => set(["p", "a", index], "1")),
					set(["p", "ab"], "1"),
					set(["p", "a\u0000"], "1"),
				);
				await apply({ type: "delete-prefix", prefix: ["p", "a"] });
				expect(await keysUnder([])).toEqual([
					["p", "a\u0000"],
					["p", "ab"],
				]);
				await apply({ type: "delete-prefix", prefix: [] });
				expect(await keysUnder([])).toEqual([]);
			});

			test("a transaction over 64 MiB is refused, and the next one works", async () => {
				const value16 = "x".repeat(16 * MiB);
				await expect(
					store.commit({ operations: [1, 2, 3, 4, 5].map((index) => set(["large", index], value16)) }),
				).rejects.toMatchObject({ code: "too-large", details: { limit: { name: "maxTransactionBytes" } } });
				await apply(set(["a"], "1"));
				expect(await keysUnder([])).toEqual([["a"]]);
			});
		});

		describe("increment", () => {
			test("a missing key starts at 0, and the sum is stored as a JSON number", async () => {
				expect((await apply({ type: "increment", key: ["n"], by: 5, author: "me" })).sums).toEqual([5]);
				expect(
					(await apply({ type: "increment", key: ["n"], by: -7.5 }, { type: "increment", key: ["n"], by: 0.5 })).sums,
				).toEqual([-2.5, -2]);
				expect(await store.get(["n"])).toMatchObject({ value: "-2", author: "" });
			});

			test.each([
				["1e2", 101],
				[" 41\n", 42],
				["-0", 1],
				["0.5", 1.5],
			])("%j is a number", async (text, sum) => {
				await apply(set(["n"], text));
				expect((await apply({ type: "increment", key: ["n"], by: 1 })).sums).toEqual([sum]);
			});

			test.each(['"1"', "null", "", "[]", "0x10", "01", "NaN", "1 2", "+1", "true"])("%j is not a number", async (text) => {
				const { version } = await apply(set(["n"], text));
				expect(await store.commit({ operations: [{ type: "increment", key: ["n"], by: 1 }] })).toEqual({
					committed: false,
					reason: "not-a-number",
					index: 0,
					currentVersion: version,
				});
				expect(await value(["n"])).toBe(text);
			});

			test.each([
				["9007199254740991", 1],
				["-9007199254740991", -1],
				["1e400", 1],
				["1e308", 1e308],
				["1", Number.POSITIVE_INFINITY],
				["1", Number.NaN],
			])("%s + %s is out of range", async (text, by) => {
				await apply(set(["n"], text));
				expect(await store.commit({ operations: [{ type: "increment", key: ["n"], by }] })).toMatchObject({
					committed: false,
					reason: "out-of-range",
				});
				expect(await value(["n"])).toBe(text);
			});

			test("keeps the expiry and the time of creation", async () => {
				const expiresAt = Date.now() + 60_000;
				await apply(set(["n"], "1", { expiresAt }));
				const before = (await store.get(["n"])) as StoreEntry;
				await apply({ type: "increment", key: ["n"], by: 1 });
				expect(await store.get(["n"])).toMatchObject({ value: "2", expiresAt, createdAt: before.createdAt });
			});
		});

		describe("expiry", () => {
			test("an entry shows its expiry until a write without one clears it", async () => {
				const expiresAt = Date.now() + 60_000;
				await apply(set(["a"], "1", { expiresAt }));
				expect((await store.get(["a"]))?.expiresAt).toBe(expiresAt);
				await apply(set(["a"], "2"));
				expect(await store.get(["a"])).not.toHaveProperty("expiresAt");
			});

			test("an expired entry is absent in reads, lists, checks and sums", async () => {
				await apply(set(["a"], "41", { expiresAt: Date.now() - 1 }), set(["b"], "1"));
				expect(await store.get(["a"])).toBeUndefined();
				expect(await keysUnder([])).toEqual([["b"]]);
				expect(await store.list({ prefix: [], limit: 1 })).toHaveLength(1);
				expect(await store.commit({ checks: [{ key: ["a"], is: "present" }], operations: [] })).toEqual({
					committed: false,
					reason: "check",
					index: 0,
				});
				expect((await apply({ type: "increment", key: ["a"], by: 1 })).sums).toEqual([1]);
				expect(await store.get(["a"])).not.toHaveProperty("expiresAt");
			});

			test("a key that is written after its expiry came into being anew", async () => {
				await apply(set(["a"], "1", { expiresAt: Date.now() - 1 }));
				const old = (await store.get(["a"], { expired: true })) as StoreEntry;
				expect(old.value).toBe("1");
				await new Promise((resolve) => setTimeout(resolve, 5));
				await apply(set(["a"], "2"));
				expect(((await store.get(["a"])) as StoreEntry).createdAt).toBeGreaterThan(old.createdAt);
			});

			test("an expired entry is found when it is asked for, as long as it takes space", async () => {
				const expiresAt = Date.now() - 1;
				const { version } = await apply(set(["a"], "1", { expiresAt }), set(["b"], "2"));
				expect(await store.get(["a"], { expired: true })).toMatchObject({ value: "1", version, expiresAt });
				expect(await store.get(["b"], { expired: true })).toEqual(await store.get(["b"]));
				expect(await store.get(["a"], { expired: false })).toBeUndefined();
				expect(await store.get(["c"], { expired: true })).toBeUndefined();
				await apply({ type: "delete", key: ["a"] });
				expect(await store.get(["a"], { expired: true })).toBeUndefined();
			});

			test("expired lists what still takes space, oldest expiry first", async () => {
				const now = Date.now();
				await apply(
					set(["x"], "x", { expiresAt: now - 1_000 }),
					set(["y"], "y", { expiresAt: now - 3_000 }),
					set(["z"], "\u00e4", { expiresAt: now - 2_000 }),
					set(["later"], "1", { expiresAt: now + 60_000 }),
					set(["never"], "1"),
					set(["cleared"], "1", { expiresAt: now - 5_000 }),
					set(["moved"], "1", { expiresAt: now - 5_000 }),
				);
				await apply(set(["cleared"], "2"), set(["moved"], "222", { expiresAt: now - 500 }));
				expect((await store.expired(100)).map((entry) => [entry.key[0], entry.size, entry.expiresAt])).toEqual([
					["y", 1, now - 3_000],
					["z", 2, now - 2_000],
					["x", 1, now - 1_000],
					["moved", 3, now - 500],
				]);
				expect((await store.expired(2)).map((entry) => entry.key[0])).toEqual(["y", "z"]);
				await apply({ type: "delete", key: ["y"] }, { type: "delete-prefix", prefix: ["z"] });
				expect((await store.expired(100)).map((entry) => entry.key[0])).toEqual(["x", "moved"]);
			});

			test.each([0, -1, 1.5, Number.NaN, 2 ** 48])("an expiry of %d is refused", async (expiresAt) => {
				await expect(store.commit({ operations: [set(["a"], "1", { expiresAt })] })).rejects.toMatchObject({ code: "invalid" });
			});
		});

		describe("archive", () => {
			const archive: StoreOperation = { type: "archive", key: ["a"], to: ["old", "a"], overBytes: 3 };

			test("keeps a value that is replaced, under its version", async () => {
				const first = await apply(set(["a"], "first", { author: "x", expiresAt: Date.now() + 60_000 }));
				const second = await apply(archive, set(["a"], "second", { author: "y" }));
				await apply(archive, { type: "delete", key: ["a"] });
				const kept = await store.list({ prefix: ["old"], limit: 10 });
				expect(kept.map((entry) => [entry.key, entry.value, entry.author])).toEqual([
					[["old", "a", first.version], "first", "x"],
					[["old", "a", second.version], "second", "y"],
				]);
				expect(kept[0]).not.toHaveProperty("expiresAt");
			});

			test("keeps an expired value, and nothing when there is none or it is small", async () => {
				const { version } = await apply(set(["a"], "expired", { expiresAt: Date.now() - 1 }));
				await apply(archive, set(["a"], "abc"));
				await apply(archive, { type: "delete", key: ["a"] });
				await apply(archive);
				expect((await store.list({ prefix: ["old"], limit: 10 })).map((entry) => [entry.key, entry.value])).toEqual([
					[["old", "a", version], "expired"],
				]);
			});

			test("counts bytes, not characters", async () => {
				await apply(set(["a"], "\u{1F600}"));
				await apply(archive);
				expect(await keysUnder(["old"])).toHaveLength(1);
			});
		});

		describe("changes", () => {
			/** Reads hints until `enough`. */
			const follow = async (
				prefix: StoreKey,
				options: { cursor?: string },
				enough: (changes: StoreChange[]) => boolean,
				ready?: () => Promise<unknown>,
			): Promise<StoreChange[]> => {
				const abort = new AbortController();
				const iterable = store.changes(prefix, { ...options, signal: abort.signal });
				const seen: StoreChange[] = [];
				const reading = (async () => {
					for await (const change of iterable) {
						seen.push(change);
						if (enough(seen)) break;
					}
				})();
				await ready?.();
				await reading;
				abort.abort();
				return seen;
			};
			const changedKeys = (changes: readonly StoreChange[]) =>
				changes.flatMap((change) => (change.type === "changed" ? change.keys : ["reset"]));

			test("hints name the keys below the prefix that were set, incremented, archived and deleted from now on", async () => {
				await apply(set(["p", "before"], "1"), set(["p", "gone"], "gone"));
				const changes = await follow(
					["p"],
					{},
					(seen) => changedKeys(seen).length >= 4,
					() =>
						apply(
							set(["p", "a"], "1"),
							set(["pp"], "1"),
							{ type: "increment", key: ["p", "n"], by: 1 },
							{ type: "archive", key: ["p", "gone"], to: ["p", "old"], overBytes: 0 },
							{ type: "delete-prefix", prefix: ["p", "gone"] },
							{ type: "delete", key: ["p", "nothing"] },
						),
				);
				const keys = changedKeys(changes) as StoreKey[];
				expect(keys.map((key) => key.slice(0, 2))).toEqual([
					["p", "a"],
					["p", "n"],
					["p", "old"],
					["p", "gone"],
				]);
			});

			test("from a cursor the hints catch up, and a refused transaction is not among them", async () => {
				const { version } = await apply(set(["p", 0], "x"));
				for (let index = 1; index <= 3; index++) await apply(set(["p", index], "1"), set(["other", index], "1"));
				await store.commit({ checks: [{ key: ["p", 0], is: "absent" }], operations: [set(["p", "refused"], "1")] });
				const changes = await follow(["p"], { cursor: version }, (seen) => changedKeys(seen).length >= 3);
				expect(changedKeys(changes)).toEqual([
					["p", 1],
					["p", 2],
					["p", 3],
				]);
				await apply(set(["p", 4], "1"));
				const more = await follow(["p"], { cursor: changes.at(-1)?.cursor as string }, (seen) => seen.length > 0);
				expect(changedKeys(more)).toEqual([["p", 4]]);
			});

			test("a cursor that the log does not reach back to is answered by a reset, and then the hints go on", async () => {
				const { version } = await apply(set(["p"], "0"));
				await Promise.all(Array.from({ length: 700 }, (_, index) => store.commit({ operations: [set(["q", index % 7], "1")] })));
				const changes = await follow(
					[],
					{ cursor: version },
					(seen) => seen.length === 2,
					async () => {
						await new Promise((resolve) => setTimeout(resolve, 30));
						await apply(set(["after"], "1"));
					},
				);
				expect(changes.map((change) => change.type)).toEqual(["reset", "changed"]);
				expect(changedKeys(changes.slice(1))).toEqual([["after"]]);
			});

			test("a change of very many keys is answered by a reset", async () => {
				const { version } = await apply(set(["p"], "0"));
				await apply(...Array.from({ length: 1_500 }, (_, index) => set(["q", index], "1")));
				const changes = await follow([], { cursor: version }, (seen) => seen.length > 0);
				expect(changes[0]?.type).toBe("reset");
			});

			test("an aborted signal ends the hints", async () => {
				const abort = new AbortController();
				const ended = (async () => {
					for await (const _ of store.changes([], { signal: abort.signal }));
					return "ended";
				})();
				setTimeout(() => abort.abort(), 20);
				expect(await ended).toBe("ended");
				for await (const _ of store.changes([], { signal: AbortSignal.abort() })) throw new Error("a hint after the end");
			});

			test("a text that is no cursor is refused", async () => {
				await expect(
					(async () => {
						for await (const _ of store.changes([], { cursor: "x" }));
					})(),
				).rejects.toMatchObject({ code: "invalid" });
			});
		});

		describe("space", () => {
			test("a full store refuses, names its limit, and still takes deletions and what is marked for the reserve", async () => {
				const small = await factory({ maxStoreBytes: 16 * MiB, keptChanges });
				try {
					const fill = (index: number, size: number): StoreTransaction => ({
						operations: [set(["fill", index], "x".repeat(size))],
					});
					let index = 0;
					const refusals: unknown[] = [];
					for (const size of [MiB, 64 * 1024, 100])
						for (let refused = false; !refused; index++)
							await small.store.commit(fill(index, size)).catch((error) => {
								refusals.push(error);
								refused = true;
							});
					expect(index).toBeGreaterThan(14);
					for (const error of refusals)
						expect(error).toMatchObject({
							code: "unavailable",
							message: expect.stringMatching(/^The store is full/),
							details: { limit: { name: "maxStoreBytes", value: 16 * MiB, unit: "bytes" } },
						});
					const status: StoreTransaction = { operations: [set(["status"], "x".repeat(300))], reserve: true };
					expect((await small.store.commit(status)).committed).toBe(true);
					expect((await small.store.commit({ operations: [{ type: "delete-prefix", prefix: ["fill"] }] })).committed).toBe(true);
					expect((await small.store.commit(fill(0, MiB))).committed).toBe(true);
					expect((await small.store.list({ prefix: [], limit: 10 })).map((entry) => entry.key)).toEqual([
						["fill", 0],
						["status"],
					]);
				} finally {
					await small.dispose();
				}
			});

			test("what is deleted makes room again, many times over", async () => {
				const small = await factory({ maxStoreBytes: 16 * MiB, keptChanges });
				try {
					for (let round = 0; round < 12; round++) {
						for (let index = 0; index < 10; index++)
							await small.store.commit({ operations: [set(["v", index], String.fromCharCode(97 + round).repeat(MiB))] });
						await small.store.commit({ operations: [{ type: "delete-prefix", prefix: ["v"] }] });
					}
					expect(await small.store.list({ prefix: [], limit: 10 })).toEqual([]);
				} finally {
					await small.dispose();
				}
			});
		});

		describeAccounts(factory);

		describe("closing", () => {
			let open: OpenStore;
			let store: Store;
			beforeEach(async () => {
				open = await factory({ maxStoreBytes: 256 * MiB, keptChanges });
				store = open.store;
			});
			afterEach(() => open.dispose());

			test("waits for what was posted, and every call after it fails with unavailable", async () => {
				const posted = Array.from({ length: 50 }, (_, index) => store.commit({ operations: [set(["a", index], "1")] }));
				await store.close();
				expect((await Promise.all(posted)).every((result) => result.committed)).toBe(true);
				const unavailable = { name: "RuntimeError", code: "unavailable" };
				await expect((async () => store.get(["a"]))()).rejects.toMatchObject(unavailable);
				await expect((async () => store.list({ prefix: [], limit: 1 }))()).rejects.toMatchObject(unavailable);
				await expect((async () => store.heads({ prefix: [], limit: 1 }))()).rejects.toMatchObject(unavailable);
				await expect((async () => store.expired(1))()).rejects.toMatchObject(unavailable);
				await expect(store.commit({ operations: [] })).rejects.toMatchObject(unavailable);
				await expect(
					(async () => {
						for await (const _ of store.changes([]));
					})(),
				).rejects.toMatchObject(unavailable);
				await store.close();
			});

			test("ends those who follow the changes", async () => {
				const following = (async () => {
					for await (const _ of store.changes([]));
				})();
				const ended = expect(following).rejects.toMatchObject({ code: "unavailable" });
				await new Promise((resolve) => setTimeout(resolve, 20));
				await store.close();
				await ended;
			});
		});
	});
}
