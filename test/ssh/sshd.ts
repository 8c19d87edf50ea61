import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
	chmodSync,
	chownSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** An account of a host for tests. */
export interface RemoteAccount {
	readonly name: string;
	readonly uid: number;
	readonly home: string;
}

/** A real sshd on loopback, with keys, accounts and homes of its own. */
export interface TestSshd extends AsyncDisposable {
	readonly address: string;
	readonly port: number;
	/** Holds everything of it: keys, homes, its log. */
	readonly directory: string;
	/** The account that tests log in as, when they need nothing special of it. */
	readonly account: RemoteAccount;
	readonly accounts: Readonly<Record<string, RemoteAccount>>;
	/** A private key that every account takes (OpenSSH, ed25519). */
	readonly keyFile: string;
	/** The host's public key, as `ssh-keygen -l` shows it: `SHA256:…`. */
	readonly fingerprint: string;
	/** A file with the host's key, as `~/.ssh/known_hosts` has it. */
	readonly knownHostsFile: string;
	/** What sshd has logged. */
	log(): string;
	/** The processes of an account, whatever they have made of themselves: `pid arguments`. */
	processesOf(account: RemoteAccount): readonly string[];
	/** Stops it with all of its connections, as a host that goes down does. */
	stop(): Promise<void>;
	/** Starts it again, on the same port. */
	start(): Promise<void>;
	/** Stops all of its processes without ending them, as a host does that hangs. */
	freeze(): void;
	/** Lets them go on. */
	thaw(): void;
	/** Starts it with other host keys: what somebody in its place would show. */
	changeHostKeys(): Promise<void>;
}

export interface SshdOptions {
	/** Accounts beside `runner`, with their login shells. */
	readonly accounts?: Readonly<Record<string, { readonly shell?: string }>>;
	/** Lines of its configuration, before all others: the first one of each keyword counts. */
	readonly configuration?: readonly string[];
	/** Types of host keys that it has beside the ed25519 one; their files are `host-key-TYPE` in its directory. */
	readonly moreHostKeys?: readonly string[];
	/** A network namespace that it runs in, and its address there. */
	readonly network?: { readonly namespace: string; readonly address: string };
	/** The size of a disk of its own, `disk` in its directory, which everybody can write to. Needs root. */
	readonly diskBytes?: number;
	/** The address that it listens on; another one than `127.0.0.1` is a host of its own for whoever counts by addresses. */
	readonly address?: string;
}

/** Why no sshd can be started here; undefined when one can. As another user than root it has one account: that user's. */
export function sshdObstacle(needsAccounts = false): string | undefined {
	if (process.platform !== "linux") return "sshd is started on Linux only";
	if (!existsSync(sshdPath)) return `${sshdPath} is not installed`;
	if (needsAccounts && process.getuid?.() !== 0) return "accounts of their own need root";
	if (process.getuid?.() === 0 && spawnSync("unshare", ["--mount", "true"]).status !== 0)
		return "root cannot make a mount namespace here";
	return undefined;
}

const sshdPath = "/usr/sbin/sshd";
const firstUid = 1_000_000;
/** Hosts that this process has started: none has the ids of another, whose processes are ended with it. */
let hosts = 0;

/**
 * Starts an sshd. As root it sees accounts of its own: a mount namespace shows it other files in the place of `/etc/passwd` and the like, and nothing of the
 * machine is changed.
 */
