import type { RuntimeError } from "../contract/errors.ts";
import type { Failure, FailureCode } from "../execution.ts";
import type { Bindings } from "./bindings.ts";
import type { GuestExecution, GuestResult, Script, Surroundings } from "./engine.ts";
import { type Completion, type Guest, type GuestHost, GuestStopped, type Handle } from "./guest.ts";
import { describeFailure, describeTrap, limitFailure, ownFrames, refusedImport } from "./guest-failures.ts";
import type { Seed } from "./seed.ts";

/** How a run ended, and whether its instance may serve another one once it has been restored. */
export interface GuestEnd {
	readonly result: GuestResult;
	readonly reusable: boolean;
}

/**
 * Runs a script in a guest that is in its initial state: evaluates the module, calls its default function, and between that lets the guest
 * do its jobs and hands it the answers of the host, until both have settled or the run has to stop.
 */
export async function runGuest(
	guest: Guest,
	script: Script,
	execution: GuestExecution,
	bindings: Bindings,
	stop: Int32Array,
	surroundings: Pick<Surroundings, "seed" | "onPoll">,
): Promise<GuestEnd> {
	const run = new GuestRun(guest, script, execution, bindings, stop, surroundings);
	return run.run();
}

/** What a timer can wait; no maxWallTimeMs is longer. */
const maxTimerMs = 0x7fffffff;
const maxRefusals = 100;
/** Calls of the guest between two looks at the clock, and the length of one that is looked at by itself: reading it takes time. */
const callsPerPoll = 64;
const longCallCharacters = 16 * 1024;

class GuestRun implements GuestHost {
	readonly #guest: Guest;
	readonly #script: Script;
	readonly #execution: GuestExecution;
	readonly #bindings: Bindings;
	readonly #stop: Int32Array;
	readonly #seed: Seed;
	readonly #onPoll: Surroundings["onPoll"];
	/** On the clock of `performance.now()`. */
	readonly #deadline: number;
	readonly #cpuAtStart = cpuTimeMs();
	#callsUntilPoll = callsPerPoll;
	/** Processor time cannot pass faster than time: before this moment there is no need to look. */
	#nextCpuCheck: number;
	#failure: Failure | undefined;
	/** The guest was left in the middle of something. */
	#broken = false;
	/** What the script was told about imports, to know these errors again when they end the run. */
	readonly #refusals = new Set<string>();
	/** Answers that came while the guest was not running, as id and text in turns. */
	#answers: { callId: number; answer: string }[] = [];
	#wake: (() => void) | undefined;
	/** Wakes the run at its deadline. */
	#timer: NodeJS.Timeout | undefined;

	constructor(
		guest: Guest,
		script: Script,
		execution: GuestExecution,
		bindings: Bindings,
		stop: Int32Array,
		{ seed, onPoll }: Pick<Surroundings, "seed" | "onPoll">,
	) {
		this.#guest = guest;
		this.#script = script;
		this.#execution = execution;
		this.#bindings = bindings;
		this.#stop = stop;
		this.#seed = seed;
		this.#onPoll = onPoll;
		const now = performance.now();
		this.#deadline = now + (execution.deadlineAt - Date.now());
		this.#nextCpuCheck = now + execution.limits.maxCpuTimeMs;
	}

