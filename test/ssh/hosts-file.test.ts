import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SshHosts } from "../../host/executors/ssh/hosts-file.ts";

const fingerprint = `SHA256:${"a".repeat(43)}`;
const least = `address = "10.0.0.5"\nuser = "runner"\nkey = "id"\nfingerprints = ["${fingerprint}"]\n`;

let directory: string;
let file: string;
let hosts: SshHosts;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "hosts-"));
	file = join(directory, "hosts.toml");
	hosts = new SshHosts(file);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const write = (text: string): void => writeFileSync(file, text, { mode: 0o600 });
const refusal = (text: string): string => {
	write(text);
	try {
		hosts.list();
	} catch (error) {
		const { code, message } = error as Error & { code: string };
		return `${code}: ${message}`;
	}
	return "accepted";
};

test("a host is completed with what it does not say", () => {
	write(`[hosts.web-1]\n${least}`);
	expect(hosts.find("web-1")).toEqual({
		name: "web-1",
		address: "10.0.0.5",
		port: 22,
		user: "runner",
		login: { kind: "key", file: join(directory, "id") },
		hostKeys: { kind: "fingerprints", fingerprints: [fingerprint] },
		reach: "auto",
		scopes: undefined,
		namespaces: ["default"],
		shared: false,
		tags: [],
		maxRuns: 64,
		limits: {},
		directory: undefined,
		pinsAddress: false,
	});
});

test("every member is read", () => {
	write(`[hosts."db.internal"]
address = "fd00::5"
port = 2222
user = 'CORP\\runner'
agent = "/run/agent.sock"
known-hosts = "/etc/ssh/ssh_known_hosts"
reach = "tunnel"
scopes = ["input:read", "variables:write"]
namespaces = ["billing", "sales"]
shared = true
tags = ["db", "eu"]
max-runs = 3
limits = { maxWallTimeMs = 60000 }
directory = "/var/tmp/cronium"
pin-address = true
`);
	expect(hosts.find("db.internal")).toMatchObject({
		address: "fd00::5",
		port: 2222,
		user: "CORP\\runner",
		login: { kind: "agent", socket: "/run/agent.sock" },
		hostKeys: { kind: "known-hosts", file: "/etc/ssh/ssh_known_hosts" },
		reach: "tunnel",
		scopes: ["input:read", "variables:write"],
		namespaces: ["billing", "sales"],
		shared: true,
		tags: ["db", "eu"],
		maxRuns: 3,
		limits: { maxWallTimeMs: 60_000 },
		directory: "/var/tmp/cronium",
		pinsAddress: true,
	});
});

