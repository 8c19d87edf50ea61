import { devNull } from "node:os";
import { resolve } from "node:path";
import { defaultLimits, type LimitName, limitDefinitions } from "../contract/limits.ts";
import type { HostMembers } from "../executors/ssh/host-entry.ts";
import type { HostFindings } from "../executors/ssh/host-probe.ts";
import type { SshHosts } from "../executors/ssh/hosts-file.ts";
import { describeHost, SshError } from "../executors/ssh/ssh-error.ts";
import { reaches, type SshHost } from "../executors/ssh/ssh-host.ts";
import { type Command, type CommandGroup, type CommandLine, exitCodes, requireOperands, UsageError } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption, openHost } from "./options.ts";
import { readCount, readLimit } from "./quantity.ts";
import { escapeText, formatTable, print, printError } from "./terminal.ts";

const add: Command = {
	name: "cronium hosts add",
	operands: "<name> <address>",
	summary: "Adds an SSH host that scripts can run on, and prints what it is known by.",
	details:
		"It says how the account is logged into, and by what the host is known; no password is kept. With --accept-new-host-key it connects, logs in, and keeps the key that the host has shown: compare it with the one that `ssh-keygen -l` shows on the host.",
	options: [
		{ name: "user", value: "NAME", description: "The account. One account is one trust domain: its runs see each other." },
		{ name: "port", value: "NUMBER", description: "22 when not given." },
		{ name: "key", value: "FILE", description: "A private key, not encrypted, that only this user can read." },
		{ name: "certificate", value: "FILE", description: "The certificate of that key (OpenSSH)." },
		{ name: "agent", description: "The SSH agent at SSH_AUTH_SOCK has the key." },
		{ name: "agent-socket", value: "FILE", description: "The SSH agent at this socket has the key." },
		{
			name: "fingerprint",
			value: "SHA256:…",
			repeats: true,
			description: "Of a key of the host, as `ssh-keygen -l` shows it.",
		},
		{ name: "known-hosts", value: "FILE", description: "A file with the keys of the host, such as ~/.ssh/known_hosts." },
		{ name: "accept-new-host-key", description: "Connect, and keep the key that the host shows." },
		{
			name: "reach",
			value: "WAY",
			description: `How scripts reach their helpers: auto (when not given), ${reaches.join(", ")}.`,
		},
		{
			name: "scope",
			value: "SCOPE",
			repeats: true,
			description: "What scripts may do there; the least rights when not given.",
		},
		{ name: "namespace", value: "NAME", repeats: true, description: "Whose runs it takes; default when not given." },
		{ name: "shared", description: "Runs of several namespaces may see each other there." },
		{ name: "tag", value: "TAG", repeats: true, description: "By which hosts can be chosen." },
		{ name: "max-runs", value: "NUMBER", description: "Runs there at one time; 64 when not given. Others wait." },
		{ name: "limit", value: "NAME=VALUE", repeats: true, description: "A limit of runs there; see cronium limits." },
		{
			name: "directory",
			value: "DIR",
			description: "Where runs have their directories there; TMPDIR, /tmp or the home when not given.",
		},
		{ name: "pin-address", description: "Tokens for the URL are good from the address of the host only." },
		dataOption,
	],
	examples: [
		"cronium hosts add web1 web1.example.org --user cronium --key ~/.ssh/cronium --accept-new-host-key",
		"cronium hosts add db1 10.0.0.7 --user cronium --agent --known-hosts ~/.ssh/known_hosts --tag db",
	],
	async run(line) {
		const [name, address] = requireOperands(line, "The name", "The address");
		const members = readMembers(line, address);
		const hosts = await openHosts(line);
		let accepted: string | undefined;
		try {
			if (line.flag("accept-new-host-key")) accepted = await lookAtKey(hosts, name, members);
		} catch (cause) {
			if (!(cause instanceof SshError)) throw cause;
			printError(cause.message);
			return exitCodes.failed;
		}
		await using host = await openHost(line, { audit: true });
		await host.audit?.record({ action: "add-ssh-host", actor: "operator", key: name });
		const added = await hosts.add(name, accepted === undefined ? members : { ...members, fingerprints: [accepted] });
		const keys =
			added.hostKeys.kind === "fingerprints" ? added.hostKeys.fingerprints.join(" or ") : `as in ${added.hostKeys.file}`;
		print(`${escapeText(titleOf(added, keys))}\n`);
		return exitCodes.succeeded;
	},
};

