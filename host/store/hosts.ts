import { randomBytes } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { RuntimeError } from "../contract/errors.ts";

/** This process's presence in a data directory. */
export interface Host {
	readonly id: string;
	/** From now on the host counts as dead. */
	close(): Promise<void>;
}

/** Longer socket paths are cut silently, and two hosts would share one socket. */
const maxSocketPathBytes = 100;

/** A host that does not answer in this time is alive: only a refusal says that it is not. */
const answerTimeoutMs = 2_000;

/** A process that has not come from binding its socket to listening in this time has died on the way. */
const claimTimeoutMs = 60_000;

const suffix = ".sock";
const unfinishedSuffix = ".sock.new";

/**
 * Makes this process known to the others that use the data directory: as long as it lives, connections to `hosts/<id>.sock` are accepted.
 * Does not keep the process alive. Throws `unavailable` when the socket cannot be made.
 */
export async function claimHost(directory: string, id = createHostId()): Promise<Host> {
	const hosts = hostsDirectory(directory);
	const path = join(hosts, id + suffix);
	try {
		mkdirSync(hosts, { recursive: true, mode: 0o700 });
		// Under another name first: between binding and listening a socket refuses, and a live host would look dead.
		const server = await withSocketPath(hosts, id + unfinishedSuffix, (unfinished) => listen(unfinished, id));
		chmodSync(join(hosts, id + unfinishedSuffix), 0o600);
		renameSync(join(hosts, id + unfinishedSuffix), path);
		return {
			id,
			close() {
				rmSync(path, { force: true });
				return new Promise((done) => server.close(() => done()));
			},
		};
	} catch (error) {
		if (error instanceof RuntimeError) throw error;
		const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
		throw new RuntimeError("unavailable", `This process cannot make itself known in ${hosts}: ${reason}.`, {}, { cause: error });
	}
}

/** An id that no process has had. */
export function createHostId(): string {
	return randomBytes(12).toString("hex");
}

/** False only when nobody listens: the host's socket refuses or is gone. A host that is busy, or stopped by a signal, is alive. */
export async function isHostAlive(directory: string, id: string): Promise<boolean> {
	if (!isId(id)) throw new RuntimeError("invalid", `${JSON.stringify(id)} is not the id of a host.`);
	const hosts = hostsDirectory(directory);
	if (lstatSync(join(hosts, id + suffix), { throwIfNoEntry: false }) === undefined) return false;
	return withSocketPath(hosts, id + suffix, isListening);
}

/** The hosts that live. */
export async function liveHosts(directory: string): Promise<readonly string[]> {
	const ids = readNames(hostsDirectory(directory))
		.filter((name) => name.endsWith(suffix))
		.map((name) => name.slice(0, -suffix.length))
		.filter(isId);
	const alive = await Promise.all(ids.map((id) => isHostAlive(directory, id)));
	return ids.filter((_, index) => alive[index]);
}

/**
 * The hosts whose sockets are still there but dead. With `remove` the sockets are removed, and those of processes that died while they
 * claimed.
 */
export async function deadHosts(directory: string, options: { readonly remove?: boolean } = {}): Promise<readonly string[]> {
	const hosts = hostsDirectory(directory);
	const dead: string[] = [];
	for (const name of readNames(hosts)) {
		const id = name.endsWith(suffix) ? name.slice(0, -suffix.length) : "";
		if (isId(id) && !(await isHostAlive(directory, id))) dead.push(id);
		if (options.remove && name.endsWith(unfinishedSuffix)) await removeUnfinished(hosts, name);
	}
	// Ids are never used twice, so nothing can have come to life under one since.
	if (options.remove) for (const id of dead) rmSync(join(hosts, id + suffix), { force: true });
	return dead;
}

/** A socket that is young may be about to listen: its host would find it gone. */
async function removeUnfinished(hosts: string, name: string): Promise<void> {
	const path = join(hosts, name);
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats === undefined || Date.now() - stats.mtimeMs < claimTimeoutMs) return;
	if (!(await withSocketPath(hosts, name, isListening))) rmSync(path, { force: true });
}

function hostsDirectory(directory: string): string {
	return join(resolve(directory), "hosts");
}

/**
 * Calls `use` with a path to the socket that is short enough: through a link to its directory, in a private directory for temporary
 * files, when its own path is not. Throws `unavailable` when that path is too long as well.
 */
async function withSocketPath<T>(hosts: string, name: string, use: (path: string) => Promise<T>): Promise<T> {
	const path = join(hosts, name);
	if (fitsSocket(path)) return use(path);
	const temporary = mkdtempSync(join(tmpdir(), "cronium-"));
	try {
		const short = join(temporary, "h", name);
		if (!fitsSocket(short))
			throw new RuntimeError(
				"unavailable",
				`${path} and ${short} are too long for a socket: the limit is ${maxSocketPathBytes} bytes. Use a data directory or a TMPDIR with a shorter path.`,
			);
		symlinkSync(hosts, join(temporary, "h"));
		return await use(short);
	} finally {
		rmSync(temporary, { recursive: true, force: true });
	}
}

/** Says its id to whoever connects. */
async function listen(path: string, id: string): Promise<Server> {
	const server = createServer((socket) => {
		socket.on("error", () => socket.destroy());
		socket.end(id);
	});
	await new Promise<void>((done, fail) => {
		server.once("error", fail);
		server.listen(path, done);
	});
	server.unref();
	return server;
}

function isListening(path: string): Promise<boolean> {
	return new Promise((done) => {
		const socket = connect(path);
		const answer = (alive: boolean) => {
			clearTimeout(timer);
			socket.destroy();
			done(alive);
		};
		const timer = setTimeout(() => answer(true), answerTimeoutMs);
		socket.once("connect", () => answer(true));
		socket.once("error", (error: NodeJS.ErrnoException) => answer(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"));
	});
}

function readNames(directory: string): readonly string[] {
	try {
		return readdirSync(directory);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
		throw error;
	}
}

function fitsSocket(path: string): boolean {
	return Buffer.byteLength(path) <= maxSocketPathBytes;
}

function isId(id: string): boolean {
	return /^[0-9a-f]{24}$/.test(id);
}
