import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const sshd = "/usr/sbin/sshd";

/** An sshd on loopback, with stock limits, that takes this user's runs. */
export interface BenchSshd extends AsyncDisposable {
	readonly address: string;
	readonly port: number;
	readonly user: string;
	readonly keyFile: string;
	readonly fingerprint: string;
}

/** Starts one in the directory; undefined where there is no sshd. */
export async function startSshd(directory: string): Promise<BenchSshd | undefined> {
	if (!existsSync(sshd)) return undefined;
	const file = (name: string): string => join(directory, name);
	for (const name of ["key", "host-key"])
		execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file(name)]);
	const address = "127.0.0.1";
	const port = await freePort(address);
	await writeFile(
		file("sshd_config"),
		[
			`ListenAddress ${address}:${port}`,
			`HostKey ${file("host-key")}`,
			`AuthorizedKeysFile ${file("key.pub")}`,
			"StrictModes no",
			"PidFile none",
			"PasswordAuthentication no",
			"KbdInteractiveAuthentication no",
			"PermitRootLogin prohibit-password",
			"UsePAM no",
			"",
		].join("\n"),
	);
	const isRoot = process.getuid?.() === 0;
	// What it locks its children into; as root, where none has run yet, it would be missing.
	const program = isRoot ? ["sh", "-c", 'mkdir -p /run/sshd && exec "$@"', "sh", sshd] : [sshd];
	const [name, ...parameters] = [...program, "-D", "-f", file("sshd_config"), "-E", file("sshd.log")];
	const child = spawn(name as string, parameters, { stdio: "ignore" });
	for (const end = Date.now() + 10_000; !(await answers(address, port)); await wait(20))
		if (Date.now() > end || child.exitCode !== null) throw new Error(`sshd has not started; see ${file("sshd.log")}.`);
	const fingerprint = execFileSync("ssh-keygen", ["-l", "-f", file("host-key.pub")], { encoding: "utf8" }).split(
		" ",
	)[1] as string;
	return {
		address,
		port,
		user: userInfo().username,
		keyFile: file("key"),
		fingerprint,
		async [Symbol.asyncDispose]() {
			const closed = once(child, "close");
			child.kill();
			await closed;
		},
	};
}

/** The entry of it in `hosts.toml`. */
export function hostEntry(name: string, { address, port, user, keyFile, fingerprint }: BenchSshd, more = ""): string {
	return `[hosts.${name}]
address = "${address}"
port = ${port}
user = "${user}"
key = "${keyFile}"
fingerprints = ["${fingerprint}"]
max-runs = 100
${more}
`;
}

/** What a client of ssh2 needs to log into it. */
export function loginOf({ address, port, user, keyFile }: BenchSshd) {
	return { host: address, port, username: user, privateKey: readFileSync(keyFile, "utf8") };
}

async function freePort(host: string): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, host, resolve));
	const { port } = server.address() as { readonly port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

function answers(host: string, port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect({ host, port });
		socket.once("data", () => resolve(true));
		socket.once("error", () => resolve(false));
		socket.once("close", () => socket.destroy());
		socket.once("data", () => socket.destroy());
	});
}
