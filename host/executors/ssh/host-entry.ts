import { isIP } from "node:net";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";
import { type Scope, scopes } from "../../contract/generated/types.ts";
import { type LimitName, limitDefinitions, resolveLimits } from "../../contract/limits.ts";
import { requireNamespace } from "../../run-options.ts";
import { type KnownHostKeys, reaches, type SshHost, type SshLogin } from "./ssh-host.ts";

/** A table of `hosts.toml`, as it is written there. */
export interface HostMembers {
	readonly address: string;
	readonly user: string;
	readonly port?: number;
	readonly key?: string;
	readonly certificate?: string;
	readonly agent?: boolean | string;
	readonly fingerprints?: readonly string[];
	readonly "known-hosts"?: string;
	readonly reach?: string;
	readonly scopes?: readonly string[];
	readonly namespaces?: readonly string[];
	readonly shared?: boolean;
	readonly tags?: readonly string[];
	readonly "max-runs"?: number;
	readonly limits?: Readonly<Record<string, number>>;
	readonly directory?: string;
	readonly "pin-address"?: boolean;
}

/** All there are: a table that does not compile without one of them. */
export const hostMembers: readonly string[] = Object.keys({
	address: true,
	port: true,
	user: true,
	key: true,
	certificate: true,
	agent: true,
	fingerprints: true,
	"known-hosts": true,
	reach: true,
	scopes: true,
	namespaces: true,
	shared: true,
	tags: true,
	"max-runs": true,
	limits: true,
	directory: true,
	"pin-address": true,
} satisfies Record<keyof HostMembers, true>);

/** Runs of one host at one time, where it does not say. */
const defaultMaxRuns = 64;

/**
 * Sockets of runs are below it, and Unix cuts their paths at some hundred bytes.
 */
const maxDirectoryCharacters = 48;

/**
 * Checks a table of `hosts.toml` and completes it. Paths are relative to `directory`, or begin with `~/`. Throws RuntimeError `invalid` that names the host, the
 * member and what is allowed; a value that may be a secret is not in it.
 */
export function readHostEntry(name: string, table: unknown, directory: string): SshHost {
	requireName(name);
	const at = `The host ${name}`;
	if (typeof table !== "object" || table === null || Array.isArray(table))
		throw refusal(`${at} must be a table, [hosts.${name}].`);
	const members = table as Readonly<Record<string, unknown>>;
	requireMembers(name, members);
	const text = (member: string): string | undefined => {
		const value = members[member];
		if (value === undefined || (typeof value === "string" && value !== "")) return value as string | undefined;
		throw refusal(`${at}: ${member} must be a text that is not empty.`);
	};
	const flag = (member: string): boolean => {
		const value = members[member] ?? false;
		if (typeof value === "boolean") return value;
		throw refusal(`${at}: ${member} must be true or false.`);
	};
	const whole = (member: string, fallback: number, maximum: number): number => {
		const value = members[member] ?? fallback;
		if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= maximum) return value;
		throw refusal(
			`${at}: ${member} is ${typeof value === "number" ? value : "no number"}; it must be a whole number from 1 to ${maximum}.`,
		);
	};
	const texts = (member: string): readonly string[] | undefined => {
		const value = members[member];
		if (value === undefined) return undefined;
		if (Array.isArray(value) && value.every((one) => typeof one === "string") && value.length > 0) return [...new Set(value)];
		throw refusal(`${at}: ${member} must be a list of texts with at least one.`);
	};
	const file = (member: string): string | undefined => {
		const path = text(member);
		if (path?.includes("-----BEGIN"))
			throw refusal(`${at}: ${member} must be the path of a file; what is in the file does not belong here.`);
		return path === undefined ? undefined : resolvePath(path, directory);
	};
	const namespaces = texts("namespaces") ?? ["default"];
	for (const namespace of namespaces) prefixed(at, "namespaces", () => requireNamespace(namespace));
	const shared = flag("shared");
	if (namespaces.length > 1 && !shared)
		throw refusal(
			`${at} has ${namespaces.length} namespaces; on one account runs of one see those of the others. shared = true says that this may be.`,
		);
	const reach = text("reach") ?? "auto";
	if (reach !== "auto" && !reaches.includes(reach as (typeof reaches)[number]))
		throw refusal(`${at}: reach is ${excerpt(reach)}; it must be auto, ${reaches.join(", ")}.`);
	return {
		name,
		address: readAddress(at, text("address")),
		port: whole("port", 22, 65_535),
		user: readUser(at, text("user")),
		login: readLogin(at, members, file),
		hostKeys: readHostKeys(at, texts("fingerprints"), file("known-hosts")),
		reach: reach as SshHost["reach"],
		scopes: readScopes(at, members.scopes),
		namespaces,
		shared,
		tags: (texts("tags") ?? []).map((tag) => readWord(at, "tags", tag)),
		maxRuns: whole("max-runs", defaultMaxRuns, 10_000),
		limits: readLimits(at, members.limits),
		directory: readDirectory(at, text("directory")),
		pinsAddress: flag("pin-address"),
	};
}

/** Throws RuntimeError `invalid` for what is no name of a host. */
export function requireName(name: string): void {
	if (!word.test(name))
		throw refusal(
			`The host ${excerpt(name)} is not valid; 1 to 64 letters, digits, dots, dashes and underscores are, beginning with a letter or digit.`,
		);
}

const word = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

