import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ContainerJob } from "./container-script.ts";
import { type ContainerOptions, containerSpec } from "./container-spec.ts";
import type { ContainerEngine, ContainerStreams } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";
import { encodeCommand, launcher } from "./launcher.ts";
import type { RunUser, RunUsers } from "./run-users.ts";
import { containerLabels, slotName } from "./sweep.ts";

/** What a container is made of. The image is an id: what a name stands for may change. */
export type SlotPlan = Pick<ContainerOptions, "image" | "limits" | "environment" | "network">;

/** What all containers of a host have in common. */
export interface SlotMaker extends Pick<ContainerOptions, "labels" | "userNamespace" | "seccomp" | "hosts"> {
	readonly engine: ContainerEngine;
	readonly users: RunUsers;
	/** Where each container gets a directory of its own. */
	readonly directory: string;
	readonly hostId: string;
}

/** How a container ended. */
export interface ContainerExit {
	readonly exitCode: number;
	readonly isOutOfMemory: boolean;
}

/** Said of a container that does not end: it is asked for the last of its output this long, in milliseconds. */
const lastOutputMs = 2_000;

/**
 * A started container that waits for its one job, and its directory, of which it sees two parts: `door`, for the socket and the credentials of its run, and
 * `script`. Dispose of it, and nothing of either is left.
 */
export class Slot implements AsyncDisposable {
	readonly id: string;
	/** As the machine of the engine sees it. */
	readonly pid: number;
	/** Where the run's door belongs. */
	readonly doorDirectory: string;
	/** Of files that the container is to read; undefined when they stay the host's own. */
	readonly groupId: number | undefined;
	/** Resolves when the container has ended; rejects when the engine has gone. */
	readonly exited: Promise<ContainerExit>;
	readonly #engine: ContainerEngine;
	readonly #streams: ContainerStreams;
	readonly #scriptDirectory: string;
	readonly #owned: AsyncDisposableStack;
	#hasExited = false;

	private constructor(
		engine: ContainerEngine,
		parts: Pick<Slot, "id" | "pid" | "groupId"> & { readonly directory: string },
		streams: ContainerStreams,
		owned: AsyncDisposableStack,
	) {
		this.id = parts.id;
		this.pid = parts.pid;
		this.groupId = parts.groupId;
		this.doorDirectory = join(parts.directory, "door");
		this.#scriptDirectory = join(parts.directory, "script");
		this.#engine = engine;
		this.#streams = streams;
		this.#owned = owned;
		const waiting = new AbortController();
		owned.defer(() => waiting.abort(new EngineError("container-missing", "The container was removed.")));
		this.exited = engine.waitForExit(parts.id, waiting.signal).then(async (exitCode) => {
			this.#hasExited = true;
			return { exitCode, isOutOfMemory: (await engine.inspectContainer(parts.id))?.isOutOfMemory ?? false };
		});
		this.exited.catch(() => undefined);
	}

	/** Makes and starts a container. Throws EngineError, and leaves nothing then. */
	static async prepare(maker: SlotMaker, plan: SlotPlan): Promise<Slot> {
		const { engine, users } = maker;
		await using opened = new AsyncDisposableStack();
		const name = slotName(maker.hostId, randomBytes(4).toString("hex"));
		const directory = join(maker.directory, name);
		const user = opened.use(users.take());
		makeDirectories(directory);
		opened.defer(() => rmSync(directory, { recursive: true, force: true }));
		const id = await engine.createContainer(`cronium-${name}`, describeContainer(maker, plan, user, directory, name));
		opened.defer(() => engine.removeContainer(id).catch(() => undefined));
		const streams = opened.use(await engine.attach(id));
		await engine.startContainer(id);
		const state = await engine.inspectContainer(id);
		if (!state?.isRunning)
			throw new EngineError(
				"engine-error",
				`The container ended before it had its script, with exit code ${state?.exitCode ?? "unknown"}: its image needs a shell, /bin/sh.`,
			);
		const groupId = users.hostGroup(user, state.pid);
		if (groupId !== undefined) giveTo(directory, groupId);
		return new Slot(engine, { id, pid: state.pid, groupId, directory }, streams, opened.move());
	}

	/** Whether it can still have a job. */
	get isWaiting(): boolean {
		return !this.#hasExited;
	}

