import { execFileSync } from "node:child_process";
import {
	closeSync,
	copyFileSync,
	existsSync,
	linkSync,
	mkdirSync,
	openSync,
	readdirSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ensurePythonImage } from "../host/sandbox/python/image.ts";
import { pythonImages } from "../host/store/data-directory.ts";
import { builtProgram } from "./built-program.ts";

/** What a test or a hook may take that may be the first to need an image. */
export const imageTimeoutMs = 120_000;

const cache = fileURLToPath(new URL("../node_modules/.cache/python-images", import.meta.url));
/** Who makes an image for longer than that has gone without taking its lock along, in milliseconds. */
const staleMs = 120_000;

/**
 * Puts Python's memory image into a data directory, before a host of this process opens it or the built program is started with it: making one takes seconds,
 * so it is made once per clone and once per build. It is the same file for all: a test that writes into it needs a copy.
 */
export async function placePythonImage(dataDirectory: string, program: "clone" | "built" = "clone"): Promise<string> {
	const file = await (program === "clone" ? clonePythonImage() : findBuiltImage());
	const directory = pythonImages(dataDirectory);
	mkdirSync(directory, { recursive: true, mode: 0o700 });
	const placed = join(directory, basename(file));
	try {
		linkSync(file, placed);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== "EXDEV") throw cause;
		copyFileSync(file, placed);
	}
	return placed;
}

/** The file of the image of this clone's Python. */
export const clonePythonImage = (): Promise<string> => alone(cache, () => ensurePythonImage(cache));

function findBuiltImage(): Promise<string> {
	const data = join(builtProgram(), "python-image");
	return alone(data, () => {
		const find = (): string | undefined => {
			const images = pythonImages(data);
			const name = existsSync(images) ? readdirSync(images).find((one) => one.endsWith(".image")) : undefined;
			return name === undefined ? undefined : join(images, name);
		};
		const found = find();
		if (found !== undefined) return found;
		const script = join(builtProgram(), "empty.py");
		writeFileSync(script, "");
		execFileSync(process.execPath, [join(builtProgram(), "bin", "cronium.js"), "run", script, "--data", data]);
		return find() as string;
	});
}

/** Does it while no other process does it for the same directory. */
async function alone(directory: string, act: () => string | Promise<string>): Promise<string> {
	mkdirSync(join(directory, ".."), { recursive: true });
	const lock = `${directory}.lock`;
	for (;;) {
		try {
			closeSync(openSync(lock, "wx"));
			break;
		} catch {
			const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
			if (age > staleMs) rmSync(lock, { force: true });
			await delay(20);
		}
	}
	try {
		return await act();
	} finally {
		rmSync(lock, { force: true });
	}
}
