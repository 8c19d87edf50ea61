import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { EngineError } from "./engine-error.ts";

/** Podman's API for as long as it is wanted. */
export interface PodmanService extends AsyncDisposable {
	readonly address: string;
}

const startMs = 15_000;
/** Ends the service also when this process is killed: its standard input ends then. */
const keeper = 'podman "$@" & read -r never; kill $!; wait';

/**
 * Podman runs without a daemon, and listens only when it is told to: this tells it, at a socket of its own, where it is installed. Undefined where it is not. Throws EngineError when it
 * does not come up.
 */
export async function startPodmanService(): Promise<PodmanService | undefined> {
	if (!isInstalled("podman")) return undefined;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const socket = join(directory, "podman.sock");
	const child = spawn("sh", ["-c", keeper, "sh", ...runtimeOption(), "system", "service", "--time=0", `unix://${socket}`], {
		stdio: ["pipe", "ignore", "pipe"],
		// conmon leaves a file there when memory runs out.
		cwd: directory,
		// Ctrl-C is for the run, which needs it to end.
		detached: true,
	});
	opened.defer(() => stop(child));
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		said = (said + text).slice(-1_000);
	});
	for (const end = performance.now() + startMs; !existsSync(socket); await wait(20))
		if (child.exitCode !== null || performance.now() > end)
			throw new EngineError(
				"engine-unreachable",
				`Podman is installed, and \`podman system service\` does not start: ${said.trim()}`,
			);
	const owned = opened.move();
	// Nothing is left running by a process that has nothing else to do.
	child.unref();
	for (const stream of [child.stdin, child.stderr]) (stream as unknown as { unref(): void }).unref();
	return { address: `unix://${socket}`, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** crun refuses machines that have control groups of both versions; runc takes them. */
function runtimeOption(): readonly string[] {
	return existsSync("/sys/fs/cgroup/cgroup.controllers") || !isInstalled("runc") ? [] : ["--runtime", "runc"];
}

const isInstalled = (program: string): boolean => spawnSync("sh", ["-c", 'command -v "$1"', "sh", program]).status === 0;

async function stop(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	child.ref();
	const ended = once(child, "exit");
	child.stdin?.end();
	await ended;
}
