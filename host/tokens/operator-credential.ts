import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "../contract/errors.ts";
import { keysDirectory } from "./key-ring.ts";

/** The file of the operator's credential in a data directory. */
export function operatorCredentialFile(dataDirectory: string): string {
	return join(keysDirectory(dataDirectory), "operator.token");
}

/** Makes a new credential for the operator; the one before is worthless for hosts that start from now on. Mode 0600. */
export function makeOperatorCredential(dataDirectory: string): void {
	const file = operatorCredentialFile(dataDirectory);
	const draft = `${file}.new`;
	const descriptor = openSync(draft, "w", 0o600);
	writeSync(descriptor, `${randomBytes(32).toString("base64url")}\n`);
	fsyncSync(descriptor);
	closeSync(descriptor);
	renameSync(draft, file);
}

/**
 * Reads the operator's credential; makes it at the first start. Returns what compares another text with it, in a time that tells nothing of
 * where they differ. Throws `unavailable`, without the credential, when the file cannot be read or holds less than 128 bits.
 */
export function readOperatorCredential(dataDirectory: string, otherFile?: string): (text: string) => boolean {
	const file = otherFile ?? operatorCredentialFile(dataDirectory);
	let credential: string;
	try {
		credential = readFileSync(file, "utf8").trim();
	} catch (cause) {
		if (otherFile !== undefined || (cause as NodeJS.ErrnoException).code !== "ENOENT")
			throw new RuntimeError(
				"unavailable",
				`The operator's credential ${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`,
			);
		makeOperatorCredential(dataDirectory);
		return readOperatorCredential(dataDirectory);
	}
	if (credential.length < 22)
		throw new RuntimeError("unavailable", `The operator's credential ${file} has ${credential.length} characters; it needs 22.`);
	const digest = hash(credential);
	return (text) => timingSafeEqual(hash(text), digest);
}

const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
