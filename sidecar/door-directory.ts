import { randomBytes } from "node:crypto";
import {
	chmodSync,
	chownSync,
	closeSync,
	fchmodSync,
	fchownSync,
	lstatSync,
	openSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "../host/contract/errors.ts";
import type { RunCredentials } from "./run-credentials.ts";

/** The names of what is in a door's directory: those that a container's environment has. */
export const doorFiles = {
	socket: "api.sock",
	trusted: "ca.pem",
	certificate: "client.pem",
	key: "client.key",
	token: "token",
} as const;

export type DoorFile = Exclude<keyof typeof doorFiles, "socket">;

/** A longer one is cut silently, and two doors could be one. */
const maxSocketPathBytes = 100;

/**
 * The directory of a run's door, and who may use what is in it. Whatever is in the place of the socket or a file is replaced, and no link is followed.
 */
export class DoorDirectory {
	readonly #directory: string;
	readonly #groupId: number | undefined;

	/** Throws `invalid` when the path is too long for a socket, `unavailable` when the directory is a link, somebody else's, or can be written by others. */
	constructor(directory: string, groupId: number | undefined) {
		this.#directory = directory;
		this.#groupId = groupId;
		const bytes = Buffer.byteLength(this.socketPath);
		if (bytes > maxSocketPathBytes)
			throw new RuntimeError(
				"invalid",
				`The socket path ${this.socketPath} has ${bytes} bytes; the limit is ${maxSocketPathBytes}.`,
			);
		const stats = lstatSync(directory, { throwIfNoEntry: false });
		if (!stats?.isDirectory()) throw new RuntimeError("unavailable", `${directory} is not a directory; a door needs one.`);
		if (process.geteuid && stats.uid !== process.geteuid())
			throw new RuntimeError(
				"unavailable",
				`${directory} belongs to user ${stats.uid}; a door needs a directory of its own user.`,
			);
		if ((stats.mode & 0o022) !== 0)
			throw new RuntimeError(
				"unavailable",
				`${directory} can be written by others (mode ${(stats.mode & 0o777).toString(8)}); a door needs a directory of its own.`,
			);
	}

	get socketPath(): string {
		return join(this.#directory, doorFiles.socket);
	}

	/** Makes room for the socket. */
	clearSocket(): void {
		rmSync(this.socketPath, { force: true, recursive: true });
	}

	/** Lets those connect who may. */
	openSocket(): void {
		if (this.#groupId !== undefined) chownSync(this.socketPath, -1, this.#groupId);
		chmodSync(this.socketPath, this.#groupId === undefined ? 0o600 : 0o660);
	}

	/** Writes what the container shows and whom it trusts. */
	writeCredentials(credentials: RunCredentials): void {
		for (const name of ["trusted", "certificate", "key", "token"] as const) this.write(name, credentials[name]);
	}

	/** Writes a file, whole or not at all, that nobody can read before it may be read. */
	write(name: DoorFile, text: string): void {
		const draft = join(this.#directory, `.${doorFiles[name]}-${randomBytes(9).toString("base64url")}`);
		const file = openSync(draft, "wx", 0o600);
		try {
			if (this.#groupId !== undefined) {
				fchownSync(file, -1, this.#groupId);
				fchmodSync(file, 0o640);
			}
			writeFileSync(file, text);
			renameSync(draft, join(this.#directory, doorFiles[name]));
		} catch (error) {
			rmSync(draft, { force: true });
			throw error;
		} finally {
			closeSync(file);
		}
	}

	/** Removes all that is a door's. */
	clear(): void {
		for (const name of Object.values(doorFiles)) rmSync(join(this.#directory, name), { force: true, recursive: true });
	}
}
