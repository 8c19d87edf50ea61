import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { hostname } from "node:os";

/**
 * Tells what hosts of this data directory have made elsewhere (containers, directories on SSH hosts) from what those of others have, also of a copy of it, on this machine or
 * another one.
 */
export async function installationId(dataDirectory: string): Promise<string> {
	const path = await realpath(dataDirectory);
	const { dev, ino } = statSync(path);
	return createHash("sha256").update(`${path}\0${dev}:${ino}\0${hostname()}\0${machineId()}`).digest("hex").slice(0, 32);
}

/** Machines that are copies of one may have one name. */
function machineId(): string {
	try {
		return readFileSync("/etc/machine-id", "utf8").trim();
	} catch {
		return "";
	}
}
