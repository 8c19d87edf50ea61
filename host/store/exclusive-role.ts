import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "../contract/errors.ts";
import { type Host, isHostAlive } from "./hosts.ts";

/** A role that one host of a data directory has at a time. */
export interface ExclusiveRole {
	close(): Promise<void>;
}

interface Holder {
	readonly pid: number;
	/** Absent when the role was given back. */
	readonly host?: string;
}

/**
 * Takes a role of which a data directory has one holder, `serve` for instance. Throws `unavailable`, naming the holder's process and
 * host, when a live host has it; a dead one's role is taken over.
 *
 * Every holder makes a file of its own, `roles/<name>.<number>`, one higher than the last. A number is made once (a link to a name that
 * exists fails), and the highest is never removed; so of all who found the same dead holder one goes on, and nobody removes a live holder's file.
 */
export async function lockExclusive(directory: string, name: string, host: Pick<Host, "id">): Promise<ExclusiveRole> {
	if (!/^[a-z][a-z-]{0,31}$/.test(name)) throw new RuntimeError("invalid", `${JSON.stringify(name)} is not the name of a role.`);
	const roles = join(directory, "roles");
	mkdirSync(roles, { recursive: true, mode: 0o700 });
	const path = (number: number) => join(roles, `${name}.${number}`);
	const draft = join(roles, `.${name}.${host.id}`);

	for (;;) {
		const last = lastNumber(roles, name);
		if (last > 0) await requireFree(directory, name, path(last));
		const mine = last + 1;
		writeHolder(draft, { pid: process.pid, host: host.id });
		try {
			linkSync(draft, path(mine));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
			throw error;
		} finally {
			rmSync(draft, { force: true });
		}
		// Whoever was slow may have made a number that was passed and cleared away meanwhile.
		if (lastNumber(roles, name) !== mine) {
			rmSync(path(mine), { force: true });
			continue;
		}
		for (const number of numbers(roles, name)) if (number < mine) rmSync(path(number), { force: true });
		return {
			async close() {
				writeHolder(draft, { pid: process.pid });
				renameSync(draft, path(mine));
			},
		};
	}
}

async function requireFree(directory: string, name: string, path: string): Promise<void> {
	const holder = readHolder(path);
	if (holder?.host !== undefined && (await isHostAlive(directory, holder.host)))
		throw new RuntimeError(
			"unavailable",
			`Process ${holder.pid} (host ${holder.host}) has the role "${name}" of ${directory}, which only one can have at a time.`,
		);
}

function readHolder(path: string): Holder | undefined {
	try {
		return JSON.parse(readFileSync(path, "utf8")) as Holder;
	} catch (error) {
		// A file appears only when it is complete. One that is not was cut off when the machine stopped, and its host with it.
		if (error instanceof SyntaxError) return undefined;
		// A higher number came and this one was cleared away: the next look shows it.
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw error;
	}
}

function writeHolder(path: string, holder: Holder): void {
	writeFileSync(path, JSON.stringify(holder), { mode: 0o600 });
}

function lastNumber(roles: string, name: string): number {
	return Math.max(0, ...numbers(roles, name));
}

function numbers(roles: string, name: string): number[] {
	const found: number[] = [];
	for (const file of readdirSync(roles)) {
		const number = file.startsWith(`${name}.`) ? file.slice(name.length + 1) : "";
		if (/^[1-9][0-9]{0,14}$/.test(number)) found.push(Number(number));
	}
	return found;
}
