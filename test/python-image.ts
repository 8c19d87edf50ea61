import { copyFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePythonImage } from "../host/sandbox/python/image.ts";

/** Kept from one run of the tests to the next, as compiled code is: to make an image takes longer than most tests. */
const kept = fileURLToPath(new URL("../node_modules/.cache/python-images", import.meta.url));

/** Puts Python's memory image into a data directory, where its host finds it. */
export async function placePythonImage(dataDirectory: string): Promise<void> {
	const file = await ensurePythonImage(kept);
	const images = join(dataDirectory, "images");
	mkdirSync(images, { recursive: true, mode: 0o700 });
	copyFileSync(file, join(images, basename(file)));
}
