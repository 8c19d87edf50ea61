import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import { sshdObstacle, startSshd, type TestSshd } from "./sshd.ts";
import { testHost, testLimits } from "./test-host.ts";

const obstacle = sshdObstacle();

describe.skipIf(obstacle !== undefined)("host keys", () => {
	let sshd: TestSshd;
	/** Other keys of the same host, by their types. */
	const others: Record<string, { readonly fingerprint: string; readonly line: string }> = {};
	/** A key that the host does not have, of the type of its first one. */
	let foreign: { readonly fingerprint: string; readonly line: string };
	let files = 0;

	beforeAll(async () => {
		sshd = await startSshd({ moreHostKeys: ["ecdsa", "rsa"] });
		for (const type of ["ecdsa", "rsa"]) others[type] = publicKey(`${sshd.directory}/host-key-${type}.pub`);
		const file = join(sshd.directory, "foreign");
		execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
		foreign = publicKey(`${file}.pub`);
	});
	afterAll(() => sshd[Symbol.asyncDispose]());

	const publicKey = (file: string): { fingerprint: string; line: string } => ({
		fingerprint: execFileSync("ssh-keygen", ["-l", "-f", file], { encoding: "utf8" }).split(" ")[1] as string,
		line: readFileSync(file, "utf8").split(" ").slice(0, 2).join(" ").trim(),
	});
	const knownHosts = (text: string): string => {
		files += 1;
		const file = join(sshd.directory, `known-${files}`);
		writeFileSync(file, text);
		return file;
	};
	const shown = async (members: Parameters<typeof testHost>[1]): Promise<string> => {
		await using connection = await openConnection(testHost(sshd, members), { limits: testLimits });
		return connection.hostKey;
	};
	const own = (): string => readFileSync(sshd.knownHostsFile, "utf8").split(" ").slice(1).join(" ").trim();
	const name = (): string => `[${sshd.address}]:${sshd.port}`;

	test("a host is recognised by a pinned fingerprint", async () => {
		expect(await shown({ fingerprints: [sshd.fingerprint] })).toBe(sshd.fingerprint);
		expect(await shown({ fingerprints: [foreign.fingerprint, sshd.fingerprint] })).toBe(sshd.fingerprint);
	});

	test.each(["ecdsa", "rsa"])("a host with several keys is recognised by that of type %s alone", async (type) => {
		const { fingerprint, line } = others[type] as { fingerprint: string; line: string };
		expect(await shown({ fingerprints: [fingerprint] })).toBe(fingerprint);
		expect(await shown({ "known-hosts": knownHosts(`${name()} ${line}\n`) })).toBe(fingerprint);
	});

	test("a host is recognised by every form of known_hosts", async () => {
		const hashed = knownHosts(`${name()} ${own()}\n`);
		execFileSync("ssh-keygen", ["-q", "-H", "-f", hashed], { stdio: "ignore" });
		expect(readFileSync(hashed, "utf8")).toMatch(/^\|1\|/);
		for (const file of [
			hashed,
			knownHosts(`# a comment\n\nnonsense\nother.example,${name()} ${own()} a comment\n`),
			knownHosts(`[127.0.0.*]:${sshd.port} ${own()}\n`),
			knownHosts(`${name()} ${foreign.line}\n${name()} ${own()}\n`),
			knownHosts(`*,!other.example ${own()}\r\n`),
		])
			expect(await shown({ "known-hosts": file }), readFileSync(file, "utf8")).toBe(sshd.fingerprint);
	});

	test("an unknown host is refused, with its fingerprint and what to do", async () => {
		for (const text of [
			"",
			`other.example ${own()}\n`,
			// The port belongs to the name.
			`${sshd.address} ${own()}\n`,
			`[${sshd.address}]:1 ${own()}\n`,
			`*,!${name()} ${own()}\n`,
		])
			await expect(shown({ "known-hosts": knownHosts(text) }), text).rejects.toMatchObject({
				name: "SshError",
				code: "host-key-refused",
				message: expect.stringMatching(
					new RegExp(
						`^web1 \\(.*\\) shows the key ${sshd.fingerprint.replaceAll("+", "\\+")} \\("ssh-ed25519"\\), and .*known-\\d+ knows none of .*cronium hosts add web1 … --fingerprint`,
					),
				),
			});
	});

	test("an authority of hosts is said not to be understood", async () => {
		const file = knownHosts(`@cert-authority * ${foreign.line}\n`);
		await expect(shown({ "known-hosts": file })).rejects.toThrow("knows none of");
		await expect(shown({ "known-hosts": file })).rejects.toThrow(
			"of an authority, whose certificates of hosts are not understood",
		);
	});

	test("another key than the known one is refused, with both fingerprints", async () => {
		const file = knownHosts(`${name()} ${foreign.line}\n`);
		for (const [members, from] of [
			[{ fingerprints: [foreign.fingerprint] }, "hosts.toml"],
			[{ "known-hosts": file }, file],
		] as const) {
			const refusal = shown(members);
			await expect(refusal).rejects.toMatchObject({ code: "host-key-refused" });
			await expect(refusal).rejects.toThrow(`shows the key ${sshd.fingerprint}`);
			await expect(refusal).rejects.toThrow(`known is ${foreign.fingerprint}`);
			await expect(refusal).rejects.toThrow(`from ${from}`);
		}
	});

	test("a revoked key is refused, also where another line knows it", async () => {
		const file = knownHosts(`${name()} ${own()}\n@revoked * ${own()}\n`);
		await expect(shown({ "known-hosts": file })).rejects.toMatchObject({
			code: "host-key-refused",
			message: expect.stringContaining(`shows the key ${sshd.fingerprint}, which is revoked in line 2 of ${file}`),
		});
	});

	test("a file that cannot be read lets nobody in", async () => {
		await expect(shown({ "known-hosts": "/nowhere/known_hosts" })).rejects.toMatchObject({
			code: "host-key-refused",
			message: expect.stringContaining("/nowhere/known_hosts, by which its key is known, cannot be read: ENOENT"),
		});
	});

	test("nothing is shown to a host whose key is refused", async () => {
		const before = sshd.log().length;
		await expect(shown({ fingerprints: [foreign.fingerprint] })).rejects.toThrow();
		expect(sshd.log().slice(before)).not.toMatch(/user runner|publickey|Accepted/);
	});

	test("a host with changed keys is refused, with both fingerprints, until the new ones are pinned", async () => {
		const before = sshd.fingerprint;
		const host = testHost(sshd);
		await sshd.changeHostKeys();
		const refusal = openConnection(host, { limits: testLimits });
		await expect(refusal).rejects.toThrow(`shows the key ${sshd.fingerprint}`);
		await expect(refusal).rejects.toThrow(`known is ${before}`);
		expect(await shown({})).toBe(sshd.fingerprint);
	});
});