describe("a host is refused, by its name and the member,", () => {
	test.each([
		[
			"for a misspelt member",
			"known_hosts = 'x'",
			'The host web1 has the unknown member "known_hosts"; it may have address, port,',
		],
		[
			"for a password",
			"password = 'hunter2'",
			'The host web1 has "password": passwords and other secrets do not belong into hosts.toml.',
		],
		["for the passphrase of a key", "key-passphrase = 'hunter2'", 'The host web1 has "key-passphrase": passwords'],
		[
			"for a password behind the user",
			"user = 'runner:hunter2'",
			'The host web1: user is "runner" and more; it must be the name',
		],
		[
			"for a key that stands in the file itself",
			"key = '''\n-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2'''",
			"The host web1: key must be the path of a file",
		],
		[
			"for a user in the address",
			"address = 'runner@10.0.0.5'",
			'The host web1: address is "runner@10.0.0.5"; it must be a host name',
		],
		["for an address that is an option", "address = '-oProxyCommand=x'", 'The host web1: address is "-oProxyCommand=x"'],
		["for an address with a command", "address = '$(id)'", 'The host web1: address is "$(id)"'],
		["for a port out of range", "port = 65536", "The host web1: port is 65536; it must be a whole number from 1 to 65535."],
		["for a port that is a text", "port = '22'", "The host web1: port is no number; it must be a whole number"],
		["for a flag that is a text", "shared = 'yes'", "The host web1: shared must be true or false."],
		[
			"for a scope that does not exist",
			"scopes = ['variables:writes']",
			'The host web1: scopes has "variables:writes"; it may have input:read',
		],
		["for a list that is a text", "tags = 'eu'", "The host web1: tags must be a list of texts with at least one."],
		["for a limit that does not exist", "limits = { maxTime = 1 }", 'The host web1: limits: There is no limit named "maxTime".'],
		["for a limit out of range", "limits = { maxWallTimeMs = 0 }", "The host web1: limits: maxWallTimeMs is 0; it must be"],
		[
			"for a limit of the process",
			"limits = { maxWorkers = 2 }",
			"The host web1: limits: maxWorkers is one of the whole process",
		],
		["for an unknown reach", "reach = 'direct'", 'The host web1: reach is "direct"; it must be auto, url, tunnel, agent.'],
		["for an agent beside a key", "agent = true", "The host web1 has a key and an agent; one of them logs in."],
		["for two ways to know it", "known-hosts = 'x'", "The host web1 has fingerprints and known-hosts;"],
		[
			"for a fingerprint of MD5",
			"fingerprints = ['MD5:aa:bb']",
			'The host web1: fingerprints has "MD5:aa:bb"; one is SHA256: and 43 characters',
		],
		["for a relative directory", "directory = 'work'", 'The host web1: directory is "work"; it must be an absolute path'],
		["for a directory with a command", "directory = '/tmp/$(id)'", 'The host web1: directory is "/tmp/$(id)"'],
		["for a directory that leaves it", "directory = '/tmp/../etc'", 'The host web1: directory is "/tmp/../etc"'],
		[
			"for a directory that is too long for sockets",
			`directory = '/${"d".repeat(48)}'`,
			`The host web1: directory is "/${"d".repeat(48)}"; it must be an absolute path of at most 48`,
		],
		["for a namespace with a space", "namespaces = ['a b']", 'The host web1: namespaces: The namespace "a b" is not valid'],
		[
			"for namespaces that see each other",
			"namespaces = ['a', 'b']",
			"The host web1 has 2 namespaces; on one account runs of one see those of the others. shared = true",
		],
		["for a tag with a quote", `tags = ["a'b"]`, `The host web1: tags has "a'b"; 1 to 64 letters`],
	])("%s", (_why, line, message) => {
		const name = line.split(" ", 1)[0] as string;
		const others = least.split("\n").filter((one) => !one.startsWith(`${name} `));
		const said = refusal(`[hosts.web1]\n${others.join("\n")}\n${line}\n`);
		expect(said).toContain(`invalid: ${message}`);
		expect(said).not.toContain("hunter2");
	});

	test.each([
		["without an address", "address", "The host web1 has no address."],
		["without a user", "user", "The host web1 has no user."],
		["without a login", "key", "The host web1 has neither a key (a file) nor an agent"],
		[
			"without anything to know it by",
			"fingerprints",
			"The host web1 has neither fingerprints nor known-hosts: nothing says by what the host is known.",
		],
	])("%s", (_why, member, message) => {
		const left = least.split("\n").filter((line) => !line.startsWith(member));
		expect(refusal(`[hosts.web1]\n${left.join("\n")}`)).toContain(message);
	});

	test.each(["$(reboot)", "a b", "a'b", 'a"b', "-v", "a/b", "*", "web?", "é", "", "__proto__", "a".repeat(65)])(
		"for the name %j",
		async (name) => {
			expect(refusal(`[hosts.${JSON.stringify(name)}]\n${least}`)).toMatch(/^invalid: The host .* is not valid; 1 to 64 letters/);
			rmSync(file);
			await expect(hosts.add(name, { address: "a", user: "b", key: "c", fingerprints: [fingerprint] })).rejects.toThrow(
				"is not valid",
			);
			expect(existsSync(file)).toBe(false);
		},
	);
});

test("a dot in a name without quotes is explained", () => {
	expect(refusal(`[hosts.db.internal]\n${least}`)).toContain('A name with a dot needs quotes: [hosts."db.internal"].');
});

test("what is no TOML, or no table of hosts, is refused with its place", () => {
	expect(refusal(`[hosts.web1]\npassword = hunter2\n`)).toMatch(
		/^invalid: .*hosts.toml is not TOML: .* \(line 2, column \d+\)\.$/,
	);
	expect(refusal(`[hosts.web1]\npassword = hunter2\n`)).not.toContain("hunter2");
	expect(refusal(`[host.web1]\n${least}`)).toContain('has "host"; it may have tables [hosts.NAME] and nothing else.');
	expect(refusal("hosts = 3\n")).toContain("must be tables [hosts.NAME]");
});

test("two hosts that are one account need the same namespaces, or say both that they share it", () => {
	const two = (one: string, other: string, address = "10.0.0.5"): string =>
		refusal(`[hosts.a]\n${least}${one}\n[hosts.b]\n${least.replace("10.0.0.5", address)}${other}\n`);
	expect(two("namespaces = ['x']", "namespaces = ['y']")).toContain(
		"invalid: The hosts a and b are one account, runner@10.0.0.5 port 22, for different namespaces (x; y)",
	);
	expect(two("namespaces = ['x']\nshared = true", "namespaces = ['y']")).toContain("are one account");
	expect(two("namespaces = ['x']\nshared = true", "namespaces = ['y']\nshared = true")).toBe("accepted");
	expect(two("namespaces = ['x']", "namespaces = ['x']")).toBe("accepted");
	expect(two("namespaces = ['x']", "namespaces = ['y']", "10.0.0.6")).toBe("accepted");
	expect(two("namespaces = ['x']", "namespaces = ['y']\nport = 2222")).toBe("accepted");
});

test("a host that is not there is answered with those that are", () => {
	expect(() => hosts.find("web1")).toThrow('There is no SSH host "web1"; there is none yet: `cronium hosts add` adds one.');
	write(`[hosts.web1]\n${least}[hosts.web2]\n${least}`);
	expect(() => hosts.find("constructor")).toThrow('There is no SSH host "constructor"; there are web1, web2.');
});

