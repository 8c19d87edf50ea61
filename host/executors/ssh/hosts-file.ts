import {
	closeSync,
	fstatSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify, TomlError } from "smol-toml";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";
import { type HostMembers, readHostEntry, requireName } from "./host-entry.ts";
import { fitsPattern } from "./name-pattern.ts";
import type { SshHost } from "./ssh-host.ts";

/** The file of the SSH hosts in a data directory. */
export const hostsFile = (dataDirectory: string): string => join(dataDirectory, "hosts.toml");

type Hosts = ReadonlyMap<string, SshHost>;

/** Whoever changes the file has it for much less; a draft that is older was left by a process that died. */
const staleDraftMs = 10_000;

/**
 * The SSH hosts of a data directory: `hosts.toml`, a table `[hosts.NAME]` each. Read again when it has changed. Every reading throws RuntimeError `invalid` for a
 * file that is wrong anywhere, naming host and member, and `unavailable` for one that cannot be read or that others may write.
 */
export class SshHosts {
	readonly file: string;
	#hosts: Hosts = new Map();
	#seen: string | undefined;

	constructor(file: string) {
		this.file = file;
	}

	list(): readonly SshHost[] {
		return [...this.#read().values()];
	}

	/** Throws RuntimeError `not-found`, naming what there is. */
	find(name: string): SshHost {
		const hosts = this.#read();
		const found = hosts.get(name);
		if (found) return found;
		const known =
			hosts.size === 0 ? "there is none yet: `cronium hosts add` adds one" : `there are ${[...hosts.keys()].join(", ")}`;
		throw new RuntimeError("not-found", `There is no SSH host ${excerpt(name)}; ${known}.`);
	}

	/** Those whose names fit a pattern with `*` and `?`, or those with a tag: `tag=VALUE`. */
	match(pattern: string): readonly SshHost[] {
		const hosts = this.list();
		if (pattern.startsWith("tag=")) {
			const tag = pattern.slice("tag=".length);
			return hosts.filter(({ tags }) => tags.includes(tag));
		}
		return hosts.filter(({ name }) => fitsPattern(name, pattern));
	}

	/** Adds a host, and leaves the rest of the file as it is. Throws RuntimeError `conflict` when there is one of that name. */
	async add(name: string, members: HostMembers): Promise<SshHost> {
		requireName(name);
		return await this.#change((text, hosts) => {
			if (hosts.has(name))
				throw new RuntimeError("conflict", `There is an SSH host ${name} already: \`cronium hosts remove ${name}\`.`);
			const separator = text === "" ? "" : text.endsWith("\n") ? "\n" : "\n\n";
			const changed = `${text}${separator}${stringify({ hosts: { [name]: members } }).trimEnd()}\n`;
			return { changed, result: this.#parse(changed).get(name) as SshHost };
		});
	}

	/** Removes a host, with the comments of its table, and leaves the rest of the file as it is. Throws RuntimeError `not-found`. */
	async remove(name: string): Promise<SshHost> {
		return await this.#change((text, hosts) => {
			const result = hosts.get(name) ?? this.find(name);
			const changed = withoutTable(text, name);
			const { [name]: _, ...others } = tablesOf(this.file, text);
			if (JSON.stringify(tablesOf(this.file, changed)) !== JSON.stringify(others))
				throw new RuntimeError(
					"unsupported",
					`${this.file} is written in a way that only its writer can change; remove ${name} by hand.`,
				);
			return { changed, result };
		});
	}

	#read(): Hosts {
		const stats = statSync(this.file, { bigint: true, throwIfNoEntry: false });
		const seen = stats === undefined ? "" : [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join();
		if (seen !== this.#seen) {
			this.#hosts = stats === undefined ? new Map() : this.#parse(readText(this.file));
			this.#seen = seen;
		}
		return this.#hosts;
	}

	#parse(text: string): Hosts {
		const hosts = new Map<string, SshHost>();
		for (const [name, table] of Object.entries(tablesOf(this.file, text)))
			hosts.set(name, readHostEntry(name, table, dirname(this.file)));
		requireDomains([...hosts.values()]);
		return hosts;
	}

	/** One process at a time, and readers see the file before or after: a draft that only one can make takes the place of the file. */
	async #change<Result>(
		work: (text: string, hosts: Hosts) => { readonly changed: string; readonly result: Result },
	): Promise<Result> {
		mkdirSync(dirname(this.file), { recursive: true, mode: 0o700 });
		const draft = `${this.file}.new`;
		const descriptor = await openDraft(draft);
		try {
			const text = statSync(this.file, { throwIfNoEntry: false }) ? readText(this.file) : "";
			const { changed, result } = work(text, this.#parse(text));
			writeSync(descriptor, changed);
			fsyncSync(descriptor);
			renameSync(draft, this.file);
			return result;
		} catch (cause) {
			rmSync(draft, { force: true });
			throw cause;
		} finally {
			closeSync(descriptor);
		}
	}
}

