import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { deserialize, serialize } from "node:v8";
import type { EngineName } from "./engine.ts";
import type { GuestImage } from "./guest.ts";

/** Names an image by everything that it is made of: the engine's binary, the prelude, the program that evaluated it, the version of Node that wrote it. */
export interface ImageKey {
	readonly engine: EngineName;
	readonly sha256: string;
}

const digestBytes = 32;

/** The image made of `parts`: the one in the directory, if it is there, or a new one that is kept there. */
export function keptImage(
	engine: EngineName,
	parts: () => readonly string[],
	directory: string | undefined,
	make: () => GuestImage,
): GuestImage {
	if (directory === undefined) return make();
	const key = createImageKey(engine, parts());
	const kept = readImage(directory, key);
	if (kept) return kept;
	const image = make();
	writeImage(directory, key, image);
	return image;
}

/**
 * The program of which the module at `url` is a part, as far as it can shape an image. In a clone these are all sources beside the module: a list
 * of those that matter would miss one some day. What is published is bundled, and a bundle names the chunks it imports by their content.
 */
export function programSources(url: string): readonly string[] {
	const file = fileURLToPath(url);
	if (!file.endsWith(".ts")) return [readFileSync(file, "utf8")];
	const directory = dirname(file);
	const names = readdirSync(directory).filter((name) => name.endsWith(".ts"));
	return names.sort().flatMap((name) => [name, readFileSync(join(directory, name), "utf8")]);
}

export function createImageKey(engine: EngineName, parts: readonly string[]): ImageKey {
	const hash = createHash("sha256");
	for (const part of [...parts, process.versions.v8]) hash.update(`${part.length}:`).update(part);
	return { engine, sha256: hash.digest("hex") };
}

/**
 * The image that was kept, or undefined when there is none or the file is not what was written: half of it, or another one. Evaluating the
 * prelude in a cold engine takes ten times as long. The directory must be private: whoever writes there decides what scripts run in.
 */
export function readImage(directory: string, key: ImageKey): GuestImage | undefined {
	try {
		const file = readFileSync(join(directory, fileName(key)));
		const content = file.subarray(digestBytes);
		if (!file.subarray(0, digestBytes).equals(digest(key, content))) return undefined;
		return deserialize(content) as GuestImage;
	} catch {
		return undefined;
	}
}

/** Keeps the image, in place of older ones of the same engine. Does nothing when it cannot: the next process evaluates the prelude again. */
export function writeImage(directory: string, key: ImageKey, image: GuestImage): void {
	try {
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const content = serialize(image);
		const unfinished = join(directory, `${fileName(key)}.${randomBytes(6).toString("hex")}`);
		writeFileSync(unfinished, Buffer.concat([digest(key, content), content]), { mode: 0o600, flag: "wx" });
		renameSync(unfinished, join(directory, fileName(key)));
		for (const name of readdirSync(directory))
			if (name.startsWith(`${key.engine}-`) && name !== fileName(key)) rmSync(join(directory, name), { force: true });
	} catch {
		// A full disk, say. Nothing depends on the file.
	}
}

const fileName = ({ engine, sha256 }: ImageKey): string => `${engine}-${sha256.slice(0, 32)}.image`;

/** Over the key too: an image under another one's name is not taken. */
const digest = ({ sha256 }: ImageKey, content: Uint8Array): Buffer =>
	createHash("sha256").update(sha256).update(content).digest();
