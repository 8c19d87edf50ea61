import { realpathSync } from "node:fs";
import { basename } from "node:path";
import { ChangeWatcher } from "./change-watcher.ts";
import { exitCodes, UsageError } from "./command.ts";
import { DevProcess } from "./dev-process.ts";
import { prepareScript, ScriptError } from "./dev-script.ts";
import { paint, printError } from "./terminal.ts";

/** What is run, and with what. */
export interface DevPlan {
	readonly kind: "javascript" | "python" | "bash";
	/** The absolute path of the script. */
	readonly file: string;
	/** The environment of the script, the stub's settings included: read before each run, because they may be in files. Throws UsageError. */
	readonly readEnvironment: () => Readonly<Record<string, string>>;
	/** Absolute paths of the files in which there are or may be such settings: a change of one is worth a run. */
	readonly stubFiles: readonly string[];
	readonly clear: boolean;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs one script, once or at every save. */
export class DevSession {
	readonly #plan: DevPlan;
	/** What the script was made of when it could last be read. */
	#files: readonly string[] = [];

	constructor(plan: DevPlan) {
		this.#plan = plan;
	}

	/**
	 * Resolves to the exit code of the script; 128 and the signal's number when a signal ended it. A signal is handed on to the script, and a second one
	 * ends it.
	 */
	async runOnce(): Promise<number> {
		const received: NodeJS.Signals[] = [];
		let running: DevProcess | undefined;
		const forward = (signal: NodeJS.Signals): void => {
			received.push(signal);
			running?.signal(received.length > 1 ? "SIGKILL" : signal);
		};
		for (const signal of signals) process.on(signal, forward);
		try {
			const environment = this.#plan.readEnvironment();
			const script = await prepareScript(this.#plan, environment);
			if (received.length > 0) return exitCodes.cancelled;
			running = new DevProcess(script, environment, "inherit");
			const code = await running.ended;
			if (received.length > 0) running.signal("SIGKILL");
			return code;
		} catch (cause) {
			if (!(cause instanceof ScriptError)) throw cause;
			printError(cause.message);
			return exitCodes.failed;
		} finally {
			for (const signal of signals) process.off(signal, forward);
		}
	}

	/** Runs the script now and after every change, until the process is told to end. Resolves to 130. */
	async watch(): Promise<number> {
		const stopping = Promise.withResolvers<void>();
		let isStopping = false;
		const stop = (): void => {
			isStopping = true;
			stopping.resolve();
		};
		for (const signal of signals) process.on(signal, stop);
		using changes = new ChangeWatcher();
		try {
			while (!isStopping) {
				const change = changes.next();
				const cancel = new AbortController();
				const running = this.#runWatched(changes, cancel.signal);
				// A run that has ended is no reason to go on, but one that could not be made is.
				const failure = running.then(() => new Promise<never>(() => undefined));
				try {
					await Promise.race([change, stopping.promise, failure]);
				} finally {
					cancel.abort();
				}
				await running;
			}
			return exitCodes.cancelled;
		} finally {
			for (const signal of signals) process.off(signal, stop);
		}
	}

	/** Resolves when the script has ended. Aborting the signal ends it, or keeps it from being started. */
	async #runWatched(changes: ChangeWatcher, signal: AbortSignal): Promise<void> {
		const { file, stubFiles, clear } = this.#plan;
		if (clear && process.stdout.isTTY) process.stdout.write("\u001b[2J\u001b[3J\u001b[H");
		const startedAt = Date.now();
		const watched = [file, ...realPath(file), ...stubFiles];
		// Before anything is read: a save meanwhile is not missed.
		changes.watch([...watched, ...this.#files]);
		try {
			const environment = this.#plan.readEnvironment();
			const script = await prepareScript(this.#plan, environment);
			this.#files = script.files;
			changes.watch([...watched, ...script.files], startedAt);
			if (signal.aborted) return;
			const running = new DevProcess(script, environment, "ignore");
			let stopped: Promise<void> | undefined;
			signal.addEventListener("abort", () => {
				stopped = running.stop();
			});
			const code = await running.ended;
			await stopped;
			if (signal.aborted) return;
			// What the script has left running would still be there at the next run.
			running.signal("SIGKILL");
			this.#say(code === 0 ? "green" : "red", `ended with ${code}; waiting for a change`);
		} catch (cause) {
			if (!(cause instanceof ScriptError) && !(cause instanceof UsageError)) throw cause;
			if (cause instanceof ScriptError) changes.watch([...watched, ...this.#files, ...cause.files], startedAt);
			if (signal.aborted) return;
			printError(cause.message);
			this.#say("red", "not run; waiting for a change");
		}
	}

	#say(style: "green" | "red", text: string): void {
		process.stderr.write(`${paint(process.stderr, style, `cronium dev: ${basename(this.#plan.file)} ${text}`)}\n`);
	}
}

/** Where a link leads to. */
function realPath(file: string): string[] {
	try {
		return [realpathSync(file)];
	} catch {
		return [];
	}
}
