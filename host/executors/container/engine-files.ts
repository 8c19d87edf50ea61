import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerOptions } from "./container-spec.ts";
import type { ContainerEngine } from "./engine-client.ts";
import { seccompProfile } from "./seccomp.ts";

/** Where a data directory keeps what belongs to engines. */
export const engineFilesDirectory = (dataDirectory: string): string => join(dataDirectory, "engines");

/** Where a data directory has the directories of its containers. */
export const runsDirectory = (dataDirectory: string): string => join(dataDirectory, "runs");

/**
 * What every container of this engine is given besides its own: the seccomp profile and a hosts file. Docker takes the profile as a text, Podman as
 * the path of a file. Of the hosts file Docker makes an empty one, and Podman one with names and addresses of its machine.
 */
export function engineFiles(
	engine: Pick<ContainerEngine, "kind">,
	dataDirectory: string,
): Required<Pick<ContainerOptions, "seccomp" | "hosts">> {
	const profile = JSON.stringify(seccompProfile);
	return {
		seccomp: engine.kind === "docker" ? profile : keepFile(engineFilesDirectory(dataDirectory), "seccomp.json", profile),
		// Runs read it as users of their own, so it is where that is allowed; the directories above it are closed to everybody else.
		hosts: keepFile(runsDirectory(dataDirectory), "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n", 0o644),
	};
}

/** Writes the file if it is not there, whole and with these words; another process may do the same at once. */
export function keepFile(directory: string, name: string, text: string, mode = 0o600): string {
	const path = join(directory, name);
	if (readIfThere(path) === text && (statSync(path).mode & 0o777) === mode) return path;
	mkdirSync(directory, { recursive: true, mode: 0o700 });
	const draft = join(directory, `.${name}.${process.pid}.${draftNumber++}`);
	writeFileSync(draft, text, { mode: 0o600, flag: "wx" });
	// A umask counts for the mode of a new file, not for this.
	chmodSync(draft, mode);
	renameSync(draft, path);
	return path;
}

let draftNumber = 0;

export function readIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return undefined;
	}
}
