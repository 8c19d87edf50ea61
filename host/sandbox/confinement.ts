import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RuntimeError } from "../contract/errors.ts";
import { maxStackBytes } from "../process-limits.ts";
import { programFiles } from "../program-files.ts";
import { machineStackFlag } from "./python/stacks.ts";

/** As a worker thread's: the guest's memory is WebAssembly memory with a maximum of its own. */
const maxHeapMiB = 256;
const maxStackKiB = 7 * 1024;
/** What the system's limit has to leave beside V8's: its handlers and the code of Node run behind it. */
const otherStackKiB = 1024;
/** Where nothing is known of the system's limit. */
const modestStackKiB = 3 * 1024;

/** Packages that the engines are made of when no image is kept. */
const enginePackages = ["quickjs-wasi", "@jitl/quickjs-ng-wasmfile-release-sync"];

/**
 * Starts a program of ours in a process that can do nothing but compute and talk to this one: an empty environment, no descriptors but two sockets
 * (3 and 4) and standard error, and of the file system only what it consists of and `directories`, for reading. Node's permission model refuses the rest: files,
 * processes, threads, add-ons, sockets. Threads in particular, because a thread that is made with other options has no permission model at all.
 */
export function spawnConfined(
	program: URL,
	programArguments: readonly string[],
	directories: readonly string[] = [],
): ChildProcess {
	const paths = readablePaths(program);
	for (const path of [...paths, ...directories]) requireLiteralPath(path);
	const flags = [
		"--permission",
		...paths.map((path) => `--allow-fs-read=${path}`),
		// All in it, also when it is made later; a directory without the star is one only when it is there now.
		...directories.map((directory) => `--allow-fs-read=${join(directory, "*")}`),
		// The model does not know this module, which opens files of its own.
		"--no-experimental-sqlite",
		// The process itself cannot set V8's flags any more (`confined.ts`), and its engine wants to collect.
		"--expose-gc",
		`--max-old-space-size=${maxHeapMiB}`,
		`--stack-size=${stackKiB}`,
		machineStackFlag,
	];
	return spawn(process.execPath, [...flags, fileURLToPath(program), ...programArguments], {
		env: {},
		cwd: "/",
		// A group of its own: a signal to this process's group (^C) is not for scripts that may still finish, and none of theirs comes here.
		detached: true,
		stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
	});
}

/** Throws `unavailable` for a path with a star, which Node's permission model takes for all paths that begin as it does before it. */
export function requireLiteralPath(path: string): void {
	if (path.includes("*"))
		throw new RuntimeError(
			"unavailable",
			`Guest processes would be given more than ${JSON.stringify(path)} to read, because it has a * in it: give it another name.`,
		);
}

function readablePaths(program: URL): string[] {
	const { resolve } = createRequire(import.meta.url);
	const packages = enginePackages.flatMap((name) =>
		(resolve.paths(name) ?? []).map((directory) => join(directory, name, "/")).filter((path) => existsSync(path)),
	);
	return [
		fileURLToPath(new URL("./", program)),
		fileURLToPath(programFiles.directory),
		programFiles.images.directory,
		...packages,
	];
}

/** The stack is the main thread's, whose size is the system's to say. Read once: descriptors may run out. */
const stackKiB = readStackKiB();

function readStackKiB(): number {
	const bytes = maxStackBytes();
	if (bytes === undefined) return modestStackKiB;
	return Math.max(984, Math.min(maxStackKiB, Math.floor(bytes / 1024) - otherStackKiB));
}
