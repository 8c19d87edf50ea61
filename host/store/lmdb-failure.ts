import { constants } from "node:os";
import { RuntimeError } from "../contract/errors.ts";
import type { ErrorCode } from "../contract/generated/types.ts";

/**
 * Why the store could not be used, in words that neither LMDB nor the system chose: theirs hold positions, paths and advice for other programs.
 * The original is the `cause`. `internal` for a damaged store and for what is no failure of LMDB at all, otherwise `unavailable`.
 */
export function lmdbFailure(what: "opened" | "read" | "written", error: unknown): RuntimeError {
	if (error instanceof RuntimeError) return error;
	const name = nameOf(error);
	const [code, reason] = Object.hasOwn(reasons, name) ? (reasons[name] as Reason) : reasonOfOther(error, name);
	return new RuntimeError(code, `The store could not be ${what}: ${reason}.`, {}, { cause: error });
}

type Reason = readonly [code: ErrorCode, reason: string];

const damaged: Reason = ["internal", "its file is damaged"];
const outgrown: Reason = ["unavailable", "its file has no room left; delete something, or use a larger maxStoreBytes"];

const reasons: Readonly<Record<string, Reason>> = {
	ENOSPC: ["unavailable", "the disk is full"],
	EDQUOT: ["unavailable", "the disk quota of this user is used up"],
	EFBIG: ["unavailable", "its file may not grow any more (ulimit -f, or the file system's own limit)"],
	// LMDB's word for a write that was cut short, too.
	EIO: ["unavailable", "the disk is full or reports an error"],
	EROFS: ["unavailable", "its file system can only be read"],
	EACCES: ["unavailable", "this user has no permission to use its files"],
	EPERM: ["unavailable", "this user has no permission to use its files"],
	ENOENT: ["unavailable", "one of its files is gone"],
	ENOMEM: ["unavailable", "there is not enough memory, or not enough address space (ulimit -v)"],
	EMFILE: ["unavailable", "this process has too many files open"],
	ENFILE: ["unavailable", "the system has too many files open"],
	MDB_MAP_FULL: outgrown,
	MDB_MAP_RESIZED: outgrown,
	MDB_READERS_FULL: ["unavailable", "too many threads and processes have it open"],
	MDB_TXN_FULL: ["unavailable", "the transaction changes too much at once"],
	MDB_VERSION_MISMATCH: ["unsupported", "its file has a format of LMDB that this version of Cronium does not know"],
	MDB_INVALID: ["unavailable", "its file is no LMDB database"],
	MDB_PAGE_NOTFOUND: damaged,
	MDB_CORRUPTED: damaged,
	MDB_PANIC: damaged,
	MDB_PROBLEM: damaged,
	MDB_BAD_CHECKSUM: damaged,
};

/** LMDB's own errors, by number. */
const lmdbNames: Readonly<Record<number, string>> = {
	[-30_797]: "MDB_PAGE_NOTFOUND",
	[-30_796]: "MDB_CORRUPTED",
	[-30_795]: "MDB_PANIC",
	[-30_794]: "MDB_VERSION_MISMATCH",
	[-30_793]: "MDB_INVALID",
	[-30_792]: "MDB_MAP_FULL",
	[-30_790]: "MDB_READERS_FULL",
	[-30_788]: "MDB_TXN_FULL",
	[-30_785]: "MDB_MAP_RESIZED",
	[-30_779]: "MDB_PROBLEM",
	[-30_778]: "MDB_BAD_CHECKSUM",
};

const systemNames: ReadonlyMap<number, string> = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `ENOSPC`, `MDB_MAP_FULL`, or "" for an error without a code. LMDB gives the system's numbers, Node their names. */
function nameOf(error: unknown): string {
	const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
	if (typeof code === "string") return code;
	if (typeof code !== "number" || !Number.isInteger(code)) return "";
	return lmdbNames[code] ?? systemNames.get(code) ?? `error ${code}`;
}

function reasonOfOther(error: unknown, name: string): Reason {
	if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
		return ["internal", "a fault of the runtime itself"];
	return ["unavailable", name === "" ? "LMDB refused" : `the system refused (${name})`];
}
