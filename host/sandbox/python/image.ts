import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import { RuntimeError } from "../../contract/errors.ts";
import { programFiles } from "../../program-files.ts";
import { workerEnvironment } from "../../worker-environment.ts";
import { createImageKey, isWholeEngine, modes } from "../image-file.ts";
import { describeParts } from "./parts.ts";
import { requireSuspension } from "./suspension.ts";

/** Images of other versions of the program are removed when nobody has used them for so long, in milliseconds. */
const keptMs = 7 * 24 * 60 * 60_000;
/** How often it is written down that an image is used, in milliseconds. */
const usedMs = 24 * 60 * 60_000;
const namePattern = /^python-[0-9a-f]{64}\.image/;

const ensured = new Map<string, Promise<string>>();

/**
 * The file of Python's memory image in the directory, which is made when it is not there, or is not what was written: some seconds, once per
 * installation, and once more when it was removed meanwhile. That does not keep the process alive: whoever waits for a run does. Rejects with `unsupported` where this Node cannot run it, and with `unavailable` when it cannot be made; the next call tries again.
 */
export async function ensurePythonImage(directory: string): Promise<string> {
	const known = ensured.get(directory);
	const file = await known;
	if (file !== undefined && existsSync(file)) return file;
	// Whoever waited beside this one may have begun already.
	const begun = ensured.get(directory);
	if (begun && begun !== known) return begun;
	const image = ensure(directory);
	ensured.set(directory, image);
	image.catch(() => ensured.delete(directory));
	return image;
}

async function ensure(directory: string): Promise<string> {
	requireSuspension();
	const key = createImageKey("python", describeParts());
	const file = join(directory, `python-${key}.image`);
	if (await isWholeEngine(file, key)) await markUsed(file);
	else await makeInThread(file, key);
	await removeUnused(directory, file).catch(() => undefined);
	return file;
}

/** The interpreter's start takes seconds in which this thread has other things to do. A directory that there cannot be is found before. */
async function makeInThread(file: string, key: string): Promise<void> {
	const refuse = (cause: string): RuntimeError =>
		new RuntimeError("unavailable", `Python's memory image cannot be made in ${file}: ${cause}. The run was not begun.`);
	await mkdir(dirname(file), { recursive: true, mode: modes.data.directory }).catch((cause: Error) => {
		throw refuse(cause.message);
	});
	const worker = new Worker(programFiles.pythonImageMaker, {
		name: "python-image",
		workerData: { file, key } satisfies ImageOrder,
		env: workerEnvironment(),
		argv: [],
		execArgv: [],
		resourceLimits: { stackSizeMb: 8 },
	});
	worker.unref();
	const cause = await new Promise<Error | undefined>((resolve) => {
		worker.once("error", (error: Error) => resolve(error));
		worker.once("exit", () => resolve(undefined));
	});
	if (cause || !(await isWholeEngine(file, key))) throw refuse(cause?.message ?? "nothing was written");
}

/** What the thread that makes an image is started with. */
export interface ImageOrder {
	readonly file: string;
	readonly key: string;
}

async function markUsed(file: string): Promise<void> {
	const now = Date.now();
	const { mtimeMs } = await stat(file);
	if (now - mtimeMs > usedMs) await utimes(file, now / 1000, now / 1000).catch(() => undefined);
}

async function removeUnused(directory: string, used: string): Promise<void> {
	for (const name of await readdir(directory)) {
		const file = join(directory, name);
		if (!namePattern.test(name) || file === used) continue;
		if (Date.now() - (await stat(file)).mtimeMs > keptMs) await rm(file, { force: true });
	}
}
