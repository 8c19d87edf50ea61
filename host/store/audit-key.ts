import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "../contract/errors.ts";
import { loadCrypto } from "../crypto.ts";
import { auditKeyBytes } from "./audit-entry.ts";

/** The directory of keys inside the data directory. */
export const keysDirectoryName = "keys";
const fileName = "audit.key";

/** The key that audit entries are authenticated with, made when there is none. Any number of processes may ask for it at one time. */
export function loadAuditKey(directory: string): Buffer {
	return readAuditKey(directory) ?? makeAuditKey(directory);
}

/** The key, or undefined when there is none. Throws `internal` for a file that holds something else. */
export function readAuditKey(directory: string): Buffer | undefined {
	let key: Buffer;
	try {
		key = readFileSync(join(directory, keysDirectoryName, fileName));
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		if (code === "ENOENT") return undefined;
		throw new RuntimeError("unavailable", `The key of the audit log cannot be read: ${code}.`, {}, { cause });
	}
	if (key.length !== auditKeyBytes)
		throw new RuntimeError("internal", `The key of the audit log has ${key.length} bytes; it must have ${auditKeyBytes}.`);
	return key;
}

/** Under another name first, so that nobody reads half a key; of several processes that link theirs one succeeds. */
function makeAuditKey(directory: string): Buffer {
	const keys = join(directory, keysDirectoryName);
	const draft = join(keys, `.${fileName}.${loadCrypto().randomUUID()}`);
	try {
		mkdirSync(keys, { recursive: true, mode: 0o700 });
		const file = openSync(draft, "wx", 0o600);
		try {
			writeSync(file, loadCrypto().randomBytes(auditKeyBytes));
			fsyncSync(file);
		} finally {
			closeSync(file);
		}
		try {
			linkSync(draft, join(keys, fileName));
			synchronize(keys);
		} catch (cause) {
			if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
		} finally {
			rmSync(draft, { force: true });
		}
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		throw new RuntimeError("unavailable", `The key of the audit log cannot be made: ${code}.`, {}, { cause });
	}
	const key = readAuditKey(directory);
	if (!key) throw new RuntimeError("unavailable", "The key of the audit log is gone while it is being made.");
	return key;
}

/** A key that is lost with the machine's power makes entries that were acknowledged worthless. */
function synchronize(path: string): void {
	const directory = openSync(path, "r");
	try {
		fsyncSync(directory);
	} finally {
		closeSync(directory);
	}
}
