import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { excerpt } from "../../contract/excerpt.ts";
import { within } from "../../within.ts";
import type { ScriptJob } from "../script-job.ts";
import { type ContainerOptions, containerSpec } from "./container-spec.ts";
import type { ContainerEngine, ContainerStreams } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";
import { encodeCommand, launcher, launcherReady } from "./launcher.ts";
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
	/** Names of containers that could not be removed, because their engine had died: it may be there again. */
	readonly unremoved: Set<string>;
}

/** How a container ended. */
export interface ContainerExit {
	readonly exitCode: number;
	readonly isOutOfMemory: boolean;
}

/** Of a process that was ended by SIGKILL. */
export const killedExitCode = 128 + constants.signals.SIGKILL;
const lookAgainMs = 50;

/** An engine that has not killed a container in this time, or not said that it has ended, hangs: the run does not wait for it. In milliseconds. */
const unheardMs = 10_000;

/** For a shell that says nothing. A machine that is busy takes seconds for one that does. */
const launcherTimeoutMs = 30_000;

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
	/** Rejects when the container was killed and its engine does not say so. */
	readonly #unheard = Promise.withResolvers<never>();
	#hasExited = false;
	#isLost = false;

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
		const exited = engine.waitForExit(parts.id, waiting.signal).then(async (exitCode) => {
			this.#hasExited = true;
			return { exitCode, isOutOfMemory: await this.#isOutOfMemory(exitCode) };
		});
		this.exited = Promise.race([exited, this.#unheard.promise]);
		// An engine that has gone may be there again, and its containers are not.
		this.exited.catch(() => {
			this.#isLost = true;
		});
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
		const container = `cronium-${name}`;
		// By its name: the engine may make it, and not be able to say so.
		opened.defer(() => removeContainer(maker, container));
		const id = await engine.createContainer(container, describeContainer(maker, plan, user, directory, name));
		for (const left of maker.unremoved) void removeContainer(maker, left);
		const streams = opened.use(await engine.attach(id));
		await engine.startContainer(id);
		const [state] = await Promise.all([engine.inspectContainer(id), waitForLauncher(streams)]);
		if (!state?.isRunning)
			throw new EngineError("container-missing", `The container ${container} has ended before it had its script.`);
		const groupId = users.hostGroup(user, state.pid);
		if (groupId !== undefined) giveTo(directory, groupId);
		return new Slot(engine, { id, pid: state.pid, groupId, directory }, streams, opened.move());
	}

	/** Whether it can still have a job. */
	get isWaiting(): boolean {
		return !this.#hasExited && !this.#isLost;
	}

	/** Hands over the job. Throws what the file system says when the files cannot be written. */
	begin({ files, command }: ScriptJob): void {
		for (const [path, contents] of files) {
			const file = join(this.#scriptDirectory, path);
			mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
			writeFileSync(file, contents, { mode: 0o600, flag: "wx" });
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
		// Not awaited: an engine that hangs does not lengthen the grace.
		void this.#engine.killContainer(this.id, "SIGTERM").catch(() => undefined);
		const late = new AbortController();
		const kill = async (): Promise<void> => {
			await sleep(graceMs, undefined, { signal: late.signal });
			await this.kill();
			await sleep(unheardMs, undefined, { signal: late.signal });
			this.#unheard.reject(new EngineError("engine-unreachable", "The engine does not say that the container has ended."));
		};
		kill().catch(() => undefined);
		await this.exited.catch(() => undefined);
		late.abort();
	}

	/** Kills everything in it, without its engine if need be. */
	async kill(): Promise<void> {
		if (this.#hasExited) return;
		const killing = this.#engine.killContainer(this.id, "SIGKILL").then(
			() => true,
			() => false,
		);
		const killed = await within(killing, unheardMs);
		if (!killed) killProcess(this.pid, this.id);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#owned.disposeAsync();
		// Without an engine that removes it, it ends at least.
		if (!this.#hasExited) killProcess(this.pid, this.id);
	}

	/** Engines learn by different ways that a container has ended and that memory was the reason, which may come later. */
	async #isOutOfMemory(exitCode: number): Promise<boolean> {
		for (let looks = exitCode === killedExitCode ? 5 : 1; ; looks -= 1) {
			const state = await this.#engine.inspectContainer(this.id);
			if (!state || state.isOutOfMemory || looks === 1) return state?.isOutOfMemory ?? false;
			await sleep(lookAgainMs);
		}
	}

	#giveFile(file: string, groupId: number): void {
		for (let path = file; path !== this.#scriptDirectory; path = dirname(path)) {
			chownSync(path, -1, groupId);
			// A umask counts for the mode of what is made, not for this.
			chmodSync(path, path === file ? 0o640 : 0o750);
		}
	}
}

/** Removes a container with this name, if there is one, now or with the next that is made. */
export async function removeContainer({ engine, unremoved }: SlotMaker, name: string): Promise<void> {
	try {
		await engine.removeContainer(name);
		unremoved.delete(name);
	} catch {
		unremoved.add(name);
	}
}

/** Waits until the launcher says that it waits. Throws EngineError when something else does, or nothing. */
async function waitForLauncher({ output }: ContainerStreams): Promise<void> {
	const first = await within(output[Symbol.asyncIterator]().next(), launcherTimeoutMs);
	const said = first?.done === false ? first.value.bytes.toString() : "";
	if (said === launcherReady) return;
	throw new EngineError(
		"image-unusable",
		`The image has no shell that works, /bin/sh, which its containers need${said === "" ? "." : `: ${excerpt(said.trim())}`}`,
	);
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
