import { describe, expect, it } from "vitest";
import type { Variables } from "../../host/contract/generated/types.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import { failureOf, startRun } from "./run.ts";

const oddKeys = ["a/b", " ", "with spaces", "a.b", "...", "😀", "__proto__", "constructor", "é", "e\u0301", "x".repeat(255)];

const values = [
	"0",
	"-0",
	"1.0",
	"1152921504606846976",
	"false",
	"null",
	'""',
	"[]",
	"{}",
	' { "b" : [ 1 , { "a" : null } ] } ',
	'"\\u0061 ü 😀 \\ud83d\\ude00"',
	'{"__proto__":{"polluted":true},"constructor":1}',
	JSON.stringify("x".repeat(1024 * 1024 - 2)),
];

describe("variables", () => {
	it.each(values.map((value) => [value.slice(0, 30), value]))("come back as they were set: %s", async (_, value) => {
		const { helpers, call } = await startRun();
		await helpers.variables.set("key", value, undefined, call());
		expect(await helpers.variables.get("key", call())).toBe(value);
		expect((await helpers.variables.getEntry("key", call()))?.value).toBe(value);
	});

	it("tell null from missing", async () => {
		const { helpers, call } = await startRun();
		await helpers.variables.set("key", "null", undefined, call());
		expect(await helpers.variables.get("key", call())).toBe("null");
		expect(await helpers.variables.get("other", call())).toBeUndefined();
		expect(await helpers.variables.getEntry("other", call())).toBeUndefined();
	});

	it("are answered at once by a store in this process", async () => {
		const { helpers, call } = await startRun();
		await helpers.variables.set("key", "1", undefined, call());
		expect(helpers.variables.get("key", call())).toBe("1");
		expect(helpers.variables.list(undefined, call())).not.toBeInstanceOf(Promise);
	});

	it("keep odd keys apart", async () => {
		const { helpers, call } = await startRun();
		for (const [index, key] of oddKeys.entries()) await helpers.variables.set(key, String(index), undefined, call());
		for (const [index, key] of oddKeys.entries()) expect(await helpers.variables.get(key, call())).toBe(String(index));
		const { items } = await helpers.variables.list(undefined, call());
		expect(items.map(({ key }) => key).toSorted()).toEqual(oddKeys.toSorted());
		expect(await helpers.variables.delete("a/b", undefined, call())).toBe(true);
		expect(await helpers.variables.get("a.b", call())).toBe(String(oddKeys.indexOf("a.b")));
	});

	it("of other namespaces are out of reach", async () => {
		const store = createMemoryStore();
		const mine = await startRun({ store, namespace: "a" });
		const other = await startRun({ store, namespace: "a/b", id: "run-2" });
		await mine.helpers.variables.set("b/key", "1", undefined, mine.call());
		expect(await other.helpers.variables.get("key", other.call())).toBeUndefined();
		expect(await other.helpers.variables.list(undefined, other.call())).toEqual({ items: [] });
	});

	it("are listed without reading their values", async () => {
		const store = createMemoryStore();
		const list: typeof store.list = () => {
			throw new Error("The values were read.");
		};
		const { helpers, call } = await startRun({ store, throughStore: { ...store, list } });
		await helpers.variables.set("key", '"ä😀"', undefined, call());
		const { items } = await helpers.variables.list(undefined, call());
		expect(items).toEqual([{ key: "key", metadata: (await helpers.variables.getEntry("key", call()))?.metadata }]);
		expect(items[0]?.metadata.size).toBe(8);
	});

	it("have metadata", async () => {
		const { helpers, call, store } = await startRun();
		const before = Date.now();
		const version = await helpers.variables.set("key", '"é"', { expiresInMs: 60_000 }, call());
		const entry = await helpers.variables.getEntry("key", call());
		expect(entry?.metadata).toEqual({
			version,
			createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
			updatedAt: expect.any(String),
			updatedBy: "run-1",
			expiresAt: expect.any(String),
			size: 4,
		});
		expect(Date.parse(entry?.metadata.expiresAt as string)).toBeGreaterThanOrEqual(before + 60_000);
		await store.commit({ operations: [{ type: "set", key: layout.variable("tests", "by-hand"), value: "1" }] });
		expect((await helpers.variables.getEntry("by-hand", call()))?.metadata.updatedBy).toBe("operator");
	});

	it("get a new version with every write, also after a delete", async () => {
		const { helpers, call } = await startRun();
		const versions = new Set<string>();
		for (let round = 0; round < 3; round++) {
			versions.add(await helpers.variables.set("key", "1", undefined, call()));
			versions.add(await helpers.variables.set("key", "1", undefined, call()));
			await helpers.variables.delete("key", undefined, call());
		}
		expect(versions.size).toBe(6);
	});

	it("are written under a condition, and the conflict names the current version", async () => {
		const { helpers, call } = await startRun();
		const first = await helpers.variables.set("key", "1", { ifAbsent: true }, call());
		const exists = await failureOf(() => helpers.variables.set("key", "2", { ifAbsent: true }, call()));
		expect(exists).toMatchObject({
			code: "conflict",
			message: 'The variable "key" exists already.',
			details: { currentVersion: first },
		});
		const second = await helpers.variables.set("key", "2", { ifVersion: first }, call());
		const stale = await failureOf(() => helpers.variables.set("key", "3", { ifVersion: first }, call()));
		expect(stale.code).toBe("conflict");
		expect(stale.message).toBe(`The variable "key" has the version ${second}, not the version "${first}".`);
		expect(stale.details.currentVersion).toBe(second);
		expect(await helpers.variables.get("key", call())).toBe("2");
		const missing = await failureOf(() => helpers.variables.set("other", "3", { ifVersion: first }, call()));
		expect(missing).toMatchObject({ code: "conflict", details: {} });
		expect(missing.message).toMatch(/^The variable "other" does not exist, not the version/);
		expect(missing.details.currentVersion).toBeUndefined();
		const strange = await failureOf(() => helpers.variables.set("key", "3", { ifVersion: "no version at all" }, call()));
		expect(strange.code).toBe("conflict");
	});

	it("are deleted truthfully", async () => {
		const { helpers, call } = await startRun();
		const version = await helpers.variables.set("key", "1", undefined, call());
		expect((await failureOf(() => helpers.variables.delete("key", { ifVersion: "0" }, call()))).code).toBe("conflict");
		expect(await helpers.variables.delete("key", { ifVersion: version }, call())).toBe(true);
		expect(await helpers.variables.delete("key", undefined, call())).toBe(false);
		expect(await helpers.variables.get("key", call())).toBeUndefined();
	});

	it("are deleted once, however many try at one time", async () => {
		const store = createMemoryStore();
		const runs = await Promise.all(["a", "b", "c"].map((id) => startRun({ store, id })));
		for (let round = 0; round < 20; round++) {
			const [first] = runs as [(typeof runs)[0]];
			await first.helpers.variables.set("key", "1", undefined, first.call());
			const answers = await Promise.all(
				runs.flatMap((run) => [1, 2].map(() => run.helpers.variables.delete("key", undefined, run.call()))),
			);
			expect(answers.filter((deleted) => deleted)).toHaveLength(1);
		}
	});

	it("keep the order of unawaited calls", async () => {
		const { helpers, call } = await startRun();
		const answers = await Promise.all([
			helpers.variables.set("key", "1", undefined, call()),
			helpers.variables.delete("key", undefined, call()),
			helpers.variables.delete("key", undefined, call()),
			helpers.variables.set("key", "2", { ifAbsent: true }, call()),
			failureOf(() => helpers.variables.set("key", "3", { ifAbsent: true }, call())),
			helpers.variables.increment("key", 5, call()),
		]);
		expect(answers.slice(1, 3)).toEqual([true, false]);
		expect(answers[4]).toMatchObject({ code: "conflict" });
		expect(answers[5]).toBe(7);
	});

	it("lose no increment in a race of runs", async () => {
		const store = createMemoryStore();
		const runs = await Promise.all(["a", "b", "c", "d"].map((id) => startRun({ store, id })));
		const sums = await Promise.all(
			runs.flatMap((run) => Array.from({ length: 50 }, () => run.helpers.variables.increment("counter", undefined, run.call()))),
		);
		expect(sums.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
	});

	it("let one of many conditional writers win", async () => {
		const store = createMemoryStore();
		const runs = await Promise.all(["a", "b", "c", "d"].map((id) => startRun({ store, id })));
		const results = await Promise.allSettled(
			runs.map(async (run) => run.helpers.variables.set("lock", `"${run.execution.id}"`, { ifAbsent: true }, run.call())),
		);
		expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
	});

	it("are incremented", async () => {
		const { helpers, call } = await startRun();
		expect(await helpers.variables.increment("n", undefined, call())).toBe(1);
		expect(await helpers.variables.increment("n", -2.5, call())).toBe(-1.5);
		expect(await helpers.variables.increment("n", 0, call())).toBe(-1.5);
		await helpers.variables.set("text", '"1"', undefined, call());
		await helpers.variables.set("null", "null", undefined, call());
		for (const key of ["text", "null"]) {
			const error = await failureOf(() => helpers.variables.increment(key, 1, call()));
			expect(error).toMatchObject({
				code: "invalid",
				message: `The variable "${key}" is not a number: it cannot be incremented.`,
			});
		}
		await helpers.variables.set("large", "9007199254740991", undefined, call());
		const error = await failureOf(() => helpers.variables.increment("large", undefined, call()));
		expect(error.code).toBe("invalid");
		expect(error.message).toMatch(/^The variable "large" plus 1 is out of range/);
		expect(await helpers.variables.get("large", call())).toBe("9007199254740991");
	});

	it("expire, and a write without an expiry clears it", async () => {
		const { helpers, call } = await startRun();
		await helpers.variables.set("short", "1", { expiresInMs: 1 }, call());
		await helpers.variables.set("cleared", "1", { expiresInMs: 1_000 }, call());
		await helpers.variables.set("cleared", "2", undefined, call());
		await new Promise((resolve) => setTimeout(resolve, 5));
		expect(await helpers.variables.get("short", call())).toBeUndefined();
		expect((await helpers.variables.list(undefined, call())).items.map(({ key }) => key)).toEqual(["cleared"]);
		expect((await helpers.variables.getEntry("cleared", call()))?.metadata.expiresAt).toBeUndefined();
		expect(await helpers.variables.delete("short", undefined, call())).toBe(false);
		expect(await helpers.variables.set("short", "2", { ifAbsent: true }, call())).toBeTypeOf("string");
	});

	it("are listed by prefix and page in the order of their UTF-8 bytes", async () => {
		const { helpers, call } = await startRun();
		const keys = [
			"a",
			"a/1",
			"a/2",
			"a/３",
			"a/😀",
			"b",
			"B",
			...Array.from({ length: 70 }, (_, index) => `many/${index + 100}`),
		];
		for (const key of keys) await helpers.variables.set(key, "1", undefined, call());
		const all = (await helpers.variables.list(undefined, call())).items.map(({ key }) => key);
		expect(all).toEqual(keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
		const pages: string[][] = [];
		let cursor: string | undefined;
		do {
			const page = await helpers.variables.list({ prefix: "a/", limit: 3, ...(cursor && { cursor }) }, call());
			pages.push(page.items.map(({ key }) => key));
			cursor = page.cursor;
		} while (cursor);
		expect(pages).toEqual([["a/1", "a/2", "a/３"], ["a/😀"]]);
		const many = await helpers.variables.list({ prefix: "many/", limit: 70 }, call());
		expect(many.items).toHaveLength(70);
		expect(many.cursor).toBeUndefined();
		expect(await helpers.variables.list({ prefix: "none" }, call())).toEqual({ items: [] });
	});

	it("are listed on behind a key that was deleted meanwhile", async () => {
		const { helpers, call } = await startRun();
		for (const key of ["a", "b", "c"]) await helpers.variables.set(key, "1", undefined, call());
		const { cursor } = await helpers.variables.list({ limit: 2 }, call());
		await helpers.variables.delete("b", undefined, call());
		const rest = await helpers.variables.list({ cursor: cursor as string }, call());
		expect(rest.items.map(({ key }) => key)).toEqual(["c"]);
	});

	const malformed: [string, (variables: Variables, call: { callId: string }) => unknown, RegExp][] = [
		["a key with a control character", (v, c) => v.get("a\u0000", c), /control character U\+0000/],
		["an empty key", (v, c) => v.getEntry("", c), /^key is empty/],
		["the key ..", (v, c) => v.delete("..", undefined, c), /^key must not be "\.\."/],
		["a key of 300 characters", (v, c) => v.set("k".repeat(300), "1", undefined, c), /has 300 characters; the limit is 255/],
		["a key that is no text", (v, c) => v.increment(7 as never, undefined, c), /^key must be a text; it is a number/],
		["a value that is not JSON", (v, c) => v.set("k", "{", undefined, c), /^the value of "k" is not JSON/],
		[
			"a value with duplicate members",
			(v, c) => v.set("k", '{"a":1,"a":2}', undefined, c),
			/^the value of "k" has the member "a" twice/,
		],
		["a value nested too deep", (v, c) => v.set("k", "[".repeat(100_000), undefined, c), /nested deeper than 128/],
		["both conditions", (v, c) => v.set("k", "1", { ifVersion: "1", ifAbsent: true }, c), /exclude each other/],
		["a version that is no text", (v, c) => v.set("k", "1", { ifVersion: 7 as never }, c), /^ifVersion must be a version/],
		["an expiry of 0", (v, c) => v.set("k", "1", { expiresInMs: 0 }, c), /^expiresInMs is 0; it must be a whole number from 1/],
		["a fractional expiry", (v, c) => v.set("k", "1", { expiresInMs: 1.5 }, c), /^expiresInMs is 1\.5/],
		["an expiry beyond all time", (v, c) => v.set("k", "1", { expiresInMs: 2 ** 53 - 1 }, c), /^expiresInMs is 9007199254740991/],
		["options that are no object", (v, c) => v.set("k", "1", "x" as never, c), /^options must be an object; it is a string/],
		["an increment by NaN", (v, c) => v.increment("k", Number.NaN, c), /^by must be a finite number; it is NaN/],
		["an increment by null", (v, c) => v.increment("k", null as never, c), /^by must be a finite number; it is null/],
		["a page size of 0", (v, c) => v.list({ limit: 0 }, c), /^limit is 0; it must be a whole number from 1 to 1000/],
		["a page size over the limit", (v, c) => v.list({ limit: 1_001 }, c), /^limit is 1001/],
		["a cursor of one's own", (v, c) => v.list({ cursor: "x" }, c), /^cursor must be one that a list/],
		["a cursor that decodes to no key", (v, c) => v.list({ cursor: "1." }, c), /^cursor must be one that a list/],
		["a cursor of another prefix", (v, c) => v.list({ prefix: "a", cursor: "1.Yg" }, c), /^cursor must be one that a list/],
		["a prefix with a control character", (v, c) => v.list({ prefix: "\n" }, c), /^prefix "\\n" has the control character/],
	];
	it.each(malformed)("refuse %s", async (_, attempt, message) => {
		const { helpers, call } = await startRun();
		const error = await failureOf(() => attempt(helpers.variables, call()));
		expect(error.code).toBe("invalid");
		expect(error.message).toMatch(message);
		expect((await helpers.variables.list(undefined, call())).items).toEqual([]);
	});

	it("over maxValueBytes are too large", async () => {
		const { helpers, call } = await startRun();
		const error = await failureOf(() => helpers.variables.set("key", JSON.stringify("x".repeat(1024 * 1024)), undefined, call()));
		expect(error.code).toBe("too-large");
		expect(error.message).toBe('the value of "key" has 1048578 bytes; the limit maxValueBytes is 1048576.');
		expect(error.details.limit?.name).toBe("maxValueBytes");
	});
});
