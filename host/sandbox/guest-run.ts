import type { Failure } from "../execution.ts";
import type { Bindings } from "./bindings.ts";
import type { GuestExecution, Script, Surroundings } from "./engine.ts";
import { type Completion, type Guest, type GuestHost, GuestStopped, type Handle } from "./guest.ts";
import type { Instance } from "./guest-engine.ts";
import { describeFailure, describeTrap, ownFrames, refusedImport } from "./guest-failures.ts";
import { type GuestEnd, RunControl } from "./run-control.ts";
import type { Seed } from "./seed.ts";

/** A guest as an engine keeps it. */
export function toInstance(guest: Guest): Instance {
	return {
		get memoryBytes() {
			return guest.memoryBytes;
		},
		run: (script, execution, bindings, stop, surroundings) =>
			new GuestRun(guest, script, execution, bindings, stop, surroundings).run(),
		restore: () => void guest.restore(),
	};
}

const maxRefusals = 100;

/**
 * Runs a script in a guest that is in its initial state: evaluates the module, calls its default function, and between that lets the guest
 * do its jobs and hands it the answers of the host, until both have settled or the run has to stop.
 */
class GuestRun extends RunControl implements GuestHost {
	readonly #guest: Guest;
	readonly #script: Script;
	readonly #seed: Seed;
	/** The guest was left in the middle of something. */
	#broken = false;
	/** What the script was told about imports, to know these errors again when they end the run. */
	readonly #refusals = new Set<string>();

	constructor(
		guest: Guest,
		script: Script,
		execution: GuestExecution,
		bindings: Bindings,
		stop: Int32Array,
		surroundings: Pick<Surroundings, "seed" | "onPoll">,
	) {
		super(execution, bindings, stop, surroundings);
		this.#guest = guest;
		this.#script = script;
		this.#seed = surroundings.seed;
	}

	async run(): Promise<GuestEnd> {
		const guest = this.#guest;
		guest.host = this;
		this.open();
		try {
			guest.setMaxStackBytes(this.execution.limits.maxStackBytes);
			await this.#runScript();
			this.#checkRejections();
		} catch (error) {
			this.#end(error);
		} finally {
			this.close();
			guest.host = undefined;
		}
		const outstanding = this.bindings.pending > 0;
		const failure = this.#ownFailure();
		this.bindings.close();
		const { returned, hostCalls } = this.bindings;
		const usage = { cpuTimeMs: this.usedCpuTimeMs, memoryBytes: guest.memoryBytes, hostCalls };
		const result = { ...(failure ? { failure } : returned !== undefined && { returned }), usage };
		return { result, reusable: !this.#broken && !outstanding };
	}

	refuseImport(specifier: string): string {
		const message = refusedImport(specifier);
		if (this.#refusals.size < maxRefusals) this.#refusals.add(message);
		return message;
	}

	async #runScript(): Promise<void> {
		const guest = this.#guest;
		this.checkStop();
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
			if (this.answers.length === 0) {
				this.checkStop();
				if (this.bindings.pending === 0) throw new GuestFailed(this.#unsettled());
				await this.nextAnswer();
			}
			this.checkStop();
			const answers = this.answers;
			this.answers = [];
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
			this.checkFailure();
		}
	}

	/** Why the bindings say that the run must end: a limit, or an error that the guest has reported. */
	protected override reportedFailure(): Failure | undefined {
		const { failure, reported } = this.bindings;
		if (failure || !reported) return failure;
		const described = this.#classify(reported.said);
		const isOutput = reported.code === "invalid-output" && described.code === "script-error";
		return isOutput ? { ...described, code: reported.code } : described;
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
		const failure = describeFailure(said, { scriptName, limits: this.execution.limits, memory: this.#guest });
		if (this.#refusals.has(failure.message)) return { ...failure, code: "import-error" };
		return failure;
	}

	/** Finds out what ended the run when it was not its own end. Throws what is a fault of the host. */
	#end(error: unknown): void {
		if (error instanceof GuestFailed) {
			this.failure ??= error.failure;
			return;
		}
		this.#broken = true;
		if (error instanceof GuestStopped) return;
		const failure = describeTrap(error, { limits: this.execution.limits, memory: this.#guest });
		if (!failure) throw error;
		this.failure ??= failure;
	}

	/** The failure without frames of files that are not the script's. */
	#ownFailure(): Failure | undefined {
		const failure = this.failure ?? this.reportedFailure();
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
