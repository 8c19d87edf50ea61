import { StringDecoder } from "node:string_decoder";
import type { Failure } from "../../execution.ts";
import type { Bindings } from "../bindings.ts";
import type { GuestExecution, Script, Surroundings } from "../engine.ts";
import { GuestStopped } from "../guest.ts";
import type { Instance } from "../guest-engine.ts";
import { type GuestEnd, RunControl } from "../run-control.ts";
import { expandSeed } from "../seed.ts";
import { describeAnswer, describeExitCode, describePythonTrap, type PythonEnd } from "./failures.ts";
import type { FileLimits } from "./file-space.ts";
import { type Answered, GuestExited, type PythonGuest, type PythonHost } from "./guest.ts";
import { placeFiles } from "./placed-files.ts";

/** What the host puts there has limits of its own. */
const unlimited: FileLimits = { maxBytes: Number.MAX_SAFE_INTEGER, maxEntries: Number.MAX_SAFE_INTEGER };
/** Files and directories that a run can make. */
const maxScratchFiles = 10_000;

/** An interpreter as an engine keeps it. */
export function toInstance(guest: PythonGuest): Instance {
	return {
		get memoryBytes() {
			return guest.memoryBytes;
		},
		run: (script, execution, bindings, stop, surroundings) =>
			new PythonRun(guest, script, execution, bindings, stop, surroundings).run(),
		restore: () => guest.restore(),
	};
}

/** Runs one script of Python in an interpreter that is in its initial state. */
class PythonRun extends RunControl implements PythonHost {
	readonly seed: Uint8Array;
	readonly #guest: PythonGuest;
	readonly #script: Script;
	readonly #print: Surroundings["print"];
	/** Text may be cut anywhere between two writes. */
	readonly #decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
	/** The interpreter was left in the middle of something. */
	#broken = false;

	constructor(
		guest: PythonGuest,
		script: Script,
		execution: GuestExecution,
		bindings: Bindings,
		stop: Int32Array,
		surroundings: Surroundings,
	) {
		super(execution, bindings, stop, surroundings);
		this.#guest = guest;
		this.#script = script;
		this.#print = surroundings.print;
		this.seed = expandSeed(surroundings.seed);
	}

	async run(): Promise<GuestEnd> {
		const guest = this.#guest;
		guest.host = this;
		this.open();
		let end: PythonEnd = { exitCode: 1 };
		try {
			end = await this.#runScript();
		} catch (error) {
			end = this.#end(error);
		} finally {
			this.close();
			guest.host = undefined;
			this.#flush();
		}
		const outstanding = this.bindings.pending > 0;
		const failure = this.failure ?? this.reportedFailure() ?? end.failure;
		this.bindings.close();
		const { hostCalls } = this.bindings;
		const usage = { cpuTimeMs: this.usedCpuTimeMs, memoryBytes: guest.memoryBytes, hostCalls };
		const result = { ...(failure && { failure }), exitCode: end.exitCode, usage };
		return { result, reusable: !this.#broken && !outstanding };
	}

	wait(block: boolean): Answered | undefined | Promise<Answered | undefined> {
		this.checkStop();
		const answered = this.#nextAnswered();
		if (answered || this.bindings.pending === 0) return answered;
		return block ? this.#waitForAnswer() : this.#turnLoop();
	}

	write(descriptor: 1 | 2, bytes: Uint8Array): void {
		const source = descriptor === 1 ? "stdout" : "stderr";
		const text = this.#decoders[source].write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
		if (text !== "") this.#print(source, text);
	}

	async #runScript(): Promise<PythonEnd> {
		this.checkStop();
		const { files } = this.#guest;
		files.space.allow(unlimited);
		const placed = placeFiles(this.#script, files);
		files.space.allow({ maxBytes: this.execution.limits.maxScratchBytes, maxEntries: maxScratchFiles });
		const answer = await this.#guest.run(JSON.stringify(placed));
		return describeAnswer(answer, this.execution.limits);
	}

	async #waitForAnswer(): Promise<Answered | undefined> {
		for (;;) {
			await this.nextAnswer();
			this.checkStop();
			const answered = this.#nextAnswered();
			if (answered) return answered;
		}
	}

	/** What has come meanwhile is taken although nobody waits for it. */
	async #turnLoop(): Promise<Answered | undefined> {
		await new Promise((resolve) => setImmediate(resolve));
		this.checkStop();
		return this.#nextAnswered();
	}

	#nextAnswered(): Answered | undefined {
		const next = this.answers.shift();
		return next && [next.callId, next.answer];
	}

	/** A character that was never ended is printed as what it is. */
	#flush(): void {
		for (const source of ["stdout", "stderr"] as const) {
			const rest = this.#decoders[source].end();
			if (rest !== "") this.#print(source, rest);
		}
	}

	/** What ended the interpreter when the script did not come to its end. Throws what is a fault of the host. */
	#end(error: unknown): PythonEnd {
		this.#broken = true;
		if (error instanceof GuestStopped) return { exitCode: 1 };
		if (error instanceof GuestExited) return describeExit(error.exitCode);
		const failure = describePythonTrap(error, { limits: this.execution.limits, memory: this.#guest });
		if (!failure) throw error;
		return { exitCode: 1, failure };
	}
}

/** As a shell says that SIGABRT has ended something. */
const abortedExitCode = 134;

function describeExit(exitCode: number | undefined): PythonEnd {
	if (exitCode !== undefined) return describeExitCode(exitCode & 0xff);
	const failure: Failure = { code: "script-error", message: "The script has aborted the interpreter." };
	return { exitCode: abortedExitCode, failure };
}
