import { execFile } from "node:child_process";
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { RootTree } from "./root-tree.ts";

/** What glibc loads by itself at run time, so that no program names it: when threads end, and to look up users before glibc 2.34. */
const loadedLater = ["libgcc_s.so.1", "libnss_files.so.2"];

/**
 * Adds the libraries that the files need, and what those need. All of them come into the directory of the C library, which every program looks into:
 * where else they are on this machine a program finds out from caches and paths that the image does not have. Throws for a library that is
 * missing here, with the file that needs it.
 */
export async function addLibraries(tree: RootTree, files: readonly string[]): Promise<void> {
	const needed = await findLibraries(files);
	const systemLibrary = needed.find(({ path }) => /^libc\.(?:so|musl)/.test(basename(path)))?.path;
	if (systemLibrary === undefined) return;
	const directory = dirname(systemLibrary);
	for (const path of loadedLater.map((name) => join(directory, name)))
		if (existsSync(path)) needed.push({ name: basename(path), path });
	for (const { name, path } of needed) tree.addFile(inMergedRoot(name.startsWith("/") ? name : join(directory, name)), path);
}

/** The place in an image for a path of this machine: `/bin` and its like are links into `/usr`. */
export const inMergedRoot = (path: string): string => path.replace(/^\/(?=(?:bin|sbin|lib|lib64)\/)/, "usr/").replace(/^\//, "");

/** Whether a file is a program or a library, and not a script. */
export function isElf(file: string): boolean {
	const head = Buffer.alloc(4);
	const descriptor = openSync(file, "r");
	try {
		readSync(descriptor, head, 0, head.length, 0);
	} finally {
		closeSync(descriptor);
	}
	return head.toString("latin1") === "\x7fELF";
}

interface Library {
	/** What programs call it; a path for the dynamic linker. */
	readonly name: string;
	readonly path: string;
}

/** By `ldd`, which lets each file's own dynamic linker answer. It runs code of the files, which are this machine's programs. */
async function findLibraries(files: readonly string[]): Promise<Library[]> {
	const found = new Map<string, Library>();
	let file = files[0];
	for (const line of (await runLdd(files)).split("\n")) {
		const [, header] = /^(\/.*):$/.exec(line) ?? [];
		if (header !== undefined) file = header;
		const [, name = "", path = ""] = /^\s+(\S+)(?: => (\/\S+|not found))?(?: \(0x[0-9a-f]+\))?$/.exec(line) ?? [];
		if (path === "not found") throw new Error(`${file} needs the library ${name}, which this machine does not have.`);
		if (path !== "") found.set(`${name} ${path}`, { name: basename(name), path });
		else if (name.startsWith("/")) found.set(name, { name, path: name });
	}
	return [...found.values()];
}

async function runLdd(files: readonly string[]): Promise<string> {
	// Not the caller's environment: LD_PRELOAD and LD_LIBRARY_PATH would change the answer.
	const env = { PATH: process.env.PATH, LC_ALL: "C" };
	try {
		// Twice the first: with one file alone it prints no names.
		return (await promisify(execFile)("ldd", [files[0] as string, ...files], { env, maxBuffer: 64 * 1024 * 1024 })).stdout;
	} catch (cause) {
		const { code, stdout, stderr } = cause as NodeJS.ErrnoException & { stdout: string; stderr: string };
		if (code === "ENOENT") throw new Error("The libraries of programs are found with ldd, which this machine does not have.");
		// It fails, too, when one file needs no libraries, and says that then.
		if (/^(?!ldd: warning:).*(?:exited with|error while|cannot)/m.test(stderr)) throw new Error(`ldd: ${stderr.trim()}`);
		return stdout;
	}
}
