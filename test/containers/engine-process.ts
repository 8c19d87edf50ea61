import { spawn, spawnSync } from "node:child_process";
import {
	appendFileSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	rmdirSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectEngine } from "../../host/executors/container/engine-client.ts";
import type { EngineKind } from "./engines.ts";

/** An engine of the tests, in a directory of its own; what it has to be told, and what has to be undone, is in files there. */
export interface EngineProcess {
	readonly address: string;
	stop(): Promise<void>;
}

/** The account whose ids containers get. It has no files; a line of `/etc/subuid` is added for the time of the tests when it has none. */
const accounts: Readonly<Record<EngineKind, string>> = { docker: "nobody", podman: "containers" };
const ranges: Readonly<Record<EngineKind, string>> = { docker: "1879048192:65536", podman: "2147483648:1048576" };
const startMs = 60_000;

/** Why this engine cannot be started here; undefined when it can. */
export function engineObstacle(kind: EngineKind): string | undefined {
	if (process.platform !== "linux" || process.getuid?.() !== 0) return `${kind} is started by root on Linux only`;
	const programs = kind === "docker" ? ["dockerd", "containerd", "runc"] : ["podman", "conmon", "runc", "catatonit"];
	const missing = programs.filter((program) => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status !== 0);
	return missing.length > 0 ? `${missing.join(", ")} is not installed` : undefined;
}

/** Starts an engine that has nothing, and waits until it answers. Another process may stop it, by the same directory. */
export async function startEngine(kind: EngineKind, directory: string): Promise<EngineProcess> {
	mkdirSync(directory, { recursive: true, mode: 0o711 });
	const address = `unix://${join(directory, "engine.sock")}`;
	const undo = addIds(accounts[kind], ranges[kind]);
	writeFileSync(join(directory, "undo.json"), JSON.stringify({ kind, undo, key: existsSync(dockerKey) }));
	const log = openSync(join(directory, "log"), "a");
	const [program, ...options] = kind === "docker" ? docker(directory, address) : podman(directory, address);
	const child = spawn(program as string, options, {
		detached: true,
		stdio: ["ignore", log, log],
		cwd: "/",
		env: { PATH: process.env.PATH, HOME: directory, XDG_RUNTIME_DIR: undefined, ...proxies },
	});
	child.unref();
	writeFileSync(join(directory, "pid"), `${child.pid}`);
	const stop = (): Promise<void> => stopEngine(directory);
	for (const end = Date.now() + startMs; ; ) {
		try {
			await using engine = await connectEngine(address);
			await engine.info();
			return { address, stop };
		} catch (cause) {
			if (Date.now() < end && child.exitCode === null) {
				await sleep(50);
				continue;
			}
			const words = readFileSync(join(directory, "log"), "utf8").slice(-2_000);
			await stop();
			throw new Error(`${kind} did not start: ${words}`, { cause });
		}
	}
}

/** Of the engine, which must not hand them on to containers. */
const proxies = { HTTP_PROXY: "http://proxy.invalid:1", http_proxy: "http://proxy.invalid:1", NO_PROXY: "127.0.0.1,localhost" };

const dockerKey = "/etc/docker/key.json";

function docker(directory: string, address: string): readonly string[] {
	return [
		"dockerd",
		...["--bridge=none", "--iptables=false", "--ip6tables=false", `--host=${address}`, "--group=0", "--shutdown-timeout=1"],
		`--userns-remap=${accounts.docker}:nogroup`,
		...["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec"), "--pidfile", join(directory, "own-pid")],
		`--cgroup-parent=/${cgroupName(directory)}`,
	];
}

function podman(directory: string, address: string): readonly string[] {
	return [
		...["podman", "--root", join(directory, "data"), "--runroot", join(directory, "run"), "--tmpdir", join(directory, "tmp")],
		...["--cgroup-manager=cgroupfs", "--runtime=runc", "system", "service", "--time=0", address],
	];
}

const cgroupName = (directory: string): string => `cronium-test-${basename(directory)}`;

/** Stops what `startEngine` has started, and takes away what it and its containers have left: processes, mounts, groups, ids and files. */
export async function stopEngine(directory: string): Promise<void> {
	const pid = Number(readIfThere(join(directory, "pid")));
	await removeContainers(`unix://${join(directory, "engine.sock")}`);
	if (pid > 0) await endProcess(pid);
	for (const path of mountsBelow(directory)) spawnSync("umount", ["-l", path]);
	removeGroups(directory);
	const { undo = [], key = true } = JSON.parse(readIfThere(join(directory, "undo.json")) ?? "{}") as {
		undo?: readonly { readonly file: string; readonly line: string }[];
		key?: boolean;
	};
	for (const { file, line } of undo) {
		const lines = readFileSync(file, "utf8").split("\n");
		writeFileSync(file, lines.filter((one) => one !== line).join("\n"));
	}
	if (!key) rmSync(dockerKey, { force: true });
	rmSync(directory, { recursive: true, force: true });
}

async function removeContainers(address: string): Promise<void> {
	try {
		await using engine = await connectEngine(address);
		for (const { id } of await engine.listContainers({})) await engine.removeContainer(id);
	} catch {
		// It has died, or a test has killed it.
	}
}

async function endProcess(pid: number): Promise<void> {
	const isThere = (): boolean =>
		existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readIfThere(`/proc/${pid}/status`) ?? "State: Z");
	const send = (signal: NodeJS.Signals): void => {
		try {
			process.kill(-pid, signal);
		} catch {
			// It has ended.
		}
	};
	send("SIGTERM");
	for (const end = Date.now() + 20_000; isThere() && Date.now() < end; ) await sleep(20);
	send("SIGKILL");
}

function mountsBelow(directory: string): readonly string[] {
	const points = readFileSync("/proc/self/mountinfo", "utf8")
		.split("\n")
		.map((line) => line.split(" ")[4] ?? "");
	return points.filter((path) => path.startsWith(`${directory}/`)).reverse();
}

function removeGroups(directory: string): void {
	const root = "/sys/fs/cgroup";
	for (const controller of ["", ...readdirSync(root)])
		for (const name of [cgroupName(directory), "libpod_parent"]) {
			try {
				rmdirSync(join(root, controller, name));
			} catch {
				// Not there, or another engine has containers in it.
			}
		}
}

function addIds(account: string, range: string): readonly { readonly file: string; readonly line: string }[] {
	const line = `${account}:${range}`;
	return ["/etc/subuid", "/etc/subgid"].flatMap((file) => {
		const text = readIfThere(file) ?? "";
		if (text.split("\n").some((one) => one.startsWith(`${account}:`))) return [];
		appendFileSync(file, `${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`);
		return [{ file, line }];
	});
}

function readIfThere(path: string): string | undefined {
	return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
