import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { exitCodes } from "./command.ts";
import { type DevScript, ScriptError } from "./dev-script.ts";
import { printError } from "./terminal.ts";

/** What a script has to end by itself when it is stopped. */
const graceMs = 1_000;

/** A script that runs, in a process group of its own: what it has started can be ended with it, and Ctrl-C reaches it once, by way of us. */
export class DevProcess {
	/** Resolves to the exit code; 128 and the signal's number when a signal ended it. */
	readonly ended: Promise<number>;
	readonly #child: ChildProcess;

	/** Throws ScriptError for an environment that no process can have. */
	constructor(
		{ program, arguments: given, environment, message }: DevScript,
		inherited: Readonly<Record<string, string>>,
		stdin: "inherit" | "ignore",
	) {
		const options: SpawnOptions = {
			env: { ...inherited, ...environment },
			stdio: [stdin, "inherit", "inherit", ...(message === undefined ? [] : (["ipc"] as const))],
			detached: true,
		};
		let child: ChildProcess;
		try {
			child = spawn(program, given, options);
		} catch (cause) {
			if ((cause as NodeJS.ErrnoException).code !== "E2BIG") throw cause;
			throw new ScriptError("The variables are too long for --var; put them into cronium.local.json.");
		}
		this.#child = child;
		this.ended = new Promise((resolve) => {
			child.on("error", (error: NodeJS.ErrnoException) => {
				printError(
					error.code === "ENOENT" ? `${program} is not installed; this script needs it.` : `${program}: ${error.message}`,
				);
				resolve(exitCodes.hostFailure);
			});
			child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
		});
		// A process that ends before it has read the message says so by its exit code.
		if (message !== undefined) child.send(message, () => undefined);
	}

	/** Sends a signal to the script and all that it has started. */
	signal(signal: NodeJS.Signals): void {
		const { pid } = this.#child;
		if (pid === undefined) return;
		try {
			process.kill(-pid, signal);
		} catch {
			// All of them have ended.
		}
	}

	/** Ends the script and all that it has started; resolves when the script has ended. */
	async stop(): Promise<void> {
		this.signal("SIGTERM");
		const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
		await this.ended;
		clearTimeout(timer);
		this.signal("SIGKILL");
	}
}