	/** Hands over the job. Throws what the file system says when the files cannot be written. */
	begin({ files, command }: ContainerJob): void {
		for (const [path, contents] of files) {
			const file = join(this.#scriptDirectory, path);
			mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
			writeFileSync(file, contents, { mode: 0o640, flag: "wx" });
			if (this.groupId !== undefined) this.#giveFile(file, this.groupId);
		}
		const input: Writable = this.#streams.input;
		// What is wrong with the connection shows at its other end.
		input.on("error", () => undefined);
		// Not ended: its end is that of this process.
		input.write(encodeCommand(command));
	}

	/** What the container prints, until it has ended. `take` says whether it wants more: what comes then is read, so that the script goes on, and left. */
	async print(take: (source: "stdout" | "stderr", text: string) => boolean): Promise<void> {
		const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
		let isWanted = true;
		try {
			for await (const { source, bytes } of this.#streams.output) {
				if (isWanted) isWanted = take(source, decoders[source].decode(bytes, { stream: true }));
				// Gigabytes that nobody wants do not keep the thread from its other work.
				else await nextTurn();
			}
		} catch (cause) {
			// The end of an engine shows at `exited`, too.
			if (!(cause instanceof EngineError) && (cause as NodeJS.ErrnoException).code === undefined) throw cause;
		}
		if (isWanted) for (const source of ["stdout", "stderr"] as const) take(source, decoders[source].decode());
	}

	/** Ends what runs in it: SIGTERM, and SIGKILL for what is left after `graceMs`. Resolves when it has ended, or cannot be told to. */
	async stop(graceMs: number): Promise<void> {
		if (this.#hasExited) return;
		await this.#engine.killContainer(this.id, "SIGTERM").catch(() => undefined);
		const timer = setTimeout(() => void this.kill(), graceMs);
		await this.exited.catch(() => undefined);
		clearTimeout(timer);
	}

	/** Kills everything in it, without its engine if need be. */
	async kill(): Promise<void> {
		if (this.#hasExited) return;
		try {
			await this.#engine.killContainer(this.id, "SIGKILL");
		} catch {
			killProcess(this.pid, this.id);
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#owned.disposeAsync();
		// Without an engine that removes it, it ends at least.
		if (!this.#hasExited) killProcess(this.pid, this.id);
	}

	#giveFile(file: string, groupId: number): void {
		for (let path = file; path !== this.#scriptDirectory; path = dirname(path)) chownSync(path, -1, groupId);
	}
}

/** The rest of what a container has printed when it has ended; no longer than the engine takes to say it. */
export function lastOutput(printing: Promise<void>): Promise<void> {
	let timer: NodeJS.Timeout | undefined;
	const late = new Promise<void>((resolve) => {
		timer = setTimeout(resolve, lastOutputMs);
	});
	return Promise.race([printing, late]).finally(() => clearTimeout(timer));
}

function describeContainer(maker: SlotMaker, plan: SlotPlan, user: RunUser, directory: string, name: string): object {
	const { engine, labels, userNamespace, seccomp, hosts } = maker;
	return containerSpec(engine, {
		...plan,
		userNamespace,
		seccomp,
		...(hosts !== undefined && { hosts }),
		user: { uid: user.uid, gid: user.gid },
		door: join(directory, "door"),
		script: join(directory, "script"),
		command: ["/bin/sh", "-c", launcher],
		labels: { ...labels, [containerLabels.slot]: name },
	});
}

/** Nobody but the host gets into the directory; what is bound into the container is opened for its group once that is known. */
function makeDirectories(directory: string): void {
	mkdirSync(dirname(directory), { recursive: true, mode: 0o700 });
	for (const path of [directory, join(directory, "door"), join(directory, "script")]) mkdirSync(path, { mode: 0o700 });
}

function giveTo(directory: string, groupId: number): void {
	for (const [name, mode] of [
		["door", 0o710],
		["script", 0o750],
	] as const) {
		const path = join(directory, name);
		chownSync(path, -1, groupId);
		chmodSync(path, mode);
	}
}

/** Kills the first process of a container, and with it all others, when its engine cannot; a process that has got its number since is not meant. */
function killProcess(pid: number, container: string): void {
	if (pid <= 1) return;
	try {
		if (readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(container)) process.kill(pid, "SIGKILL");
	} catch {
		// It is gone, or not ours to kill.
	}
}
