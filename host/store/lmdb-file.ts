import { accessSync, closeSync, constants, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import { RuntimeError } from "../contract/errors.ts";

// The head of an LMDB file: flags of the first page, the file's magic and version, and the size of a page.
const headBytes = 52;
const flagsAt = 18;
const metaPageFlag = 0x08;
const magicAt = 24;
const magic = 0xbeefc0de;
const versionAt = 28;
const lmdbVersion = 2;
const pageBytesAt = 48;

/**
 * Throws what LMDB would answer if it could not open the file: `unavailable`, `unsupported` for another file version. Its package frees memory
 * twice when opening fails, and the process dies of that later; so opening must not fail.
 */
export function requireOpenable(file: string, readOnly: boolean, mapBytes: number): void {
	requireAddressSpace(mapBytes);
	const head = readHead(file, readOnly);
	if (head !== undefined) requireHead(head);
	else if (readOnly) throw new RuntimeError("unavailable", "The store could not be opened: it has no file.");
	// Not opened: to close a file ends all locks that the process has on it, and LMDB has one on this file in every process.
	const lock = `${file}-lock`;
	if (existsSync(lock)) accessSync(lock, constants.R_OK | constants.W_OK);
}

/** The first bytes of a file and its size; undefined when there is none, or an empty one. */
function readHead(path: string, readOnly: boolean): { readonly bytes: Buffer; readonly size: number } | undefined {
	let descriptor: number;
	try {
		descriptor = openSync(path, readOnly ? "r" : "r+");
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
	try {
		const { size } = fstatSync(descriptor);
		const bytes = Buffer.alloc(headBytes);
		readSync(descriptor, bytes, 0, headBytes, 0);
		return size === 0 ? undefined : { bytes, size };
	} finally {
		closeSync(descriptor);
	}
}

function requireHead({ bytes, size }: { readonly bytes: Buffer; readonly size: number }): void {
	const pageBytes = bytes.readUInt32LE(pageBytesAt);
	if ((bytes.readUInt16LE(flagsAt) & metaPageFlag) === 0 || bytes.readUInt32LE(magicAt) !== magic || size < 2 * pageBytes)
		throw new RuntimeError("unavailable", "The store could not be opened: its file is no LMDB database.");
	const version = bytes.readUInt16LE(versionAt);
	if (version !== lmdbVersion)
		throw new RuntimeError(
			"unsupported",
			`The store's file has LMDB's format ${version}; this version of Cronium uses ${lmdbVersion}.`,
		);
}

/** Where the address space of a process is limited (ulimit -v), the file may not fit into it. */
function requireAddressSpace(mapBytes: number): void {
	if (process.platform !== "linux") return;
	const limit = /^Max address space\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
	if (limit !== undefined && mapBytes > Number(limit) / 2)
		throw new RuntimeError(
			"unavailable",
			`The store could not be opened: it needs ${mapBytes} bytes of address space, and this process may have ${limit} (ulimit -v). Use a smaller maxStoreBytes.`,
		);
}
