import { randomBytes } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { RuntimeError } from "../host/contract/errors.ts";
import { type ExclusiveRole, lockExclusive } from "../host/store/exclusive-role.ts";
import { claimHost, deadHosts, type Host } from "../host/store/hosts.ts";
import type { AgentIdentity } from "./agent-identity.ts";

/** A longer path is cut silently, and two runs could have one socket. */
const maxSocketPathBytes = 100;
/** Of a run: nothing else becomes a file name. */
const runId = /^[0-9a-f-]{36}$/;

/** The directory of an agent, which one process has at a time: who it is, and the sockets of the runs. */
export class AgentState implements AsyncDisposable {
	readonly directory: string;
	readonly #presence: Host;
	readonly #role: ExclusiveRole;

	private constructor(directory: string, presence: Host, role: ExclusiveRole) {
		this.directory = directory;
		this.#presence = presence;
		this.#role = role;
	}

	/** Makes the directory when it is not there. Throws `unavailable` when it is not this user's own, or another agent has it; `invalid` when its path is too long. */
	static async open(path: string): Promise<AgentState> {
		const directory = resolve(path);
		const longest = socketPathOf(directory, "0".repeat(36));
		if (Buffer.byteLength(longest) > maxSocketPathBytes)
			throw new RuntimeError(
				"invalid",
				`The sockets of runs would have paths of ${Buffer.byteLength(longest)} bytes (${longest}); the limit is ${maxSocketPathBytes}. Use a directory with a shorter path.`,
			);
		preparePrivate(directory);
		const presence = await claimHost(directory);
		try {
			const role = await lockExclusive(directory, "agent", presence);
			await deadHosts(directory, { remove: true });
			const state = new AgentState(directory, presence, role);
			state.#clear();
			return state;
		} catch (error) {
			await presence.close();
			throw error;
		}
	}

	get identityFile(): string {
		return join(this.directory, "identity.json");
	}

	/** Undefined before the agent has joined. Throws `unavailable` for a file that is damaged. */
	readIdentity(): AgentIdentity | undefined {
		let text: string;
		try {
			text = readFileSync(this.identityFile, "utf8");
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
			throw error;
		}
		try {
			const identity = JSON.parse(text) as AgentIdentity;
			if (identity.version === 1) return identity;
		} catch {
			// Its text stays out of messages: it may be half a key.
		}
		throw new RuntimeError("unavailable", `${this.identityFile} is damaged. Remove it, and join with a new token.`);
	}

	/** Whole or not at all: an agent without its key has to be invited again. */
	writeIdentity(identity: AgentIdentity): void {
		const draft = join(this.directory, `.identity-${randomBytes(9).toString("base64url")}`);
		try {
			writeFileSync(draft, `${JSON.stringify(identity)}\n`, { mode: 0o600, flag: "wx", flush: true });
			renameSync(draft, this.identityFile);
		} catch (error) {
			rmSync(draft, { force: true });
			throw error;
		}
	}

	/** Where the socket of a run is: the same place whenever it is made. Throws `invalid`. */
	socketPath(run: string): string {
		if (!runId.test(run)) throw new RuntimeError("invalid", "This is not the id of a run.");
		return socketPathOf(this.directory, run);
	}

	/** Removes what an agent that was killed has left. */
	#clear(): void {
		const sockets = join(this.directory, socketsName);
		rmSync(sockets, { recursive: true, force: true });
		mkdirSync(sockets, { mode: 0o700 });
		for (const name of readdirSync(this.directory)) if (name.startsWith(".identity-")) rmSync(join(this.directory, name));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		rmSync(join(this.directory, socketsName), { recursive: true, force: true });
		await this.#role.close();
		await this.#presence.close();
	}
}

const socketsName = "sockets";

const socketPathOf = (directory: string, run: string): string => join(directory, socketsName, run);

/** A directory that nobody else can look into. */
function preparePrivate(directory: string): void {
	try {
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const stats = lstatSync(directory);
		if (!stats.isDirectory()) throw new RuntimeError("unavailable", `${directory} is not a directory.`);
		if (process.geteuid && stats.uid !== process.geteuid())
			throw new RuntimeError("unavailable", `${directory} belongs to user ${stats.uid}; an agent needs one of its own user.`);
		if ((stats.mode & 0o077) !== 0) chmodSync(directory, 0o700);
	} catch (error) {
		if (error instanceof RuntimeError) throw error;
		const { code = "unknown" } = error as NodeJS.ErrnoException;
		throw new RuntimeError("unavailable", `${directory} cannot be used: ${code}.`, {}, { cause: error });
	}
}
