import type { RuntimeError } from "../contract/errors.ts";
import type { Failure, FailureCode } from "../execution.ts";
import type { Bindings } from "./bindings.ts";
import type { GuestExecution, GuestResult, Surroundings } from "./engine.ts";
import { GuestStopped } from "./guest.ts";
import { limitFailure } from "./guest-failures.ts";

/** How a run ended, and whether its instance may serve another one once it has been restored. */
export interface GuestEnd {
	readonly result: GuestResult;
	readonly reusable: boolean;
}

/** What a timer can wait; no maxWallTimeMs is longer. */
const maxTimerMs = 0x7fffffff;
/** Calls of the guest between two looks at the clock, and the length of one that is looked at by itself: reading it takes time. */
const callsPerPoll = 64;
const longCallCharacters = 16 * 1024;

/** An answer that came while the guest was not running. */
export interface LateAnswer {
	readonly callId: number;
	readonly answer: string;
}

/**
 * What every run of a guest has, whatever engine it is in: its calls to the host, the answers that come later, and the reasons to stop it. A run is
 * stopped by `GuestStopped`, thrown through the guest.
 */
export abstract class RunControl {
	protected readonly execution: GuestExecution;
	protected readonly bindings: Bindings;
	/** Why the run was stopped. */
	protected failure: Failure | undefined;
	/** Answers that the guest has not been given yet. */
	protected answers: LateAnswer[] = [];
	readonly #stop: Int32Array;
	readonly #onPoll: Surroundings["onPoll"];
	/** On the clock of `performance.now()`. */
	readonly #deadline: number;
	readonly #cpuAtStart = cpuTimeMs();
	#callsUntilPoll = callsPerPoll;
	/** Processor time cannot pass faster than time: before this moment there is no need to look. */
	#nextCpuCheck: number;
	#wake: (() => void) | undefined;
	/** Wakes the run at its deadline. */
	#timer: NodeJS.Timeout | undefined;

	protected constructor(
		execution: GuestExecution,
		bindings: Bindings,
		stop: Int32Array,
		{ onPoll }: Pick<Surroundings, "onPoll">,
	) {
		this.execution = execution;
		this.bindings = bindings;
		this.#stop = stop;
		this.#onPoll = onPoll;
		const now = performance.now();
		this.#deadline = now + (execution.deadlineAt - Date.now());
		this.#nextCpuCheck = now + execution.limits.maxCpuTimeMs;
	}

	/** Processor time since the run began, in milliseconds. */
	protected get usedCpuTimeMs(): number {
		return cpuTimeMs() - this.#cpuAtStart;
	}

	call(operation: number, params: string, body: string | undefined): string | number {
		const answer = this.bindings.call(operation, params, body);
		this.checkFailure();
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
		if (cell === 1) this.stopWith(cancelled);
		if (cell === 2) this.stopWith(limitFailure(this.execution.limits, "maxWallTimeMs"));
		if (cell === 3) this.stopWith(limitFailure(this.execution.limits, "maxCpuTimeMs"));
		const now = performance.now();
		if (now >= this.#deadline) this.stopWith(limitFailure(this.execution.limits, "maxWallTimeMs"));
		if (now < this.#nextCpuCheck) return;
		const left = this.execution.limits.maxCpuTimeMs - this.usedCpuTimeMs;
		if (left <= 0) this.stopWith(limitFailure(this.execution.limits, "maxCpuTimeMs"));
		this.#nextCpuCheck = now + left;
	}

	/** Takes late answers until `close`, which is called at the end of every run. */
	protected open(): void {
		this.bindings.onAnswer = (callId, answer) => {
			this.answers.push({ callId, answer });
			this.#wake?.();
		};
		this.execution.signal.addEventListener("abort", this.#onAbort, { once: true });
	}

	protected close(): void {
		this.execution.signal.removeEventListener("abort", this.#onAbort);
		clearTimeout(this.#timer);
	}

	readonly #onAbort = (): void => this.#wake?.();

	/** Resolves when there is an answer, or a reason to stop. */
	protected nextAnswer(): Promise<void> {
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
	protected checkStop(): void {
		const { signal } = this.execution;
		if (signal.aborted && Atomics.load(this.#stop, 0) === 0) {
			const reason = signal.reason as Partial<RuntimeError> | undefined;
			if (reason?.code !== "timed-out") this.stopWith(cancelled);
			const name = reason.details?.limit?.name === "maxCpuTimeMs" ? "maxCpuTimeMs" : "maxWallTimeMs";
			this.stopWith(limitFailure(this.execution.limits, name));
		}
		this.poll();
		this.checkFailure();
	}

	protected checkFailure(): void {
		const failure = this.reportedFailure();
		if (failure) this.stopWith(failure);
	}

	/** Why the bindings say that the run must end. */
	protected reportedFailure(): Failure | undefined {
		return this.bindings.failure;
	}

	protected stopWith(failure: Failure): never {
		this.failure ??= failure;
		throw new GuestStopped();
	}
}

const cancelled: Failure = { code: "cancelled" satisfies FailureCode, message: "The run was cancelled." };

/** Processor time of this thread. */
export function cpuTimeMs(): number {
	const { user, system } = process.threadCpuUsage();
	return (user + system) / 1000;
}