test("hosts are matched by name and by tag", () => {
	write(`[hosts.web-1]\n${least}tags = ["eu"]\n[hosts.web-22]\n${least}\n[hosts."db.eu"]\n${least}tags = ["eu", "db"]\n`);
	const names = (pattern: string): readonly string[] => hosts.match(pattern).map(({ name }) => name);
	expect(names("web-*")).toEqual(["web-1", "web-22"]);
	expect(names("web-?")).toEqual(["web-1"]);
	expect(names("*")).toHaveLength(3);
	expect(names("db.eu")).toEqual(["db.eu"]);
	expect(names("dbxeu")).toEqual([]);
	expect(names("tag=eu")).toEqual(["web-1", "db.eu"]);
	expect(names("tag=e")).toEqual([]);
	// Backtracking over this would last for years.
	expect(names(`${"*w".repeat(30)}!`)).toEqual([]);
});

test("the file is read again when it has changed, and only then", () => {
	write(`[hosts.web1]\n${least}`);
	const before = hosts.find("web1");
	expect(hosts.find("web1")).toBe(before);
	write(`[hosts.web1]\n${least}port = 2222\n`);
	utimesSync(file, 1, 1);
	expect(hosts.find("web1").port).toBe(2_222);
	rmSync(file);
	expect(hosts.list()).toEqual([]);
});

test("a file that others can write is refused", () => {
	write(`[hosts.web1]\n${least}`);
	chmodSync(file, 0o660);
	expect(() => hosts.list()).toThrow(`${file} can be written by others (mode 660, owner ${process.getuid?.()})`);
});

test("hosts are added and removed, and what stands beside them stays as it was", async () => {
	const text = `# Our machines.
# The first one.
[hosts.web1]
${least}
[hosts.web1.limits]
maxWallTimeMs = 1000 # short

# The second one.
[hosts."web1.eu"]
${least}`;
	write(text);
	const added = await hosts.add("web2", {
		address: "10.0.0.7",
		user: "runner",
		agent: true,
		fingerprints: [fingerprint],
		limits: { maxWallTimeMs: 5_000 },
	});
	expect(added).toEqual(hosts.find("web2"));
	expect(readFileSync(file, "utf8").startsWith(text)).toBe(true);
	await expect(hosts.add("web2", { address: "a", user: "b", key: "c", fingerprints: [fingerprint] })).rejects.toMatchObject({
		code: "conflict",
		message: "There is an SSH host web2 already: `cronium hosts remove web2`.",
	});
	await hosts.remove("web2");
	expect(readFileSync(file, "utf8")).toBe(text);
	await hosts.remove("web1");
	expect(readFileSync(file, "utf8")).toBe(`# Our machines.\n# The first one.\n# The second one.\n[hosts."web1.eu"]\n${least}`);
	await expect(hosts.remove("web1")).rejects.toMatchObject({ code: "not-found" });
	expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("a host that would make the file wrong is not added", async () => {
	write(`[hosts.web1]\n${least}`);
	const members = { address: "10.0.0.5", user: "runner", key: "id", fingerprints: [fingerprint], namespaces: ["other"] };
	await expect(hosts.add("web2", members)).rejects.toThrow("The hosts web1 and web2 are one account");
	expect(readFileSync(file, "utf8")).toBe(`[hosts.web1]\n${least}`);
	expect(existsSync(`${file}.new`)).toBe(false);
});

test("a host that is written inside of something else is left to whoever wrote it", async () => {
	const text = `hosts.web1 = { address = "a", user = "b", key = "c", fingerprints = ["${fingerprint}"] }\n`;
	write(text);
	await expect(hosts.remove("web1")).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("by hand") });
	expect(readFileSync(file, "utf8")).toBe(text);
});

test("processes that add hosts at the same time lose none of them", async () => {
	const program = `
		import { SshHosts } from ${JSON.stringify(new URL("../../host/executors/ssh/hosts-file.ts", import.meta.url).href)};
		const [file, prefix] = process.argv.slice(1);
		for (let index = 0; index < 4; index++)
			await new SshHosts(file).add(prefix + index, { address: prefix + index, user: "runner", agent: true, fingerprints: ["${fingerprint}"] });`;
	await Promise.all(
		["a", "b", "c"].map((prefix) => promisify(execFile)(process.execPath, ["--input-type=module", "-e", program, file, prefix])),
	);
	expect(hosts.list()).toHaveLength(12);
	expect(existsSync(`${file}.new`)).toBe(false);
});

test("the draft of a process that died is in nobody's way", async () => {
	writeFileSync(`${file}.new`, "half of it");
	utimesSync(`${file}.new`, 1, 1);
	await hosts.add("web1", { address: "a", user: "b", key: "c", fingerprints: [fingerprint] });
	expect(hosts.list()).toHaveLength(1);
});
