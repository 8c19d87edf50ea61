import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestImage } from "../../host/sandbox/guest.ts";
import { createImageKey, keptImage, programSources } from "../../host/sandbox/image-file.ts";
import { glueUrl as emscriptenGlue } from "../../host/sandbox/quickjs-emscripten-guest.ts";
import { glueUrl as wasiGlue } from "../../host/sandbox/quickjs-wasi-guest.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-image-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the program that an image is made by", () => {
	test.each([
		["quickjs-wasi", wasiGlue],
		["quickjs-emscripten", emscriptenGlue],
	])("is for %s its glue and what reads, rewrites and copies for it", (name, url) => {
		const sources = programSources(url).join("\n");
		for (const part of ["class GuestMemory", "function rewriteModule", "function readString", `prepare`, `"${name}"`])
			expect(sources).toContain(part);
	});

	test("is another one when a source beside it changes, appears or gets another name", () => {
		const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
		const keys = new Set<string>();
		const addKey = (): unknown =>
			keys.add(createImageKey("quickjs-wasi", programSources(pathToFileURL(join(directory, "a.ts")).href)).sha256);
		write("a.ts", "1");
		addKey();
		write("memory.ts", "2");
		addKey();
		write("memory.ts", "3");
		addKey();
		rmSync(join(directory, "memory.ts"));
		write("other.ts", "3");
		addKey();
		expect(keys.size).toBe(4);
	});

	test("is the bundle alone where it is one", () => {
		writeFileSync(join(directory, "script-worker.js"), "bundle");
		writeFileSync(join(directory, "cli.js"), "another");
		expect(programSources(pathToFileURL(join(directory, "script-worker.js")).href)).toEqual(["bundle"]);
	});
});

test("an image is made again when one of its parts has changed, and then kept in place of the old one", () => {
	let made = 0;
	const make = (): GuestImage => ({ memory: [], pages: ++made, stackPointer: 0, places: {} });
	const take = (...parts: string[]): number => keptImage("quickjs-wasi", () => parts, directory, make).pages;
	expect([take("a", "b"), take("a", "b"), take("a", "c"), take("a", "c"), take("ac", "")]).toEqual([1, 1, 2, 2, 3]);
	expect(readdirSync(directory)).toHaveLength(1);
});
