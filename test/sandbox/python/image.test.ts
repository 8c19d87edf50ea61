import { execFile } from "node:child_process";
import {
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createEngine } from "../../../host/sandbox/engines.ts";
import { isWholeEngine } from "../../../host/sandbox/image-file.ts";
import { PythonGuest } from "../../../host/sandbox/python/guest.ts";
import { ensurePythonImage } from "../../../host/sandbox/python/image.ts";
import { KeptImage } from "../../../host/sandbox/python/kept-image.ts";
import { drawSeed } from "../../../host/sandbox/seed.ts";
import { startRun } from "../../helpers/run.ts";
import { clonePythonImage, imageTimeoutMs } from "../../python-image.ts";

let directory: string;
let kept: string;
beforeEach(async () => {
	directory = mkdtempSync(join(tmpdir(), "cronium-image-"));
	const image = await clonePythonImage();
	kept = join(directory, basename(image));
	copyFileSync(image, kept);
}, imageTimeoutMs);
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("an image that is there is taken as it is", async () => {
	await expect(isWholeEngine(kept, keyOf(kept))).resolves.toBe(true);
	const { ino, mtimeMs } = statSync(kept);
	await expect(ensurePythonImage(directory)).resolves.toBe(kept);
	expect(statSync(kept)).toMatchObject({ ino, mtimeMs });
	using image = new KeptImage(kept);
	expect(image.files.map(({ path }) => path)).toEqual(
		expect.arrayContaining(["/lib/python314.zip", "/lib/cronium-sdk/cronium/__init__.py", "/usr/share/zoneinfo/Europe/Berlin"]),
	);
});

test.each([
	["half of it was written", (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
	["a byte of it is another one", (file: string) => flip(file, 20_000_000)],
	["its beginning is another one", (file: string) => flip(file, 40)],
	["it is something else", (file: string) => writeFileSync(file, "{}")],
	["it is empty", (file: string) => writeFileSync(file, "")],
	["it is a directory", (file: string) => replaceByDirectory(file)],
	["it is not there", (file: string) => rmSync(file)],
])("an image is not taken when %s", async (_what, damage) => {
	damage(kept);
	await expect(isWholeEngine(kept, keyOf(kept))).resolves.toBe(false);
});

test("an image is not taken under the key of another one", async () => {
	await expect(isWholeEngine(kept, "0".repeat(64))).resolves.toBe(false);
});

test("an image of another version goes when nobody has used it for a week", async () => {
	const name = (digit: string): string => join(directory, `python-${digit.repeat(64)}.image`);
	for (const digit of ["a", "b"]) writeFileSync(name(digit), "image");
	writeFileSync(join(directory, "notes.txt"), "");
	const weekAgo = Date.now() / 1000 - 8 * 24 * 3600;
	utimesSync(name("a"), weekAgo, weekAgo);
	utimesSync(join(directory, "notes.txt"), weekAgo, weekAgo);
	await ensurePythonImage(directory);
	expect(readdirSync(directory).sort()).toEqual(["notes.txt", basename(kept), basename(name("b"))].sort());
});

test("an image that was removed meanwhile is looked for again", async () => {
	await expect(ensurePythonImage(directory)).resolves.toBe(kept);
	rmSync(directory, { recursive: true });
	writeFileSync(directory, "");
	await expect(Promise.all([ensurePythonImage(directory), ensurePythonImage(directory)])).rejects.toMatchObject({
		code: "unavailable",
	});
	rmSync(directory);
	mkdirSync(directory);
	copyFileSync(await clonePythonImage(), kept);
	await expect(ensurePythonImage(directory)).resolves.toBe(kept);
});

test("a directory that cannot be written is named, and tried again by the next run", async () => {
	const file = join(directory, "not-a-directory");
	writeFileSync(file, "");
	const refused = ensurePythonImage(file);
	await expect(refused).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining(file) });
	rmSync(file);
	mkdirSync(file);
	copyFileSync(kept, join(file, basename(kept)));
	await expect(ensurePythonImage(file)).resolves.toBe(join(file, basename(kept)));
});

test("a process does not stay for an image that nobody waits for", { timeout: imageTimeoutMs }, async () => {
	const images = join(directory, "images");
	const module = new URL("../../../host/sandbox/python/image.ts", import.meta.url).href;
	const program = `import { ensurePythonImage } from ${JSON.stringify(module)};
		void ensurePythonImage(${JSON.stringify(images)});
		const { existsSync } = await import("node:fs");
		const { setTimeout } = await import("node:timers/promises");
		while (!existsSync(${JSON.stringify(images)})) await setTimeout(5);
		console.log("begun");`;
	const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
	expect(stdout).toBe("begun\n");
	// Otherwise it would have ended with the image.
	expect(readdirSync(images)).toEqual([]);
});

test("an interpreter that waits has the image written back by its timer alone: a thread in which nothing else happens runs nothing else", async () => {
	const restore = vi.spyOn(PythonGuest.prototype, "restore");
	using engine = await createEngine("python", { pythonImage: kept });
	const { execution, helpers } = await startRun();
	const surroundings = { seed: drawSeed(), print: () => undefined };
	await engine.run({ name: "a.py", source: "" }, execution, helpers, surroundings, new Int32Array(1));
	vi.useFakeTimers({ toFake: ["setTimeout"] });
	onTestFinished(() => {
		vi.useRealTimers();
		vi.restoreAllMocks();
	});
	engine.tidy();
	expect(restore).not.toHaveBeenCalled();
	vi.advanceTimersByTime(1_000);
	expect(restore).toHaveBeenCalledTimes(1);
});

const keyOf = (file: string): string => basename(file).slice("python-".length, -".image".length);

function replaceByDirectory(file: string): void {
	rmSync(file);
	mkdirSync(file);
}

function flip(file: string, at: number): void {
	const bytes = readFileSync(file);
	bytes[at] = (bytes[at] as number) ^ 1;
	writeFileSync(file, bytes);
}
