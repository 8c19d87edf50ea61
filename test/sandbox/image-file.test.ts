import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
	type BuiltEngine,
	createImageKey,
	type ImagePlace,
	keptEngine,
	modes,
	programSources,
	writeEngine,
} from "../../host/sandbox/image-file.ts";
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
			keys.add(createImageKey("quickjs-wasi", programSources(pathToFileURL(join(directory, "a.ts")).href)));
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

describe("an image that is kept", () => {
	let made = 0;
	const make = (): BuiltEngine => ({ ...sample, image: { ...sample.image, pages: ++made } });
	const place = (): ImagePlace => ({ directory: join(directory, "images"), isKept: true });
	const file = (): string => join(directory, "images", "quickjs-wasi.image");
	const take = (...parts: string[]): number => keptEngine("quickjs-wasi", () => parts, place(), make).image.pages;
	beforeEach(() => {
		made = 0;
	});

	test("is made again when one of its parts has changed, and then kept in place of the old one", () => {
		expect([take("a", "b"), take("a", "b"), take("a", "c"), take("a", "c"), take("ac", "")]).toEqual([1, 1, 2, 2, 3]);
		expect(readdirSync(join(directory, "images"))).toEqual(["quickjs-wasi.image"]);
	});

	test("is what was made, byte for byte", () => {
		take("a");
		const { binary, minimumPages, image } = keptEngine("quickjs-wasi", () => ["a"], place(), make);
		expect([minimumPages, ...binary]).toEqual([7, 8, 9]);
		const { memory, ...rest } = image;
		expect(rest).toEqual({ pages: 1, stackPointer: sample.image.stackPointer, places: sample.image.places });
		expect(memory.map(({ offset, bytes }) => [offset, ...bytes])).toEqual([
			[4096, 1, 2, 3],
			[65536, 4],
		]);
	});

	test("can be written by nobody else", () => {
		const umask = process.umask(0);
		onTestFinished(() => void process.umask(umask));
		take("a");
		expect(["images", "images/quickjs-wasi.image"].map((name) => mode(join(directory, name)))).toEqual([0o755, 0o644]);
	});

	test.each<[string, (bytes: Buffer) => Buffer]>([
		["half of it", (bytes) => bytes.subarray(0, bytes.length / 2)],
		["nothing", () => Buffer.alloc(0)],
		["another memory", (bytes) => bytes.fill(9, bytes.length - 1)],
		["another key", (bytes) => Buffer.from(bytes.toString("latin1").replace(/"key":"./, '"key":"x'), "latin1")],
	])("is not taken when the file has %s", (_, change) => {
		take("a");
		writeFileSync(file(), change(readFileSync(file())));
		expect([take("a"), take("a")]).toEqual([2, 2]);
	});

	test("is not taken for another engine", () => {
		take("a");
		renameSync(file(), join(directory, "images", "quickjs-emscripten.image"));
		expect(keptEngine("quickjs-emscripten", () => ["a"], place(), make).image.pages).toBe(2);
	});

	test("is taken as it is where it is a file of the program", () => {
		take("a");
		const ready = { ...place(), isKept: false };
		expect(keptEngine("quickjs-wasi", () => ["b"], ready, make).image.pages).toBe(1);
	});

	test("is refused by a directory that was removed meanwhile, which does not come back", () => {
		const removed = join(directory, "data", "images");
		expect(() => writeEngine(join(removed, "python.image"), "key", sample, modes.data.file)).toThrow("ENOENT");
		expect(readdirSync(directory)).toEqual([]);
	});

	test("is never written where images only lie ready, and made all the same when it cannot be written", () => {
		const ready = { ...place(), isKept: false };
		expect(keptEngine("quickjs-wasi", () => ["a"], ready, make).image.pages).toBe(1);
		expect(readdirSync(directory)).toEqual([]);
		writeFileSync(join(directory, "images"), "");
		expect([take("a"), take("a")]).toEqual([2, 3]);
	});
});

const sample: BuiltEngine = {
	binary: Uint8Array.of(8, 9),
	minimumPages: 7,
	image: {
		memory: [
			{ offset: 4096, bytes: Uint8Array.of(1, 2, 3) },
			{ offset: 65536, bytes: Uint8Array.of(4) },
		],
		pages: 2,
		stackPointer: 1024,
		places: { context: 4097 },
	},
};

const mode = (path: string): number => statSync(path).mode & 0o777;
