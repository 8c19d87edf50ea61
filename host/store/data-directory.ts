import { chmodSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import { keysDirectoryName } from "./audit-key.ts";

/** The store's file inside the data directory. */
export const storeFileName = "store.lmdb";

/** How the process that serves it is reached. */
export const servingFileName = "serving.json";

const imagesDirectoryName = "images";

/** Where a data directory has the memory image of Python, and nothing else. Guests in processes of their own may read it, by this very path. */
export const pythonImages = (directory: string): string => join(resolve(directory), imagesDirectoryName);

/** Everything in a data directory that is the runtime's: nothing else in it is ever touched. */
function isOwnName(name: string): boolean {
	return (
		name.startsWith(storeFileName) ||
		name.startsWith(servingFileName) ||
		name.startsWith("hosts.toml") ||
		["hosts", "roles", "engines", imagesDirectoryName, keysDirectoryName, runsName].includes(name)
	);
}

/** Containers under way read what is in it, by their group or as anybody; it is closed itself. */
const runsName = "runs";

/**
 * Makes the data directory if there is none, and sees to it that nobody but this user can open it or what the runtime has in it: 0700 and 0600.
 * Throws `unavailable`, naming the path, for a directory without a store that holds other things, which is left as it is, and for what
 * belongs to somebody else or stays open to others.
 */
export function prepareDataDirectory(directory: string): void {
	const owner = process.geteuid?.();
	try {
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const stats = statSync(directory);
		if (!stats.isDirectory()) throw new RuntimeError("unavailable", `The data directory ${directory} is not a directory.`);
		requireOwner(directory, stats, owner);
		const names = readdirSync(directory);
		const other = names.find((name) => !isOwnName(name));
		if (other !== undefined && !names.includes(storeFileName))
			throw new RuntimeError(
				"unavailable",
				`${directory} cannot become a data directory: it holds other things (${excerpt(other)}) and no store. Use one that is empty or does not exist yet.`,
			);
		closeToOthers(directory, stats, 0o700);
		closeContents(directory, names.filter(isOwnName), owner);
	} catch (error) {
		if (error instanceof RuntimeError) throw error;
		throw new RuntimeError(
			"unavailable",
			`The data directory ${directory} cannot be used: ${reason(error)}.`,
			{},
			{ cause: error },
		);
	}
}

function closeContents(directory: string, names: readonly string[], owner: number | undefined): void {
	for (const name of names) {
		const path = join(directory, name);
		const stats = lstatSync(path, { throwIfNoEntry: false });
		// A file of another process may have gone meanwhile.
		if (stats === undefined) continue;
		requireOwner(path, stats, owner);
		// It leads to what this user has linked.
		if (stats.isSymbolicLink()) continue;
		closeToOthers(path, stats, stats.isDirectory() ? 0o700 : 0o600);
		if (stats.isDirectory() && name !== runsName) closeContents(path, readdirSync(path), owner);
	}
}

function requireOwner(path: string, stats: Stats, owner: number | undefined): void {
	if (owner !== undefined && stats.uid !== owner)
		throw new RuntimeError(
			"unavailable",
			`${path} (mode ${mode(stats)}) belongs to user ${stats.uid}; the store is used by user ${owner} and takes only its own files.`,
		);
}

function closeToOthers(path: string, stats: Stats, wanted: number): void {
	if (!isOpenToOthers(stats)) return;
	let after: Stats | undefined;
	try {
		chmodSync(path, wanted);
		after = statSync(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
		throw error;
	}
	// Some file systems take every mode and keep their own.
	if (isOpenToOthers(after))
		throw new RuntimeError(
			"unavailable",
			`${path} stays open to others (mode ${mode(after)}) after chmod ${wanted.toString(8)}; the data directory must be private.`,
		);
}

function isOpenToOthers(stats: Stats): boolean {
	return (stats.mode & 0o077) !== 0;
}

function mode(stats: Stats): string {
	return (stats.mode & 0o7777).toString(8).padStart(4, "0");
}

/** The system's words up to the path: "EACCES: permission denied". */
function reason(error: unknown): string {
	return (error instanceof Error ? error.message : String(error)).split(",")[0] as string;
}