function requireMembers(name: string, members: Readonly<Record<string, unknown>>): void {
	for (const [member, value] of Object.entries(members)) {
		if (hostMembers.includes(member)) continue;
		if (secretMember.test(member))
			throw refusal(
				`The host ${name} has ${excerpt(member)}: passwords and other secrets do not belong into hosts.toml. A key file (key) or an SSH agent (agent) logs in.`,
			);
		const inner = typeof value === "object" && value !== null && !Array.isArray(value);
		const hint = inner ? ` A name with a dot needs quotes: [hosts.${JSON.stringify(`${name}.${member}`)}].` : "";
		throw refusal(`The host ${name} has the unknown member ${excerpt(member)}; it may have ${hostMembers.join(", ")}.${hint}`);
	}
}

const secretMember = /pass|secret|pwd|credential|token|private|^pin$/i;

function readAddress(at: string, address: string | undefined): string {
	if (address === undefined) throw refusal(`${at} has no address.`);
	if (isIP(address) || (/^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(address) && address.length <= 253)) return address;
	throw refusal(`${at}: address is ${excerpt(address)}; it must be a host name or an IP address, without a user or a port.`);
}

function readUser(at: string, user: string | undefined): string {
	if (user === undefined) throw refusal(`${at} has no user.`);
	if (/^[A-Za-z0-9_][A-Za-z0-9._@+\\-]{0,127}$/.test(user)) return user;
	// What is behind a colon may be a password.
	throw refusal(
		`${at}: user is ${excerpt(user.split(":", 1)[0] as string)} and more; it must be the name of an account, and nothing else.`,
	);
}

function readLogin(
	at: string,
	{ agent }: Readonly<Record<string, unknown>>,
	file: (member: string) => string | undefined,
): SshLogin {
	const key = file("key");
	const certificate = file("certificate");
	if (agent !== undefined && typeof agent !== "boolean" && (typeof agent !== "string" || agent === ""))
		throw refusal(`${at}: agent must be true, or the path of its socket.`);
	if (key !== undefined) {
		if (agent !== undefined && agent !== false) throw refusal(`${at} has a key and an agent; one of them logs in.`);
		return { kind: "key", file: key, ...(certificate !== undefined && { certificateFile: certificate }) };
	}
	if (certificate !== undefined) throw refusal(`${at} has a certificate without its key.`);
	if (agent === undefined || agent === false)
		throw refusal(`${at} has neither a key (a file) nor an agent (true, or the path of its socket).`);
	const socket = agent === true ? process.env.SSH_AUTH_SOCK : file("agent");
	// An empty path: whoever connects is told that there is no agent. A host that is not used needs none.
	return { kind: "agent", socket: socket ?? "" };
}

function readHostKeys(at: string, fingerprints: readonly string[] | undefined, file: string | undefined): KnownHostKeys {
	if (fingerprints !== undefined && file !== undefined)
		throw refusal(`${at} has fingerprints and known-hosts; one of them says by what the host is known.`);
	if (file !== undefined) return { kind: "known-hosts", file };
	if (fingerprints === undefined)
		throw refusal(
			`${at} has neither fingerprints nor known-hosts: nothing says by what the host is known. \`ssh-keygen -l\` on the host shows its fingerprints.`,
		);
	for (const one of fingerprints)
		if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(one))
			throw refusal(
				`${at}: fingerprints has ${excerpt(one)}; one is SHA256: and 43 characters, as \`ssh-keygen -l\` and \`ssh\` show it.`,
			);
	return { kind: "fingerprints", fingerprints };
}

function readScopes(at: string, given: unknown): readonly Scope[] | undefined {
	if (given === undefined) return undefined;
	if (!Array.isArray(given)) throw refusal(`${at}: scopes must be a list of texts.`);
	for (const one of given)
		if (!scopes.includes(one as Scope))
			throw refusal(`${at}: scopes has ${excerpt(String(one))}; it may have ${scopes.join(", ")}.`);
	return [...new Set(given as readonly Scope[])];
}

function readLimits(at: string, given: unknown): SshHost["limits"] {
	if (given === undefined) return {};
	if (typeof given !== "object" || given === null || Array.isArray(given)) throw refusal(`${at}: limits must be a table.`);
	for (const [name, value] of Object.entries(given)) {
		if (typeof value !== "number") throw refusal(`${at}: limits: ${excerpt(name)} must be a number.`);
		if (Object.hasOwn(limitDefinitions, name) && limitDefinitions[name as LimitName].scope === "host")
			throw refusal(`${at}: limits: ${name} is one of the whole process, not one of a run.`);
	}
	prefixed(at, "limits", () => resolveLimits(given));
	return { ...given };
}

function readDirectory(at: string, directory: string | undefined): string | undefined {
	if (directory === undefined) return undefined;
	if (
		/^\/[A-Za-z0-9._/+@-]*$/.test(directory) &&
		directory.length <= maxDirectoryCharacters &&
		!/\/\.\.?(?:\/|$)/.test(directory)
	)
		return directory;
	throw refusal(
		`${at}: directory is ${excerpt(directory)}; it must be an absolute path of at most ${maxDirectoryCharacters} letters, digits and ._/+@-, because paths of Unix sockets are short.`,
	);
}

function readWord(at: string, member: string, text: string): string {
	if (word.test(text)) return text;
	throw refusal(`${at}: ${member} has ${excerpt(text)}; 1 to 64 letters, digits, dots, dashes and underscores are allowed.`);
}

function resolvePath(path: string, directory: string): string {
	return path.startsWith("~/") ? join(homedir(), path.slice(2)) : resolve(directory, path);
}

/** Says where the value stands that somebody else refuses. */
function prefixed(at: string, member: string, check: () => unknown): void {
	try {
		check();
	} catch (cause) {
		throw refusal(`${at}: ${member}: ${(cause as Error).message}`);
	}
}

const refusal = (message: string): RuntimeError => new RuntimeError("invalid", message);