	async run(): Promise<GuestEnd> {
		const guest = this.#guest;
		const { signal, limits } = this.#execution;
		const wake = (): void => this.#wake?.();
		guest.host = this;
		this.#bindings.onAnswer = (callId, answer) => {
			this.#answers.push({ callId, answer });
			wake();
		};
		signal.addEventListener("abort", wake, { once: true });
		try {
			guest.setMaxStackBytes(limits.maxStackBytes);
			await this.#runScript();
			this.#checkRejections();
		} catch (error) {
			this.#end(error);
		} finally {
			signal.removeEventListener("abort", wake);
			clearTimeout(this.#timer);
			guest.host = undefined;
		}
		const outstanding = this.#bindings.pending > 0;
		const failure = this.#ownFailure();
		this.#bindings.close();
		const { returned, hostCalls } = this.#bindings;
		const usage = { cpuTimeMs: cpuTimeMs() - this.#cpuAtStart, memoryBytes: guest.memoryBytes, hostCalls };
		const result = { ...(failure ? { failure } : returned !== undefined && { returned }), usage };
		return { result, reusable: !this.#broken && !outstanding };
	}

	call(operation: number, params: string, body: string | undefined): string | number {
		const answer = this.#bindings.call(operation, params, body);
		this.#checkFailure();
		// A script that mostly calls takes few steps of its own, after which the interpreter would poll.
		const characters = params.length + (body?.length ?? 0) + (typeof answer === "string" ? answer.length : 0);
		const isStopped = Atomics.load(this.#stop, 0) !== 0;
		if (--this.#callsUntilPoll <= 0 || characters > longCallCharacters || isStopped) {
			this.#callsUntilPoll = callsPerPoll;
			this.poll();
		}
		return answer;
	}

	poll(): void {
		this.#onPoll?.();
		const cell = Atomics.load(this.#stop, 0);
		if (cell === 1) this.#stopWith(cancelled);
		if (cell === 2) this.#stopWith(limitFailure(this.#execution.limits, "maxWallTimeMs"));
		if (cell === 3) this.#stopWith(limitFailure(this.#execution.limits, "maxCpuTimeMs"));
		const now = performance.now();
		if (now >= this.#deadline) this.#stopWith(limitFailure(this.#execution.limits, "maxWallTimeMs"));
		if (now < this.#nextCpuCheck) return;
		const left = this.#execution.limits.maxCpuTimeMs - (cpuTimeMs() - this.#cpuAtStart);
		if (left <= 0) this.#stopWith(limitFailure(this.#execution.limits, "maxCpuTimeMs"));
		this.#nextCpuCheck = now + left;
	}

	refuseImport(specifier: string): string {
		const message = refusedImport(specifier);
		if (this.#refusals.size < maxRefusals) this.#refusals.add(message);
		return message;
	}

	async #runScript(): Promise<void> {
		const guest = this.#guest;
		this.#checkStop();
		const seed = this.#seed.map((word) => guest.newNumber(word));
		this.#require(guest.call(guest.hooks.begin, seed));
		for (const word of seed) guest.free(word);
		const module = guest.evaluateModule(this.#script.name, this.#script.source);
		if (module.type === "thrown") throw new GuestFailed(this.#describe(module.handle));
		const namespace = module.type === "namespace" ? module.handle : await this.#settled(module.handle);
		const finished = this.#require(guest.call(guest.hooks.finish, [namespace]));
		await this.#settled(finished);
	}

	/** Lets the guest work until `promise` has settled; what it was fulfilled with. */
	async #settled(promise: Handle): Promise<Handle> {
		const guest = this.#guest;
		guest.watch(promise);
		for (;;) {
			this.#runJobs();
			const state = guest.promiseState(promise);
			if (state === "fulfilled") return guest.promiseResult(promise);
			if (state === "rejected") throw new GuestFailed(this.#describe(guest.promiseResult(promise)));
			if (this.#answers.length === 0) {
				this.#checkStop();
				if (this.#bindings.pending === 0) throw new GuestFailed(this.#unsettled());
				await this.#nextAnswer();
			}
			this.#checkStop();
			const answers = this.#answers;
			this.#answers = [];
			for (const { callId, answer } of answers) {
				guest.settle(callId, answer);
				this.#runJobs();
			}
		}
	}

	#runJobs(): void {
		const guest = this.#guest;
		for (;;) {
			const ran = guest.runJob();
			if (ran === false) return;
			if (ran !== true) throw new GuestFailed(this.#describe(ran.handle));
			this.#checkFailure();
		}
	}

	#nextAnswer(): Promise<void> {
		this.#timer ??= setTimeout(
			() => {
				// Timers may fire a little early; the next wait then needs another.
				this.#timer = undefined;
				this.#wake?.();
			},
			Math.min(Math.max(this.#deadline - performance.now(), 0), maxTimerMs),
		);
		return new Promise((resolve) => {
			this.#wake = resolve;
		});
	}

	/** What has to be looked at whenever the guest is about to run. */
	#checkStop(): void {
		const { signal } = this.#execution;
		if (signal.aborted && Atomics.load(this.#stop, 0) === 0) {
			const reason = signal.reason as Partial<RuntimeError> | undefined;
			if (reason?.code !== "timed-out") this.#stopWith(cancelled);
			const name = reason.details?.limit?.name === "maxCpuTimeMs" ? "maxCpuTimeMs" : "maxWallTimeMs";
			this.#stopWith(limitFailure(this.#execution.limits, name));
		}
		this.poll();
		this.#checkFailure();
	}

	#checkFailure(): void {
		const failure = this.#reportedFailure();
		if (failure) this.#stopWith(failure);
	}

	/** Why the bindings say that the run must end: a limit, or an error that the guest has reported. */
	#reportedFailure(): Failure | undefined {
		const { failure, reported } = this.#bindings;
		if (failure || !reported) return failure;
		const described = this.#classify(reported.said);
		const isOutput = reported.code === "invalid-output" && described.code === "script-error";
		return isOutput ? { ...described, code: reported.code } : described;
	}

	#stopWith(failure: Failure): never {
		this.#failure ??= failure;
		throw new GuestStopped();
	}

	#require(completion: Completion): Handle {
		if (completion.type === "value") return completion.handle;
		throw new GuestFailed(this.#describe(completion.handle));
	}

	#checkRejections(): void {
		const rejection = this.#guest.unhandledRejection();
		if (rejection) throw new GuestFailed(this.#describeRejection(rejection.reason));
	}

	#describeRejection(reason: Handle | undefined): Failure {
		if (reason === undefined) return { code: "script-error", message: "Promises were rejected and nobody handled it." };
		return this.#describe(reason);
	}

	/** A rejection that nobody saw is the likelier cause, and says more. */
	#unsettled(): Failure {
		const rejection = this.#guest.unhandledRejection();
		if (rejection) return this.#describeRejection(rejection.reason);
		const message = "The script waits for a promise that nothing can settle any more: no call, timer or job of the run is left.";
		return { code: "never-settled", message };
	}

	/** Runs code of the guest (getters of the error), so it may stop the run for another reason. */
	#describe(thrown: Handle): Failure {
		const guest = this.#guest;
		const completion = guest.call(guest.hooks.describe, [thrown]);
		return this.#classify(completion.type === "value" ? guest.text(completion.handle) : undefined);
	}

	/** The failure that a description by the prelude stands for. */
	#classify(said: string | undefined): Failure {
		const { name: scriptName } = this.#script;
		const failure = describeFailure(said, { scriptName, limits: this.#execution.limits, memory: this.#guest });
		if (this.#refusals.has(failure.message)) return { ...failure, code: "import-error" };
		return failure;
	}

	/** Finds out what ended the run when it was not its own end. Throws what is a fault of the host. */
	#end(error: unknown): void {
		if (error instanceof GuestFailed) {
			this.#failure ??= error.failure;
			return;
		}
		this.#broken = true;
		if (error instanceof GuestStopped) return;
		const failure = describeTrap(error, { limits: this.#execution.limits, memory: this.#guest });
		if (!failure) throw error;
		this.#failure ??= failure;
	}

	/** The failure without frames of files that are not the script's. */
	#ownFailure(): Failure | undefined {
		const failure = this.#failure ?? this.#reportedFailure();
		if (!failure || failure.stack === undefined) return failure;
		const { stack, ...rest } = failure;
		const frames = ownFrames(stack, this.#script.name);
		return frames === "" ? rest : { ...rest, stack: frames };
	}
}

/** Ends a run whose guest is in good order. */
class GuestFailed extends Error {
	readonly failure: Failure;

	constructor(failure: Failure) {
		super(failure.message);
		this.failure = failure;
	}
}

const cancelled: Failure = { code: "cancelled" satisfies FailureCode, message: "The run was cancelled." };

/** Processor time of this thread. */
export function cpuTimeMs(): number {
	const { user, system } = process.threadCpuUsage();
	return (user + system) / 1000;
}
