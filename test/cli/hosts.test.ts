import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sshdObstacle, startSshd, type TestSshd } from "../ssh/sshd.ts";
import { createDirectory, cronium, type Ended } from "./cronium.ts";

const obstacle = sshdObstacle(true);

describe.skipIf(obstacle !== undefined)("cronium hosts", () => {
	let sshd: TestSshd;
	/** Programs of the host: only those, so that what is missing there is missing. */
	let programs: string;

	beforeAll(async () => {
		sshd = await startSshd({ accounts: { fisher: { shell: "/usr/bin/fish" }, nobody1: { shell: "/usr/sbin/nologin" } } });
	});
	afterAll(() => sshd[Symbol.asyncDispose]());

	const address = (): readonly string[] => [sshd.address, "--port", `${sshd.port}`];
	const login = (user = "runner"): readonly string[] => ["--user", user, "--key", sshd.keyFile];
	const hosts = async (data: string, ...args: readonly string[]): Promise<Ended> =>
		await cronium(["hosts", ...args, "--data", data]);

	test("a host is added with the key that it shows, tested, listed and removed, which is in the audit log", async () => {
		const data = join(createDirectory(), "data");
		const added = await hosts(
			data,
			"add",
			"web1",
			...address(),
			...login(),
			"--accept-new-host-key",
			"--tag",
			"eu",
			"--max-runs",
			"5",
			"--directory",
			sshd.account.home,
		);
		expect(added).toEqual({
			code: 0,
			stdout: `web1: runner@${sshd.address} port ${sshd.port}, host key ${sshd.fingerprint}\n`,
			stderr: "",
		});
		expect(statSync(join(data, "hosts.toml")).mode & 0o777).toBe(0o600);
		expect(readFileSync(join(data, "hosts.toml"), "utf8")).toContain(`fingerprints = [ "${sshd.fingerprint}" ]`);

		const [tested, json, listed, again] = await Promise.all([
			hosts(data, "test", "web1"),
			hosts(data, "test", "web1", "--json"),
			hosts(data, "list", "--json"),
			hosts(data, "add", "web1", ...address(), ...login(), "--accept-new-host-key"),
		]);
		expect(tested.stdout).toMatch(
			/^web1: runner@\S+ port \d+, host key SHA256:\S+\nAddress +127\.0\.0\.1\nSystem +Linux .*\nLogin shell +\/bin\/bash\nnode +\d/,
		);
		expect(tested.stdout).toMatch(
			/\nDirectory +\/\S+\/homes\/runner\nSockets +forwarded\nSessions +8 on a connection\n\nScripts can run there\.\n/,
		);
		expect(tested).toMatchObject({ code: 0, stderr: "" });
		expect(JSON.parse(json.stdout)).toMatchObject({
			host: "web1",
			hostKey: sshd.fingerprint,
			programs: { bash: { path: "/usr/bin/bash", version: expect.stringMatching(/^\d+\.\d+/) } },
			forwardsSockets: true,
			sessions: 8,
			problems: [],
		});
		expect(JSON.parse(listed.stdout)).toMatchObject([{ name: "web1", tags: ["eu"], maxRuns: 5, namespaces: ["default"] }]);
		expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("There is an SSH host web1 already.") });

		expect(await hosts(data, "remove", "web1")).toMatchObject({
			code: 0,
			stdout: "web1\n",
		});
		expect(await hosts(data, "remove", "web1")).toMatchObject({
			code: 1,
			stderr: expect.stringContaining('There is no SSH host "web1"'),
		});
		const audited = await cronium(["audit", "list", "--data", data]);
		expect(audited.stdout).toMatch(/add-ssh-host[\s\S]*remove-ssh-host/);
		// Nothing of a probe stays there.
		expect(readdirSync(sshd.account.home).filter((name) => name.startsWith(".cronium"))).toEqual([]);
	});

	test("a host is added without a connection when its key is known", async () => {
		const data = join(createDirectory(), "data");
		const added = await hosts(
			data,
			...["add", "db.1", "fd00::1", "--user", "cronium", "--agent-socket", "agent.sock", "--known-hosts", "known"],
			...[
				"--reach",
				"tunnel",
				"--scope",
				"variables:read",
				"--scope",
				"input:read",
				"--namespace",
				"a",
				"--namespace",
				"b",
				"--shared",
			],
			...["--limit", "maxWallTimeMs=2m", "--directory", "/srv/runs", "--pin-address"],
		);
		expect(added).toMatchObject({
			code: 0,
			stdout: expect.stringMatching(/^db\.1: cronium@fd00::1 port 22, host key as in \/.*\/known\n$/),
			stderr: "",
		});
		const [json, table] = await Promise.all([hosts(data, "list", "--json"), hosts(data, "list")]);
		expect(JSON.parse(json.stdout)).toMatchObject([
			{
				name: "db.1",
				address: "fd00::1",
				login: { kind: "agent", socket: expect.stringMatching(/^\/.*\/agent\.sock$/) },
				hostKeys: { kind: "known-hosts", file: expect.stringMatching(/^\/.*\/known$/) },
				reach: "tunnel",
				scopes: ["variables:read", "input:read"],
				namespaces: ["a", "b"],
				shared: true,
				limits: { maxWallTimeMs: 120_000 },
				directory: "/srv/runs",
				pinsAddress: true,
			},
		]);
		expect(table.stdout).toMatch(
			/^NAME +ADDRESS +LOGIN +KNOWN BY +NAMESPACES +REACH +TAGS\ndb\.1 +cronium@fd00::1 port 22 +agent /,
		);
	});

	test.each<[string, readonly string[], string]>([
		["without an account", ["web1", "10.0.0.5", "--agent", "--fingerprint", "x"], "--user is missing"],
		[
			"without a login",
			["web1", "10.0.0.5", "--user", "a", "--fingerprint", "x"],
			"One of --key, --agent and --agent-socket says",
		],
		[
			"without a key of the host",
			["web1", "10.0.0.5", "--user", "a", "--agent"],
			"One of --fingerprint, --known-hosts and --accept-new-host-key says",
		],
		[
			"with a certificate alone",
			["web1", "10.0.0.5", "--user", "a", "--agent", "--certificate", "c", "--fingerprint", "x"],
			"--certificate needs --key.",
		],
		[
			"with a command in its name",
			["$(id)", "10.0.0.5", "--user", "a", "--agent", "--accept-new-host-key"],
			'The host "$(id)" is not valid',
		],
		["with a command in its address", ["web1", "$(id)", "--user", "a", "--agent", "--accept-new-host-key"], 'address is "$(id)"'],
		[
			"with an unknown limit",
			["web1", "10.0.0.5", "--user", "a", "--agent", "--fingerprint", "x", "--limit", "time=1"],
			'--limit has "time=1"',
		],
	])("a host %s is not added, with exit code 2", async (_how, args, message) => {
		const data = join(createDirectory(), "data");
		expect(await hosts(data, "add", ...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(message) });
	});

	test("a host that does not let in is not added, with exit code 1 and why", async () => {
		const data = join(createDirectory(), "data");
		const refused = await hosts(data, "add", "web1", ...address(), "--accept-new-host-key", ...login("stranger"));
		expect(refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("is not accepted for stranger") });
		expect((await hosts(data, "list", "--json")).stdout).toBe("[]\n");
	});

	test("what a host lacks is said, a line each, with exit code 1", async () => {
		const data = join(createDirectory(), "data");
		// A PATH with nothing but old programs, and a directory that takes nothing.
		programs = join(sshd.directory, "programs");
		mkdirSync(programs);
		for (const [name, version] of [
			["node", "v16.20.2"],
			["bash", "GNU bash, version 4.2.46(2)-release"],
		] as const) {
			writeFileSync(join(programs, name), `#!/bin/sh\necho '${version}'\n`);
			chmodSync(join(programs, name), 0o755);
		}
		for (const name of ["mkdir", "rm", "cat", "uname", "sed"])
			execFileSync("ln", [
				"-s",
				execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(),
				join(programs, name),
			]);
		const poor = await startSshd({
			configuration: [`SetEnv PATH=${programs}`, "AllowStreamLocalForwarding no", "MaxSessions 3"],
		});
		await using _poor = poor;
		const entry = (name: string, directory: string): string =>
			`[hosts.${name}]\naddress = "${poor.address}"\nport = ${poor.port}\nuser = "runner"\nkey = "${poor.keyFile}"\nfingerprints = ["${poor.fingerprint}"]\ndirectory = "${directory}"\n`;
		mkdirSync(data, { mode: 0o700 });
		writeFileSync(join(data, "hosts.toml"), `${entry("poor", "/tmp")}${entry("closed", "/root")}`, { mode: 0o600 });
		const [tested, closed] = await Promise.all([hosts(data, "test", "poor"), hosts(data, "test", "closed", "--json")]);
		expect(tested.code).toBe(1);
		expect(tested.stdout.split("\n\n")[1]?.split("\n").slice(0, 7)).toEqual([
			`node is too old: ${programs}/node is 16.20.2; it is needed for JavaScript and TypeScript, 18.0 or later.`,
			"python3 is missing (no such program is on the PATH of the account's sessions); it is needed for Python, 3.9 or later.",
			`bash is too old: ${programs}/bash is 4.2.46; it is needed for Bash, 4.4 or later.`,
			"curl is missing (no such program is on the PATH of the account's sessions); it is needed for the helpers of Bash scripts.",
			expect.stringContaining("The host does not forward Unix sockets: its sshd needs AllowStreamLocalForwarding yes"),
			"A connection has 3 sessions only; runs need 8: MaxSessions of its sshd is 10 by default.",
			expect.stringContaining("jq is not there"),
		]);
		expect(closed.code).toBe(1);
		expect(JSON.parse(closed.stdout).problems).toContain(
			"No directory can be written: /root takes none; is its disk full, or read-only?",
		);
	});

	test("a login shell of another kind is tested as well, and one that lets nobody in is named", async () => {
		const data = join(createDirectory(), "data");
		mkdirSync(data, { mode: 0o700 });
		const entry = (name: string): string =>
			`[hosts.${name}]\naddress = "${sshd.address}"\nport = ${sshd.port}\nuser = "${name}"\nkey = "${sshd.keyFile}"\nfingerprints = ["${sshd.fingerprint}"]\n`;
		writeFileSync(join(data, "hosts.toml"), `${entry("fisher")}${entry("nobody1")}`, { mode: 0o600 });
		const [fish, nologin] = await Promise.all([hosts(data, "test", "fisher", "--json"), hosts(data, "test", "nobody1")]);
		expect(JSON.parse(fish.stdout)).toMatchObject({ shell: "/usr/bin/fish", directory: "/tmp", problems: [], sessions: 8 });
		expect(nologin).toMatchObject({
			code: 1,
			stdout: expect.stringContaining(
				'has no POSIX shell that answers at /bin/sh; it said "This account is currently not available.',
			),
		});
	});
});
