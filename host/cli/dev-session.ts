import { type ChildProcess, spawn } from "node:child_process";
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { exitCodes } from "./command.ts";
import { type DevScript, prepareScript, ScriptError } from "./dev-script.ts";
import { paint, printError } from "./terminal.ts";

/** What is run, and with what. */
export interface DevPlan {
	readonly kind: "javascript" | "python" | "bash";
	/** The absolute path of the script. */
	readonly file: string;
	/** The environment of the script, the stub's settings included. */
	readonly environment: Readonly<Record<string, string>>;
	/** Files of the stub: a change of one is worth a run. */
	readonly sources: readonly string[];
	readonly clear: boolean;
}

/** Editors write a file in several steps. */
const settleMs = 60;
/** What a script has to end by itself when it is stopped. */
const graceMs = 1_000;

/** Runs one script, once or at every save. */
export class DevSession {
	readonly #plan: DevPlan;
	#child: ChildProcess | undefined;

	constructor(plan: DevPlan) {
		this.#plan = plan;
	}

	/** Resolves to the exit code of the script; 128 and the signal's number when a signal ended it. */
	async runOnce(): Promise<number> {
		const forward = (signal: NodeJS.Signals): void => void this.#child?.kill(signal);
		process.on("SIGINT", forward).on("SIGTERM", forward);
		try {
			const script = await prepareScript(this.#plan);
			return await this.#run(script, false);
		} catch (cause) {
			if (!(cause instanceof ScriptError)) throw cause;
			printError(cause.message);
			return exitCodes.failed;
		} finally {
			process.off("SIGINT", forward).off("SIGTERM", forward);
		}
	}

	/** Runs the script now and after every change, until the process is told to end. Resolves to 130. */
	async watch(): Promise<number> {
		const stopped = Promise.withResolvers<void>();
		const stop = (): void => stopped.resolve();
		process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop);
		const changes = new ChangeWatcher();
		try {
			let isStopped = false;
			void stopped.promise.then(() => {
				isStopped = true;
			});
			while (!isStopped) {
				const changed = changes.next();
				const running = this.#runWatched(changes);
				await Promise.race([changed, stopped.promise]);
				await this.#stop();
				await running;
			}
			return exitCodes.cancelled;
		} finally {
			changes.close();
			await this.#stop();
			process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
		}
	}

	async #runWatched(changes: ChangeWatcher): Promise<void> {
		const { file, sources, clear } = this.#plan;
		if (clear && process.stdout.isTTY) process.stdout.write("\u001b[2J\u001b[3J\u001b[H");
		// Watched before anything is read: a save meanwhile is not missed.
		changes.watch([file, ...sources]);
		try {
			const script = await prepareScript(this.#plan);
			changes.watch([file, ...sources, ...script.files]);
			const code = await this.#run(script, true);
			if (code !== stoppedByUs) this.#say(code === 0 ? "green" : "red", `ended with ${code}; waiting for a change`);
		} catch (cause) {
			if (!(cause instanceof ScriptError)) throw cause;
			if (cause.files.length > 0) changes.watch([file, ...sources, ...cause.files]);
			printError(cause.message);
			this.#say("red", "not run; waiting for a change");
		}
	}

	#say(style: "green" | "red", text: string): void {
		process.stderr.write(`${paint(process.stderr, style, `cronium dev: ${basename(this.#plan.file)} ${text}`)}\n`);
	}

	/** In watch mode in a process group of its own, so that what it starts ends with it; standard input is nobody's then. */
	#run({ program, arguments: given, environment, message }: DevScript, isWatched: boolean): Promise<number> {
		return new Promise((resolve) => {
			const child = spawn(program, given, {
				env: { ...this.#plan.environment, ...environment },
				stdio: [isWatched ? "ignore" : "inherit", "inherit", "inherit", ...(message === undefined ? [] : (["ipc"] as const))],
				detached: isWatched,
			});
			this.#child = child;
			child.on("error", (error: NodeJS.ErrnoException) => {
				printError(
					error.code === "ENOENT" ? `${program} is not installed; this script needs it.` : `${program}: ${error.message}`,
				);
				resolve(exitCodes.hostFailure);
			});
			child.on("close", (code, signal) => {
				const isOurs = this.#stopping.has(child);
				if (isWatched) killGroup(child, "SIGKILL");
				resolve(isOurs ? stoppedByUs : (code ?? 128 + signalNumber(signal)));
			});
			if (message !== undefined) child.send(message, () => undefined);
		});
	}

	readonly #stopping = new WeakSet<ChildProcess>();

	async #stop(): Promise<void> {
		const child = this.#child;
		if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
		this.#stopping.add(child);
		const ended = new Promise((resolve) => child.once("close", resolve));
		killGroup(child, "SIGTERM");
		const timer = setTimeout(killGroup, graceMs, child, "SIGKILL");
		await ended;
		clearTimeout(timer);
	}
}

/** In the place of an exit code: nobody has to be told of it. */
const stoppedByUs = -1;

function killGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
	if (pid === undefined) return;
	try {
		process.kill(-pid, signal);
	} catch {
		// All of them have ended.
	}
}

const signalNumbers: Readonly<Record<string, number>> = {
	SIGHUP: 1,
	SIGINT: 2,
	SIGKILL: 9,
	SIGSEGV: 11,
	SIGPIPE: 13,
	SIGTERM: 15,
};
const signalNumber = (signal: NodeJS.Signals | null): number => signalNumbers[signal ?? ""] ?? 0;

/** Tells when one of some files has changed, come or gone. It watches their directories: editors put a new file in the place of the old one. */
class ChangeWatcher {
	readonly #watchers = new Map<string, FSWatcher>();
	#files = new Map<string, string>();
	#changed = Promise.withResolvers<void>();
	#timer: NodeJS.Timeout | undefined;

	/** Resolves at the next change. */
	next(): Promise<void> {
		this.#changed = Promise.withResolvers<void>();
		return this.#changed.promise;
	}

	/** From now on these files, and no others. */
	watch(files: readonly string[]): void {
		const known = this.#files;
		this.#files = new Map(files.map((file) => [file, known.get(file) ?? describe(file)]));
		const directories = new Set(files.map((file) => dirname(file)));
		for (const [directory, watcher] of this.#watchers)
			if (!directories.has(directory)) {
				watcher.close();
				this.#watchers.delete(directory);
			}
		for (const directory of directories) {
			if (this.#watchers.has(directory)) continue;
			try {
				const watcher = watch(directory, (_event, name) => {
					if (name === null || this.#files.has(join(directory, name))) this.#look();
				});
				// A directory that is removed takes its files along, which is seen when it is back.
				watcher.on("error", () => this.#watchers.delete(directory));
				this.#watchers.set(directory, watcher);
			} catch {
				// There is no such directory now.
			}
		}
	}

	close(): void {
		clearTimeout(this.#timer);
		for (const watcher of this.#watchers.values()) watcher.close();
	}

	/** A little later, when whoever writes is done. A file that is only gone is about to come back. */
	#look(): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			let isChanged = false;
			for (const [file, before] of this.#files) {
				const now = describe(file);
				if (now === before || (now === "" && before !== "")) continue;
				this.#files.set(file, now);
				isChanged = true;
			}
			if (isChanged) this.#changed.resolve();
		}, settleMs);
	}
}

/** What tells one state of a file from another; empty when there is none. */
function describe(file: string): string {
	const found = statSync(file, { throwIfNoEntry: false, bigint: true });
	return found ? `${found.ino}/${found.mtimeNs}/${found.size}` : "";
}
