import type { Readable, Writable } from "node:stream";
import type { HostLine } from "./script-door.ts";

/** How a command on a host has ended. Both are undefined when the host has not said so, because the connection broke. */
export interface RemoteExit {
	readonly exitCode: number | undefined;
	/** By which signal it was ended: `KILL`, without `SIG`. */
	readonly signal: string | undefined;
}

/** A command on a host. */
export interface RemoteSession {
	readonly stdin: Writable;
	readonly stdout: Readable;
	readonly stderr: Readable;
	/** Resolves when the command has ended, or the connection broke, or the session was given up. What it has started may go on and write. Never rejects. */
	readonly exited: Promise<RemoteExit>;
	/** As `exited`, and its output was read. Both outputs have to be. */
	readonly ended: Promise<RemoteExit>;
	/** Gives up the session. The command goes on, and counts among the sessions that the host allows until it has ended. */
	close(): void;
}

/** One connection to a host: its key was verified, the account is logged into. */
export interface SshConnection extends HostLine, AsyncDisposable {
	/** `SHA256:…` of the host's key. */
	readonly hostKey: string;
	/** Rejects when the host allows no more sessions, or the connection is closed. */
	exec(command: string): Promise<RemoteSession>;
	/** Resolves when it is closed, with why; undefined when it was disposed of. */
	readonly closed: Promise<Error | undefined>;
}
