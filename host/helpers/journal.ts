import { RuntimeError } from "../contract/errors.ts";
import type { Operation } from "../contract/generated/operations.ts";
import type { Answer, CallContext } from "../contract/generated/types.ts";
import { describeLimit } from "../contract/limits.ts";
import type { Execution, Failure } from "../execution.ts";
import type { Opening } from "../executions.ts";
import type { Store, StoreOperation } from "../store/store.ts";
import { CommitQueue } from "./commit-queue.ts";
import type { Effect } from "./effect.ts";
import { type FirstCall, Idempotency } from "./idempotency.ts";
import { CallEntry, errorOutcome, toRuntimeError } from "./journal-entry.ts";
import type { LastAudit, RunAudit } from "./run-audit.ts";
import { requireScope } from "./scope.ts";

/**
 * The journal of one run: every call of a helper in the order of the calls.
 *
 * What is durable is always a prefix of it. Entries wait in memory until an effect (or 256 KiB of them) takes them along: the
 * transaction of an effect writes one segment with all entries up to its own, and is applied only if the run is live and the segment before
 * it is there. So entry n is in the store only together with, or after, entries 1 to n−1, whatever order and number of commits were under
 * way when the run was stopped. An entry may be durable before its outcome: an increment's sum and a read that a remote store has not
 * answered follow as completions. A call that failed or was refused is an entry with an error, carried by the next commit or the end.
 */
export class Journal {
	readonly #execution: Execution;
	readonly #idempotency: Idempotency;
	readonly #queue: CommitQueue;
	readonly #audit: RunAudit | undefined;
	#sequence = 0;
	#bytes = 0;
	#failure: Failure | undefined;
	#ended = false;

	constructor(execution: Execution, store: Store, opening?: Opening, audit?: RunAudit) {
		this.#execution = execution;
		this.#idempotency = new Idempotency(store, execution);
		this.#queue = new CommitQueue(execution, store, opening, audit);
		this.#audit = audit;
	}

	/**
	 * Performs a call that changes nothing in the store, and appends it. `describe` gives the result as JSON.
	 * Throws what is known at once (`cancelled`, `denied`, what `perform` throws); `argumentsText` is the JSON of the arguments.
	 */
	read<T>(
		operation: Operation,
		argumentsText: string,
		call: CallContext,
		perform: () => Answer<T>,
		describe: (value: T) => string,
	): Answer<T> {
		this.#requireOpen();
		const first = this.#admit<T>(operation, argumentsText, call);
		if (first) return first.answer();
		let answer: Answer<T>;
		try {
			answer = perform();
			if (!(answer instanceof Promise)) {
				const outcome = `"result":${describe(answer)}`;
				if (call.idempotencyKey !== undefined)
					this.#idempotency.answered(call.idempotencyKey, operation, argumentsText, this.#sequence + 1, outcome);
				this.#append(operation.id, argumentsText, call, outcome, call.idempotencyKey);
				return answer;
			}
		} catch (error) {
			const problem = toRuntimeError(error);
			this.#append(operation.id, argumentsText, call, errorOutcome(problem));
			throw problem;
		}
		const entry = this.#append(operation.id, argumentsText, call, undefined, call.idempotencyKey);
		const settled = this.#complete(entry, answer, describe);
		if (call.idempotencyKey !== undefined)
			this.#idempotency.underWay(call.idempotencyKey, operation, argumentsText, entry, settled);
		return settled;
	}

