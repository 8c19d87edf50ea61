import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const sshd = "/usr/sbin/sshd";

/** An sshd on loopback, with stock limits, that takes runs. */
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
	writeFileSync(
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
	const command = [sshd, "-D", "-f", file("sshd_config"), "-E", file("sshd.log")];
	const [name, ...parameters] = isRoot ? asHostOfItsOwn(directory, command) : command;
	const child = spawn(name as string, parameters, { stdio: "ignore" });
	for (const end = Date.now() + 10_000; !(await answers(address, port)); await wait(20))
		if (Date.now() > end || child.exitCode !== null) throw new Error(`sshd has not started; see ${file("sshd.log")}.`);
	const fingerprint = execFileSync("ssh-keygen", ["-l", "-f", file("host-key.pub")], { encoding: "utf8" }).split(
		" ",
	)[1] as string;
	return {
		address,
		port,
		user: isRoot ? account.name : userInfo().username,
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

const account = { name: "bench", id: 61_999 };

/**
 * As root, sshd gets an account of its own, whose shell reads no files of anybody: a mount namespace shows it other files in the place of `/etc/passwd` and
 * `/etc/shadow`, and nothing of the machine is changed.
 */
function asHostOfItsOwn(directory: string, command: readonly string[]): readonly string[] {
	const home = join(directory, "home");
	chmodSync(directory, 0o755);
	mkdirSync(home);
	chownSync(home, account.id, account.id);
	const lines = {
		passwd: `${account.name}:x:${account.id}:${account.id}::${home}:/bin/sh`,
		shadow: `${account.name}:*:19000:0:99999:7:::`,
	};
	for (const [name, line] of Object.entries(lines))
		writeFileSync(join(directory, name), `${readFileSync(`/etc/${name}`, "utf8").trimEnd()}\n${line}\n`, {
			mode: name === "shadow" ? 0o600 : 0o644,
		});
	const mounts = Object.keys(lines).map((name) => `mount --bind "${join(directory, name)}" /etc/${name}`);
	// What sshd locks its children into is missing where none has run yet.
	const script = ["mkdir -p /run/sshd", ...mounts, 'exec "$@"'].join(" && ");
	return ["unshare", "--mount", "sh", "-c", script, "sh", ...command];
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