async function openDraft(draft: string): Promise<number> {
	for (;;) {
		try {
			return openSync(draft, "wx", 0o600);
		} catch (cause) {
			const { code } = cause as NodeJS.ErrnoException;
			if (code !== "EEXIST") throw new RuntimeError("unavailable", `${draft} cannot be written: ${code}.`, {}, { cause });
		}
		const stats = statSync(draft, { throwIfNoEntry: false });
		if (stats && Date.now() - stats.mtimeMs > staleDraftMs) rmSync(draft, { force: true });
		else await sleep(20);
	}
}

/** Who can write it says where scripts go, and what is believed there. */
function readText(file: string): string {
	let descriptor: number | undefined;
	try {
		descriptor = openSync(file, "r");
		const stats = fstatSync(descriptor);
		const own = process.geteuid?.();
		if (own !== undefined && ((stats.mode & 0o022) !== 0 || (stats.uid !== own && stats.uid !== 0)))
			throw new RuntimeError(
				"unavailable",
				`${file} can be written by others (mode ${(stats.mode & 0o777).toString(8)}, owner ${stats.uid}); it must be this user's, mode 600.`,
			);
		return readFileSync(descriptor, "utf8");
	} catch (cause) {
		if (cause instanceof RuntimeError) throw cause;
		throw new RuntimeError("unavailable", `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}.`, {}, { cause });
	} finally {
		if (descriptor !== undefined) closeSync(descriptor);
	}
}

function tablesOf(file: string, text: string): Readonly<Record<string, unknown>> {
	let members: Record<string, unknown>;
	try {
		members = parse(text);
	} catch (cause) {
		if (!(cause instanceof TomlError)) throw cause;
		throw new RuntimeError(
			"invalid",
			`${file} is not TOML: ${cause.message.split("\n", 1)[0]} (line ${cause.line}, column ${cause.column}).`,
		);
	}
	const { hosts = {}, ...others } = members;
	const [other] = Object.keys(others);
	if (other !== undefined)
		throw new RuntimeError("invalid", `${file} has ${excerpt(other)}; it may have tables [hosts.NAME] and nothing else.`);
	if (typeof hosts !== "object" || hosts === null || Array.isArray(hosts))
		throw new RuntimeError("invalid", `hosts in ${file} must be tables [hosts.NAME].`);
	return hosts as Record<string, unknown>;
}

/** One account is one trust domain: two entries must not bring the runs of different namespaces together there unless both say so. */
function requireDomains(hosts: readonly SshHost[]): void {
	const first = new Map<string, SshHost>();
	for (const host of hosts) {
		const { address, port, user } = host;
		const account = JSON.stringify([address.toLowerCase(), port, user]);
		const other = first.get(account);
		if (other === undefined) first.set(account, host);
		else if (!(host.shared && other.shared) && [...host.namespaces].sort().join() !== [...other.namespaces].sort().join())
			throw conflict(other, host);
	}
}

function conflict(one: SshHost, other: SshHost): RuntimeError {
	return new RuntimeError(
		"invalid",
		`The hosts ${one.name} and ${other.name} are one account, ${one.user}@${one.address} port ${one.port}, for different namespaces (${one.namespaces.join(", ")}; ${other.namespaces.join(", ")}), whose runs would see each other there. shared = true in both says that this may be.`,
	);
}

/** The text without the table of a host and those below it. What stands directly above the head of the next one belongs to that. */
function withoutTable(text: string, name: string): string {
	const quoted = name.replaceAll(".", "\\.");
	const head = new RegExp(`^\\s*\\[\\s*hosts\\s*\\.\\s*(?:${quoted}|"${quoted}"|'${quoted}')\\s*(?:\\.[^\\]]*)?\\]`);
	const kept: string[] = [];
	let removed: string[] | undefined;
	for (const line of text.split("\n")) {
		if (head.test(line)) removed = [];
		else if (removed && /^\s*\[/.test(line)) {
			const last = removed.findLastIndex((one) => !/^\s*#/.test(one));
			kept.push(...removed.slice(last + 1));
			removed = undefined;
		}
		(removed ?? kept).push(line);
	}
	return kept.length === 0 || removed === undefined ? kept.join("\n") : `${kept.join("\n").trimEnd()}\n`;
}