	/**
	 * Performs a call that changes the store: in one transaction with its entry, only while the run is live. `prepare` checks the arguments
	 * and gets the sequence of the call. What is known at once is thrown, the rest rejects.
	 */
	effect<T>(operation: Operation, argumentsText: string, call: CallContext, prepare: (sequence: number) => Effect<T>): Answer<T> {
		this.#requireOpen();
		const first = this.#admit<T>(operation, argumentsText, call);
		if (first) return first.answer();
		let effect: Effect<T>;
		try {
			effect = prepare(this.#sequence + 1);
		} catch (error) {
			const problem = toRuntimeError(error);
			this.#append(operation.id, argumentsText, call, errorOutcome(problem));
			throw problem;
		}
		const entry = this.#entry(operation.id, argumentsText, call, undefined, call.idempotencyKey);
		const answer = this.#queue.commit(entry, effect);
		if (call.idempotencyKey !== undefined)
			this.#idempotency.underWay(call.idempotencyKey, operation, argumentsText, entry, answer);
		return answer;
	}

	/**
	 * Appends something that is not a helper of the contract. A RuntimeError as the outcome is recorded as an error.
	 * Nothing happens after the end of the run. `request` is what the audit log is told of it.
	 */
	record(
		operation: string,
		argumentsText: string,
		outcome: string,
		request?: { readonly url: unknown; readonly denied: boolean },
	): void {
		if (this.#ended) return;
		if (request) this.#audit?.fetched({ ...request, sequence: this.#sequence + 1 });
		this.#append(operation, argumentsText, { callId: `${operation}-${this.#sequence + 1}` }, outcome);
	}

	/**
	 * Ends the run: refuses further calls and waits for those under way (those that wait for their turn are refused when the run was
	 * cancelled). `last` is appended as the last call, its operations with it. Returns the operations that write the rest of the journal.
	 */
	async end(last?: LastCall): Promise<JournalEnd> {
		this.#ended = true;
		let operations: readonly StoreOperation[] = [];
		let problem: RuntimeError | undefined;
		const effects: string[] = [];
		if (last) {
			let outcome = '"effect":true,"result":null';
			try {
				this.#requireScope(last.operation);
				operations = last.prepare(this.#sequence + 1);
				if (this.#audit) effects.push(this.#audit.effect(last.operation.id, this.#sequence + 1));
			} catch (error) {
				problem = toRuntimeError(error);
				outcome = errorOutcome(problem);
			}
			this.#append(last.operation.id, last.argumentsText, { callId: "returned" }, outcome);
		}
		await this.#queue.end();
		return {
			operations: [...this.#queue.rest(this.#sequence), ...operations],
			...(problem && { problem }),
			...(this.#audit && { audit: { waiting: this.#audit.end(), effects } }),
		};
	}

	/** Whether the run is in the store. Known after the end. */
	get opened(): boolean {
		return this.#queue.opened;
	}

	/** Set when a call was refused because the journal is full. */
	get failure(): Failure | undefined {
		return this.#failure;
	}

	#requireOpen(): void {
		if (this.#ended) throw new RuntimeError("cancelled", "The run has ended.");
		const { signal, limits } = this.#execution;
		if (signal.aborted)
			throw signal.reason instanceof RuntimeError ? signal.reason : new RuntimeError("cancelled", "The run was cancelled.");
		if (this.#queue.failure) throw this.#queue.failure;
		if (this.#bytes < limits.maxJournalBytes) return;
		const message = `The journal of this run has ${this.#bytes} bytes; the limit maxJournalBytes is ${limits.maxJournalBytes}.`;
		const limit = describeLimit(limits, "maxJournalBytes");
		this.#failure = { code: "journal-exceeded", message, limit };
		throw new RuntimeError("too-large", message, { limit });
	}

	#requireScope(operation: Operation, call?: CallContext): void {
		try {
			requireScope(this.#execution, operation, call);
		} catch (error) {
			this.#audit?.denied(operation, this.#sequence + 1);
			throw error;
		}
	}

	#append(operation: string, argumentsText: string, call: CallContext, outcome?: string, answersKey?: string): CallEntry {
		const entry = this.#entry(operation, argumentsText, call, outcome, answersKey);
		this.#queue.append(entry);
		return entry;
	}

	#entry(operation: string, argumentsText: string, call: CallContext, outcome?: string, answersKey?: string): CallEntry {
		const entry = new CallEntry(++this.#sequence, operation, call, Date.now(), argumentsText, outcome, answersKey);
		this.#bytes += entry.bytes;
		return entry;
	}

	#complete<T>(entry: CallEntry, answer: Promise<T>, describe: (value: T) => string): Promise<T> {
		return answer.then(
			(value) => {
				const outcome = `"result":${describe(value)}`;
				this.#bytes += outcome.length;
				this.#queue.complete(entry, outcome);
				return value;
			},
			(error) => {
				const problem = toRuntimeError(error);
				this.#queue.complete(entry, errorOutcome(problem));
				throw problem;
			},
		);
	}

	/**
	 * Refuses what the caller has no right to, also to repeat. The call that used the idempotency key before, in which case this one is appended as
	 * its repetition.
	 */
	#admit<T>(operation: Operation, argumentsText: string, call: CallContext): FirstCall<T> | undefined {
		try {
			this.#requireScope(operation, call);
			if (call.idempotencyKey === undefined) return undefined;
			const first = this.#idempotency.find<T>(call.idempotencyKey, operation, argumentsText);
			if (first) this.#append(operation.id, argumentsText, call, `"repeats":${first.sequence}`);
			return first;
		} catch (error) {
			const problem = toRuntimeError(error);
			this.#append(operation.id, argumentsText, call, errorOutcome(problem));
			throw problem;
		}
	}
}

/** The value that a script returned, as a call. */
export interface LastCall {
	readonly operation: Operation;
	readonly argumentsText: string;
	readonly prepare: (sequence: number) => readonly StoreOperation[];
}

export interface JournalEnd {
	readonly operations: readonly StoreOperation[];
	/** Why the last call failed. */
	readonly problem?: RuntimeError;
	readonly audit?: LastAudit;
}