export async function startSshd(options: SshdOptions = {}): Promise<TestSshd> {
	const directory = mkdtempSync(join(tmpdir(), "sshd-"));
	// Accounts go through it to their homes.
	chmodSync(directory, 0o755);
	const disk = join(directory, "disk");
	mkdirSync(disk);
	const isRoot = process.getuid?.() === 0;
	const keyFile = join(directory, "key");
	makeKey(keyFile);
	const publicKey = readFileSync(`${keyFile}.pub`, "utf8");
	const hostKeyFile = join(directory, "host-key");
	makeKey(hostKeyFile);
	const otherKeyFiles = (options.moreHostKeys ?? []).map((type) => {
		makeKey(`${hostKeyFile}-${type}`, type);
		return `${hostKeyFile}-${type}`;
	});
	const accounts = isRoot ? makeAccounts(directory, { runner: {}, ...options.accounts }) : ownAccount();
	writeFileSync(join(directory, "authorized-keys"), publicKey, { mode: 0o644 });
	const address = options.network?.address ?? options.address ?? "127.0.0.1";
	const port = options.network ? 22 : await freePort(address);
	const configuration = join(directory, "sshd_config");
	writeFileSync(
		configuration,
		[
			...(options.configuration ?? []),
			`ListenAddress ${address}:${port}`,
			...[hostKeyFile, ...otherKeyFiles].map((file) => `HostKey ${file}`),
			`AuthorizedKeysFile ${join(directory, "authorized-keys")}`,
			"PasswordAuthentication no",
			"KbdInteractiveAuthentication no",
			"UsePAM no",
			"StrictModes no",
			"PidFile none",
			"LogLevel VERBOSE",
			"PrintMotd no",
			"",
		].join("\n"),
	);
	let child: ChildProcess | undefined;
	const log = join(directory, "log");
	const start = async (): Promise<void> => {
		const [program, ...args] = command(directory, configuration, log, isRoot, options);
		// In a session of its own, so that all of it can be ended at once.
		const started = spawn(program as string, args, {
			stdio: "ignore",
			detached: true,
			cwd: "/",
			env: { PATH: process.env.PATH },
		});
		child = started;
		for (const end = Date.now() + 20_000; ; await sleep(10)) {
			if (await answers(address, port, options.network?.namespace)) return;
			if (Date.now() > end || started.exitCode !== null)
				throw new Error(`sshd did not start: ${existsSync(log) ? readFileSync(log, "utf8") : "it said nothing"}`);
		}
	};
	const stop = async (): Promise<void> => {
		const stopped = child;
		child = undefined;
		if (!stopped || stopped.exitCode !== null || stopped.signalCode !== null) return;
		const gone = new Promise((resolve) => stopped.once("close", resolve));
		for (const pid of descendants(stopped.pid as number)) kill(pid);
		await gone;
	};
	const signalAll = (signal: NodeJS.Signals): void => {
		for (const pid of child?.pid === undefined ? [] : descendants(child.pid)) kill(pid, signal);
	};
	const knownHostsFile = join(directory, "known_hosts");
	const host: Omit<TestSshd, typeof Symbol.asyncDispose> = {
		address,
		port,
		directory,
		account: Object.values(accounts)[0] as RemoteAccount,
		accounts,
		keyFile,
		get fingerprint() {
			return execFileSync("ssh-keygen", ["-l", "-f", `${hostKeyFile}.pub`], { encoding: "utf8" }).split(" ")[1] as string;
		},
		knownHostsFile,
		log: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
		processesOf: ({ uid }) => (isRoot ? processes(uid) : []),
		stop,
		start,
		freeze: () => signalAll("SIGSTOP"),
		thaw: () => signalAll("SIGCONT"),
		async changeHostKeys() {
			await stop();
			rmSync(hostKeyFile);
			rmSync(`${hostKeyFile}.pub`);
			makeKey(hostKeyFile);
			await start();
		},
	};
	const [type, key] = readFileSync(`${hostKeyFile}.pub`, "utf8").split(" ");
	writeFileSync(knownHostsFile, `[${address}]:${port} ${type} ${key}\n`);
	const dispose = async (): Promise<void> => {
		await stop();
		if (isRoot) Object.values(accounts).forEach(removeTraces);
		rmSync(directory, { recursive: true, force: true });
	};
	try {
		await start();
	} catch (error) {
		await dispose();
		throw error;
	}
	return Object.assign(Object.defineProperties({}, Object.getOwnPropertyDescriptors(host)) as typeof host, {
		[Symbol.asyncDispose]: dispose,
	});
}

function makeKey(file: string, type = "ed25519"): void {
	execFileSync("ssh-keygen", ["-q", "-t", type, ...(type === "rsa" ? ["-b", "2048"] : []), "-N", "", "-C", "", "-f", file]);
}

