import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContainerEngine, connectEngine } from "../../host/executors/container/engine-client.ts";
import type { EngineKind } from "../containers/engines.ts";

/** Whether tests can start this engine here: as root, with its programs. */
export const canStart = (kind: EngineKind): boolean =>
	process.getuid?.() === 0 && (kind === "docker" ? ["dockerd", "runc"] : ["podman", "runc"]).every(isInstalled);

const isInstalled = (program: string): boolean => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;

export interface TestEngine extends AsyncDisposable {
	readonly engine: ContainerEngine;
}

/** Starts an engine of its own, with everything in a directory that goes with it. It has no network. */
export async function startEngine(kind: EngineKind): Promise<TestEngine> {
	// Not the prefix of a host's directories, and short: paths of sockets have at most 107 bytes.
	const directory = mkdtempSync(join(tmpdir(), "engine-"));
	const place = (name: string): string => join(directory, name);
	const address = `unix://${place("socket")}`;
	const [program, ...options]: [string, ...string[]] =
		kind === "docker"
			? [
					"dockerd",
					...["--bridge=none", "--iptables=false", "--ip6tables=false", "-H", address],
					...["--data-root", place("data"), "--exec-root", place("exec"), "--pidfile", place("pid")],
				]
			: [
					"podman",
					"--root",
					place("data"),
					"--runroot",
					place("run"),
					"--runtime",
					"runc",
					"system",
					"service",
					"--time=0",
					address,
				];
	const child = spawn(program, options, { stdio: ["ignore", "ignore", "pipe"] });
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		said = (said + text).slice(-4_000);
	});
	const dispose = async (): Promise<void> => {
		await stop(child);
		for (const mounted of mountsBelow(directory)) spawnSync("umount", ["--lazy", mounted]);
		// What Podman started to clean up after a container may still be at it.
		rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
	};
	try {
		const engine = await connect(address, child);
		return {
			engine,
			[Symbol.asyncDispose]: async () => {
				await engine[Symbol.asyncDispose]();
				await dispose();
			},
		};
	} catch (cause) {
		await dispose();
		throw new Error(`${kind} did not start: ${said}`, { cause });
	}
}

/** What is mounted there, the last first. */
const mountsBelow = (directory: string): readonly string[] =>
	readFileSync("/proc/self/mountinfo", "utf8")
		.split("\n")
		.map((line) => line.split(" ")[4] ?? "")
		.filter((mounted) => mounted.startsWith(`${directory}/`))
		.reverse();

async function connect(address: string, child: ChildProcess): Promise<ContainerEngine> {
	for (;;) {
		try {
			return await connectEngine(address);
		} catch (cause) {
			if (child.exitCode !== null || child.signalCode !== null) throw cause;
			await sleep(50);
		}
	}
}

async function stop(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
}