const list: Command = {
	name: "cronium hosts list",
	operands: "",
	summary: "Lists the SSH hosts.",
	options: [dataOption, jsonOption("Print a JSON array.")],
	examples: ["cronium hosts list"],
	async run(line) {
		requireOperands(line);
		const hosts = (await openHosts(line)).list();
		if (line.flag("json")) printJson(stringify(hosts));
		else
			print(
				formatTable(
					["NAME", "ADDRESS", "LOGIN", "KNOWN BY", "NAMESPACES", "REACH", "TAGS"],
					hosts.map((host) => [
						host.name,
						`${host.user}@${host.address} port ${host.port}`,
						host.login.kind === "agent" ? "agent" : host.login.certificateFile === undefined ? "key" : "certificate",
						host.hostKeys.kind === "fingerprints" ? host.hostKeys.fingerprints.join(" ") : host.hostKeys.file,
						host.namespaces.join(" "),
						host.reach,
						host.tags.join(" "),
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

const test: Command = {
	name: "cronium hosts test",
	operands: "<name>",
	summary: "Connects to an SSH host, and says what it has of what scripts need.",
	details: "Exit code 0: nothing is missing; 1: something is, or there is no way in, a line for each.",
	options: [dataOption, jsonOption("Print a JSON object.")],
	examples: ["cronium hosts test web1"],
	async run(line) {
		const [name] = requireOperands(line, "The name");
		const host = (await openHosts(line)).find(name);
		const found = await examine(host);
		if (line.flag("json")) printJson(stringify({ host: host.name, ...found }));
		else print(describe(host, found));
		return found.problems.length === 0 ? exitCodes.succeeded : exitCodes.failed;
	},
};

const remove: Command = {
	name: "cronium hosts remove",
	operands: "<name>",
	summary: "Removes an SSH host, and prints its name. Runs that are under way there go on.",
	options: [dataOption],
	examples: ["cronium hosts remove web1"],
	async run(line) {
		const [name] = requireOperands(line, "The name");
		const hosts = await openHosts(line);
		hosts.find(name);
		await using host = await openHost(line, { audit: true });
		await host.audit?.record({ action: "remove-ssh-host", actor: "operator", key: name });
		print(`${(await hosts.remove(name)).name}\n`);
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium hosts",
	summary: "SSH hosts that scripts run on.",
	commands: { add, list, test, remove },
};

async function openHosts(line: CommandLine): Promise<SshHosts> {
	const { hostsFile, SshHosts } = await import("../executors/ssh/hosts-file.ts");
	return new SshHosts(hostsFile(resolveDataDirectory(line.value("data"))));
}

/** What `hosts.toml` is to say. Files are named from this directory, hosts.toml is elsewhere. */
function readMembers(line: CommandLine, address: string): HostMembers {
	const user = line.value("user");
	if (user === undefined) throw new UsageError("--user is missing: the account on the host.");
	const logins = ["key", "agent", "agent-socket"].filter((name) => line.flag(name));
	if (logins.length !== 1)
		throw new UsageError("One of --key, --agent and --agent-socket says how the account is logged into; passwords are not kept.");
	if (line.flag("certificate") && !line.flag("key")) throw new UsageError("--certificate needs --key.");
	const known = ["fingerprint", "known-hosts", "accept-new-host-key"].filter((name) => line.flag(name));
	if (known.length !== 1)
		throw new UsageError("One of --fingerprint, --known-hosts and --accept-new-host-key says by what the host is known.");
	const file = (name: string): string | undefined => {
		const value = line.value(name);
		return value === undefined ? undefined : resolve(value);
	};
	const many = (name: string): readonly string[] | undefined => (line.flag(name) ? line.values(name) : undefined);
	const count = (name: string): number | undefined => {
		const value = line.value(name);
		return value === undefined ? undefined : readCount(`--${name}`, value);
	};
	const members: { readonly [Name in keyof HostMembers]: HostMembers[Name] | undefined } = {
		address,
		port: count("port"),
		user,
		key: file("key"),
		certificate: file("certificate"),
		agent: line.flag("agent") ? true : file("agent-socket"),
		fingerprints: many("fingerprint"),
		"known-hosts": file("known-hosts"),
		reach: line.value("reach"),
		scopes: many("scope"),
		namespaces: many("namespace"),
		shared: line.flag("shared") || undefined,
		tags: many("tag"),
		"max-runs": count("max-runs"),
		limits: readLimits(line),
		directory: line.value("directory"),
		"pin-address": line.flag("pin-address") || undefined,
	};
	return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as unknown as HostMembers;
}

function readLimits(line: CommandLine): Readonly<Record<string, number>> | undefined {
	const entries = line.values("limit").map((text): [string, number] => {
		const [, name = "", value = ""] = /^\s*([^=]+)=(.*?)\s*$/s.exec(text) ?? [];
		if (!Object.hasOwn(limitDefinitions, name))
			throw new UsageError(
				`--limit has ${JSON.stringify(text)}; it must be NAME=VALUE with the name of a limit (see cronium limits).`,
			);
		return [name, readLimit(`--limit ${name}`, name as LimitName, value)];
	});
	return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Logs in whatever key the host shows, and returns that: only the operator can say that it is the right one. */
async function lookAtKey(hosts: SshHosts, name: string, members: HostMembers): Promise<string> {
	const { readHostEntry, requireName } = await import("../executors/ssh/host-entry.ts");
	requireName(name);
	if (hosts.list().some((one) => one.name === name)) throw new UsageError(`There is an SSH host ${name} already.`);
	const { openConnection } = await import("../executors/ssh/open-connection.ts");
	const { anyHostKey } = await import("../executors/ssh/host-keys.ts");
	// Nothing is known of it yet.
	const host = readHostEntry(name, { ...members, "known-hosts": devNull }, "/");
	await using connection = await openConnection(host, { limits: defaultLimits, hostKeys: anyHostKey });
	return connection.hostKey;
}

type Examined = Partial<HostFindings> & Pick<HostFindings, "problems"> & { readonly hostKey?: string; readonly address?: string };

/** Everything that a host is asked for takes this long at most. */
const examineMs = 60_000;

async function examine(host: SshHost): Promise<Examined> {
	const { openConnection } = await import("../executors/ssh/open-connection.ts");
	const { probeHost } = await import("../executors/ssh/host-probe.ts");
	const late = new AbortController();
	const timer = setTimeout(
		() => late.abort(new SshError("host-unsuitable", `${describeHost(host)} has not answered within ${examineMs} ms.`)),
		examineMs,
	);
	try {
		await using connection = await openConnection(host, { limits: defaultLimits, signal: late.signal });
		const { hostKey, remoteAddress: address } = connection;
		return { hostKey, address, ...(await probeHost(host, connection, late.signal)) };
	} catch (cause) {
		if (!(cause instanceof SshError)) throw cause;
		return { problems: [cause.message] };
	} finally {
		clearTimeout(timer);
	}
}

function describe(host: SshHost, found: Examined): string {
	const facts: [string, string][] = [];
	if (found.programs) {
		facts.push(["Address", found.address ?? ""]);
		facts.push(["System", found.system ?? ""], ["Login shell", found.shell ?? ""]);
		for (const [name, program] of Object.entries(found.programs))
			facts.push([name, program ? `${program.version ?? "of an unknown version"}, ${program.path}` : "missing"]);
		facts.push(["Directory", found.directory ?? "none"]);
		facts.push(["Sockets", found.forwardsSockets ? "forwarded" : "not forwarded"]);
		facts.push(["Sessions", `${found.sessions} on a connection`]);
	}
	const verdict = found.problems.length === 0 ? ["Scripts can run there."] : found.problems;
	const sections = [
		[titleOf(host, found.hostKey), ...facts.map(([name, text]) => `${name.padEnd(14)}${text}`)],
		[...verdict, ...(found.hints ?? [])],
	];
	return sections.map((lines) => lines.map((text) => `${escapeText(text)}\n`).join("")).join("\n");
}

const titleOf = ({ name, user, address, port }: SshHost, key: string | undefined): string =>
	`${name}: ${user}@${address} port ${port}${key === undefined ? "" : `, host key ${key}`}`;
