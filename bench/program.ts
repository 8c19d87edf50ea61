import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";

/** How long a program may take to end after its standard input has, before it is killed. */
const longestEndMs = 10_000;

/** A process that takes lines on standard input and says lines. */
export class Program implements AsyncDisposable {
	readonly #name: string;
	readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
	readonly #closed: Promise<unknown>;
	readonly #lines: AsyncIterator<string>;
	#errors = "";

	/** @param says the stream with its lines; the end of what is on the other is told when it fails */
	private constructor(name: string, child: ChildProcessByStdio<Writable, Readable, Readable>, says: "stdout" | "stderr") {
		this.#name = name;
		this.#child = child;
		this.#closed = once(child, "close");
		this.#lines = createInterface({ input: child[says] })[Symbol.asyncIterator]();
		child.stdin.on("error", () => undefined);
		child[says === "stdout" ? "stderr" : "stdout"].setEncoding("utf8").on("data", (text: string) => {
			this.#errors = (this.#errors + text).slice(-2_000);
		});
	}

	/** Starts a program with these variables of Cronium and no others; `cwd` is the directory it works in. */
	static start(
		[name, ...parameters]: readonly [string, ...string[]],
		options: {
			readonly cwd: string;
			readonly environment?: Readonly<Record<string, string>>;
			readonly says?: "stdout" | "stderr";
		},
	): Program {
		const child = spawn(name, parameters, {
			cwd: options.cwd,
			env: { ...inheritedEnvironment(), ...options.environment },
			stdio: ["pipe", "pipe", "pipe"],
		});
		return new Program(parameters[0] ?? name, child, options.says ?? "stdout");
	}

	/** Processor time that all of its threads have taken, in microseconds; NaN where the system does not tell. */
	get processorTime(): number {
		if (process.platform !== "linux") return Number.NaN;
		const tasks = `/proc/${this.#child.pid}/task`;
		const nanoseconds = readdirSync(tasks).map((task) =>
			Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ", 1)[0]),
		);
		return nanoseconds.reduce((sum, one) => sum + one, 0) / 1_000;
	}

	get pid(): number {
		return this.#child.pid as number;
	}

	/** The next line that it says. Rejects when it ends instead. */
	async line(): Promise<string> {
		const { value, done } = await this.#lines.next();
		if (done) throw new Error(`${this.#name} has ended (${this.#child.exitCode ?? this.#child.signalCode}): ${this.#errors}`);
		return value;
	}

	/** Says a line to it and waits for its answer. */
	ask(line: string): Promise<string> {
		this.#child.stdin.write(`${line}\n`);
		return this.line();
	}

	/** Ends it by closing its standard input, or by `signal`, and waits until it is gone. */
	async end(signal?: NodeJS.Signals): Promise<void> {
		this.#child.stdin.end();
		if (signal) this.#child.kill(signal);
		const kill = setTimeout(() => this.#child.kill("SIGKILL"), longestEndMs);
		await this.#closed;
		clearTimeout(kill);
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.end();
	}
}

/** Runs a program to its end, with these variables of Cronium and no others, and returns what it prints. Rejects when it fails. */
export async function runProgram(
	[name, ...parameters]: readonly [string, ...string[]],
	{ cwd, environment }: { readonly cwd: string; readonly environment?: Readonly<Record<string, string>> },
): Promise<string> {
	const { stdout } = await promisify(execFile)(name, parameters, { cwd, env: { ...inheritedEnvironment(), ...environment } });
	return stdout;
}

const inheritedEnvironment = (): Record<string, string | undefined> =>
	Object.fromEntries(Object.entries(process.env).filter(([variable]) => !/^(?:CRONIUM_|NODE_OPTIONS$)/.test(variable)));