function command(
	directory: string,
	configuration: string,
	log: string,
	isRoot: boolean,
	{ network, diskBytes }: SshdOptions,
): readonly string[] {
	const sshd = [sshdPath, "-D", "-f", configuration, "-E", log];
	if (!isRoot) return sshd;
	const mounts = ["passwd", "shadow", "group"].map((name) => `mount --bind "${join(directory, name)}" /etc/${name} &&`);
	if (diskBytes !== undefined) mounts.push(`mount -t tmpfs -o size=${diskBytes},mode=1777 tmpfs "${join(directory, "disk")}" &&`);
	// What sshd locks its children into; there is none where no sshd was ever started.
	const privileges = "mkdir -p /run/sshd &&";
	const inside = ["unshare", "--mount", "sh", "-c", `${privileges} ${mounts.join(" ")} exec "$@"`, "sh", ...sshd];
	return network === undefined ? inside : ["ip", "netns", "exec", network.namespace, ...inside];
}

function makeAccounts(directory: string, wanted: NonNullable<SshdOptions["accounts"]>): Record<string, RemoteAccount> {
	const accounts: Record<string, RemoteAccount> = {};
	const passwd = [readFileSync("/etc/passwd", "utf8").trimEnd()];
	const shadow = [readFileSync("/etc/shadow", "utf8").trimEnd()];
	const group = [readFileSync("/etc/group", "utf8").trimEnd()];
	let uid = firstUid + ((process.pid % 65_536) * 64 + (hosts++ % 64)) * 8;
	for (const [name, { shell = "/bin/bash" }] of Object.entries(wanted)) {
		uid += 1;
		const home = join(directory, "homes", name);
		mkdirSync(home, { recursive: true, mode: 0o755 });
		chownSync(home, uid, uid);
		passwd.push(`${name}:x:${uid}:${uid}::${home}:${shell}`);
		// Not locked; no password is it.
		shadow.push(`${name}:*:19000:0:99999:7:::`);
		group.push(`${name}:x:${uid}:`);
		accounts[name] = { name, uid, home };
	}
	for (const [name, lines, mode] of [
		["passwd", passwd, 0o644],
		["shadow", shadow, 0o600],
		["group", group, 0o644],
	] as const)
		writeFileSync(join(directory, name), `${lines.join("\n")}\n`, { mode });
	return accounts;
}

function ownAccount(): Record<string, RemoteAccount> {
	const { username, uid, homedir } = userInfo();
	return { [username]: { name: username, uid, home: homedir } };
}

/** A port that nobody has for now. */
export async function freePort(host: string): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, host, resolve));
	const { port } = server.address() as { readonly port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

async function answers(host: string, port: number, namespace: string | undefined): Promise<boolean> {
	if (namespace !== undefined)
		return spawnSync("ip", ["netns", "exec", namespace, "ssh-keyscan", "-T", "1", "-p", `${port}`, host]).stdout.length > 0;
	const socket = connect({ host, port });
	try {
		return await new Promise<boolean>((resolve) => {
			socket.once("data", () => resolve(true));
			socket.once("error", () => resolve(false));
			socket.once("close", () => resolve(false));
			socket.setTimeout(2_000, () => resolve(false));
		});
	} finally {
		// A connection that does not log in is one of those that sshd counts.
		socket.destroy();
	}
}

/** Ends what an account has running, and removes what it has in /tmp: where its home takes nothing its runs are there, and those whose host has died stay. */
function removeTraces({ uid }: RemoteAccount): void {
	for (const line of processes(uid)) kill(Number.parseInt(line, 10));
	for (const name of readdirSync(tmpdir())) {
		const path = join(tmpdir(), name);
		if (lstatSync(path, { throwIfNoEntry: false })?.uid === uid) rmSync(path, { recursive: true, force: true });
	}
}

function processes(uid: number): readonly string[] {
	const { stdout } = spawnSync("ps", ["-u", `${uid}`, "-o", "pid=,args="], { encoding: "utf8" });
	return stdout
		.split("\n")
		.map((line) => line.trim())
		.filter((line) => line !== "" && !line.endsWith("<defunct>"));
}

/** A process and all that come from it. */
function descendants(pid: number): readonly number[] {
	const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
	const parents = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
	const found = [pid];
	for (const one of found) for (const [child, parent] of parents) if (parent === one && child !== undefined) found.push(child);
	return found;
}

function kill(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
	try {
		process.kill(pid, signal);
	} catch {
		// It has ended by itself.
	}
}
