import { execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostMembers } from "../../host/executors/ssh/host-entry.ts";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import { sshdObstacle, startSshd, type TestSshd } from "./sshd.ts";
import { testHost, testLimits } from "./test-host.ts";

const obstacle = sshdObstacle();
const keyTypes = ["ed25519", "ecdsa", "rsa"];

describe.skipIf(obstacle !== undefined)("logins", () => {
	let directory: string;
	let sshd: TestSshd;
	const at = (name: string): string => join(directory, name);
	const keygen = (...args: readonly string[]): void => void execFileSync("ssh-keygen", ["-q", ...args], { stdio: "ignore" });
	/** A certificate of the authority that the host trusts, for one of the keys. */
	const certify = (type: string, name: string, ...args: readonly string[]): string => {
		copyFileSync(at(`${type}.pub`), at(`${name}.pub`));
		keygen("-s", at("authority"), "-I", "tests", ...args, at(`${name}.pub`));
		return at(`${name}-cert.pub`);
	};
	/** Who one is on the host. */
	const login = async (members: Partial<HostMembers>): Promise<string> => {
		await using connection = await openConnection(testHost(sshd, members), { limits: testLimits });
		const { stdout, stderr, ended } = await connection.exec("id -un");
		stderr.resume();
		const [name] = await Promise.all([text(stdout), ended]);
		return name.trim();
	};
	const refusal = async (members: Partial<HostMembers>): Promise<string> => {
		const error = await login(members).then(
			(name) => new Error(`${name} is logged in`),
			(cause: Error & { code?: string }) => cause,
		);
		return `${(error as { code?: string }).code}: ${error.message}`;
	};

	beforeAll(async () => {
		directory = mkdtempSync(join(tmpdir(), "logins-"));
		chmodSync(directory, 0o755);
		for (const name of ["authority", "other-authority", ...keyTypes])
			keygen("-t", keyTypes.includes(name) ? name : "ed25519", "-N", "", "-f", at(name));
		chmodSync(at("authority.pub"), 0o644);
		sshd = await startSshd({ configuration: [`TrustedUserCAKeys ${at("authority.pub")}`] });
	});
	afterAll(async () => {
		await sshd[Symbol.asyncDispose]();
		rmSync(directory, { recursive: true, force: true });
	});

	test("a key logs in", async () => {
		expect(await login({})).toBe(sshd.account.name);
	});

	test("a key that the host does not take is refused, and said which", async () => {
		expect(await refusal({ key: at("ed25519") })).toMatch(
			/^host-login-refused: web1 \(.*\) refuses the login: the key .*\/ed25519 \(ssh-ed25519\) is not accepted for .* \(the host offers "publickey"\); the log of its sshd says why\.$/,
		);
		expect(await refusal({ user: "nobody-of-that-name" })).toContain("is not accepted for nobody-of-that-name");
	});

	test.each([0o640, 0o604, 0o660])("a key that others may read is not used (mode %o)", async (mode) => {
		const file = at(`open-${mode}`);
		copyFileSync(sshd.keyFile, file);
		chmodSync(file, mode);
		expect(await refusal({ key: file })).toMatch(
			new RegExp(`^host-login-refused: web1 .*: the key ${file} is open to others \\(mode ${mode.toString(8)}\\); .*chmod 600`),
		);
	});

	test("an encrypted key is refused, and an agent is named as the way", async () => {
		for (const [name, type, ...form] of [
			["encrypted", "ed25519"],
			["encrypted-pem", "ecdsa", "-m", "PEM"],
		] as const) {
			keygen("-t", type, "-N", "hunter2", ...form, "-f", at(name));
			const said = await refusal({ key: at(name) });
			expect(said).toMatch(/^host-login-refused: .* is encrypted\. Load it into an SSH agent \(`ssh-add .*`\) and use that/);
			expect(said).not.toContain("hunter2");
		}
	});

	test("a file that is no key is refused, and nothing of it is said", async () => {
		const file = at("secret");
		writeFileSync(file, "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n", { mode: 0o600 });
		expect(await refusal({ key: file })).toMatch(
			/^host-login-refused: .* holds no private key that can be read \(OpenSSH or PEM; [^)]*\)\.$/,
		);
		chmodSync(at("ed25519.pub"), 0o600);
		expect(await refusal({ key: at("ed25519.pub") })).toContain("holds a public key; the private one logs in.");
		expect(await refusal({ key: at("nothing") })).toContain(`${at("nothing")} cannot be read: ENOENT.`);
		expect(await refusal({ key: directory })).toContain(`${directory} is no file.`);
		execFileSync("mkfifo", [at("pipe")]);
		expect(await refusal({ key: at("pipe") })).toContain("is no file.");
		writeFileSync(at("large"), Buffer.alloc(65_537), { mode: 0o600 });
		expect(await refusal({ key: at("large") })).toContain("has 65537 bytes; a key has at most 65536.");
	});

	test.each(keyTypes)("a certificate for a key of type %s logs in where its authority is trusted", async (type) => {
		const certificate = certify(type, `good-${type}`, "-n", sshd.account.name);
		// The key alone is not known there.
		expect(await refusal({ key: at(type) })).toContain("is not accepted");
		expect(await login({ key: at(type), certificate })).toBe(sshd.account.name);
		expect(sshd.log()).toMatch(new RegExp(`Accepted publickey for ${sshd.account.name} .*-CERT .*ID tests`));
	});

	test("a certificate that the host does not take is refused with whom and how long it is for", async () => {
		const expired = certify("ed25519", "expired", "-n", sshd.account.name, "-V", "20200101000000Z:20200102000000Z");
		expect(await refusal({ key: at("ed25519"), certificate: expired })).toContain(
			`the certificate ${expired} (id "tests", for "${sshd.account.name}", from 2020-01-01T00:00:00.000Z until 2020-01-02T00:00:00.000Z) is not accepted`,
		);
		const others = certify("ed25519", "others", "-n", "alice,bob");
		expect(await refusal({ key: at("ed25519"), certificate: others })).toContain(
			'(id "tests", for "alice", "bob", for ever) is not accepted',
		);
		copyFileSync(at("ed25519.pub"), at("foreign.pub"));
		keygen("-s", at("other-authority"), "-I", "tests", "-n", sshd.account.name, at("foreign.pub"));
		expect(await refusal({ key: at("ed25519"), certificate: at("foreign-cert.pub") })).toContain("is not accepted");
	});

	test("a certificate that cannot be used here is refused before anything is shown", async () => {
		const certificate = certify("ed25519", "mine", "-n", sshd.account.name);
		expect(await refusal({ key: at("rsa"), certificate })).toContain(`the certificate ${certificate} is for another key.`);
		const ofHost = certify("ed25519", "of-host", "-h", "-n", "web1");
		expect(await refusal({ key: at("ed25519"), certificate: ofHost })).toContain("is one of a host, not of a user.");
		expect(await refusal({ key: at("ed25519"), certificate: at("ed25519.pub") })).toContain(
			"holds no certificate for a key of the types",
		);
		const [type, encoded = ""] = readFileSync(certificate, "utf8").split(" ");
		writeFileSync(at("cut-cert.pub"), `${type} ${encoded.slice(0, 120)}`);
		expect(await refusal({ key: at("ed25519"), certificate: at("cut-cert.pub") })).toContain("is damaged.");
	});

	test("a host that wants more than a key is said to", async () => {
		await using strict = await startSshd({
			configuration: ["AuthenticationMethods publickey,keyboard-interactive", "KbdInteractiveAuthentication yes", "UsePAM yes"],
		});
		await expect(openConnection(testHost(strict), { limits: testLimits })).rejects.toMatchObject({
			code: "host-login-refused",
			message: expect.stringContaining(
				'is not enough: the host wants "keyboard-interactive" as well, which a program cannot give',
			),
		});
	});

	describe("an agent", () => {
		let socket: string;
		let agent: ReturnType<typeof spawn>;
		beforeAll(async () => {
			socket = at("agent.sock");
			agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
			await new Promise((resolve) => agent.stdout?.once("data", resolve));
		});
		afterAll(() => void agent.kill());
		const add = (...args: readonly string[]): void =>
			void execFileSync("ssh-add", ["-q", ...args], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: "ignore" });

		test("logs in with whichever of its keys the host takes", async () => {
			expect(await refusal({ agent: socket })).toContain(`what the agent at ${socket} holds is not accepted`);
			add(at("ed25519"));
			add(at("rsa"));
			expect(await refusal({ agent: socket })).toContain("is not accepted");
			add(sshd.keyFile);
			expect(await login({ agent: socket })).toBe(sshd.account.name);
		});

		test("that is not there, or that nothing says the place of, is named", async () => {
			expect(await refusal({ agent: at("no-agent.sock") })).toMatch(
				/^host-login-refused: .*what the agent at .*no-agent\.sock .*The agent said: "Failed to connect to agent"\.$/,
			);
			const before = process.env.SSH_AUTH_SOCK;
			delete process.env.SSH_AUTH_SOCK;
			try {
				expect(await refusal({ agent: true })).toContain("SSH_AUTH_SOCK, which says where it is, is not set");
				process.env.SSH_AUTH_SOCK = socket;
				expect(await login({ agent: true })).toBe(sshd.account.name);
			} finally {
				if (before === undefined) delete process.env.SSH_AUTH_SOCK;
				else process.env.SSH_AUTH_SOCK = before;
			}
		});

		test("that says nothing is not waited for, and not kept", async () => {
			const connections: Socket[] = [];
			const silent = createServer((connection) => connections.push(connection));
			await new Promise<void>((resolve) => silent.listen(at("silent.sock"), resolve));
			const ended = (): readonly Promise<unknown>[] =>
				connections.map((one) => new Promise((resolve) => one.resume().once("close", resolve)));
			await expect(
				openConnection(testHost(sshd, { agent: at("silent.sock") }), { limits: testLimits, timeoutMs: 500 }),
			).rejects.toMatchObject({
				code: "host-unreachable",
				message: expect.stringMatching(/has not said whether it accepts what the agent at .*silent\.sock holds within 500 ms\.$/),
			});
			expect(connections).toHaveLength(1);
			await Promise.all(ended());
			await new Promise((resolve) => silent.close(resolve));
		});
	});
});
