import { describe, expect, test } from "vitest";
import { RuntimeError } from "../host/contract/errors.ts";
import { resolveLimits } from "../host/contract/limits.ts";
import { requirePlacedFiles } from "../host/placed-files.ts";

const limits = resolveLimits({ maxFilesBytes: 4_096 });
const refusal = (given: object): unknown => {
	try {
		return requirePlacedFiles(given, limits);
	} catch (error) {
		if (!(error instanceof RuntimeError)) throw error;
		return `${error.code}: ${error.message}`;
	}
};

describe("files of a run in a container", () => {
	test("texts, bytes and paths below the script are taken as they are", () => {
		const bytes = new Uint8Array([0, 255]);
		const { files, arguments: given } = requirePlacedFiles(
			{ files: { "a.txt": "ä", "lib/deep/b.bin": bytes, "with space-é": "" }, arguments: ["", "a\nb", "-x"] },
			limits,
		);
		expect([...files]).toEqual([
			["a.txt", "ä"],
			["lib/deep/b.bin", bytes],
			["with space-é", ""],
		]);
		expect(given).toEqual(["", "a\nb", "-x"]);
	});

	test.each([
		"/etc/passwd",
		"../a",
		"a/../b",
		"a/..",
		".",
		"./a",
		"",
		"a//b",
		"a/",
		".hidden",
		"a/.hidden",
		".cronium.mjs",
		"a\nb",
		"a\0b",
		"\ud800",
		"a".repeat(256),
		"é".repeat(128),
		`a/${"a".repeat(255)}/`.repeat(4).concat("a"),
		`${"a/".repeat(32)}a`,
	])("the path %j is refused", (path) => {
		expect(refusal({ files: { [path]: "" } })).toMatch(/^invalid: The file .* has no legal path/s);
	});

	test("a path may have 32 parts and 1024 characters", () => {
		for (const path of [`${"a/".repeat(31)}a`, `${`${"a".repeat(254)}/`.repeat(4)}abcd`])
			expect([...requirePlacedFiles({ files: { [path]: "" } }, limits).files.keys()]).toEqual([path]);
	});

	test("a file cannot be a directory, too, whichever comes first", () => {
		expect(refusal({ files: { a: "", "a/b": "" } })).toBe('invalid: The file "a" is a directory, too: "a/b".');
		expect(refusal({ files: { "a/b/c": "", "a/b": "" } })).toBe('invalid: The file "a/b" is a directory, too: "a/b/c".');
	});

	test.each([
		[{ files: [] }, "files"],
		[{ files: "a" }, "files"],
		[{ files: { a: 1 } }, "contents"],
		[{ files: { a: null } }, "contents"],
		[{ arguments: "a" }, "arguments must be an array"],
		[{ arguments: [1] }, "arguments[0]"],
		[{ arguments: ["", null] }, "arguments[1]"],
		[{ arguments: ["a", "b\0"] }, "arguments[1] has a NUL"],
	])("%j is refused, naming what is wrong", (given, named) => {
		const said = refusal(given);
		expect(said).toMatch(/^invalid: /);
		expect(said).toContain(named);
	});

	test("too many, and too large ones, are refused with the limit", () => {
		const many = (count: number) => Array.from({ length: count }, (_, index) => String(index));
		expect(refusal({ arguments: many(1_001) })).toBe("too-large: There are 1001 arguments; the limit is 1000.");
		expect(refusal({ files: Object.fromEntries(many(1_001).map((name) => [name, ""])) })).toBe(
			"too-large: There are 1001 files; the limit is 1000.",
		);
		expect(refusal({ arguments: ["a".repeat(131_072)] })).toBe("too-large: arguments[0] has 131072 bytes; the limit is 131071.");
		// Names, contents and arguments together: 4096 bytes are taken.
		const files = { a: "é", b: new Uint8Array(4_000) };
		expect(requirePlacedFiles({ files, arguments: ["x".repeat(92)] }, limits).arguments).toHaveLength(1);
		expect(refusal({ files, arguments: ["x".repeat(93)] })).toBe(
			"too-large: The files and arguments have 4097 bytes; the limit maxFilesBytes is 4096.",
		);
	});
});
