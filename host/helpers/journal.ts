import { RuntimeError } from "../contract/errors.ts";
import type { Operation } from "../contract/generated/operations.ts";
import type { Answer, CallContext } from "../contract/generated/types.ts";
import { utf8Length } from "../contract/json-text.ts";
import { describeLimit } from "../contract/limits.ts";
import type { Execution, Failure } from "../execution.ts";
import type { CommitResult, Store, StoreCheck, StoreOperation } from "../store/store.ts";
import { CommitQueue } from "./commit-queue.ts";
import { Idempotency } from "./idempotency.ts";
import { errorOutcome, JournalEntry, toRuntimeError } from "./journal-entry.ts";
import { requireScope } from "./scope.ts";

/** What a call changes. */
export interface Effect<T> {
	readonly checks?: readonly StoreCheck[];
	readonly operations: readonly StoreOperation[];
	/** The result as JSON, when it is known before the commit and is not the version. */
	readonly result?: string;
	/** The result as JSON, when only the commit can tell: a later segment carries it. */
	readonly completion?: (commit: Committed) => string;
	/** What the caller gets. */
	readonly committed: (commit: Committed) => T;
	/** What the caller gets when a check (by its index in `checks`) or an operation (an increment) failed: returned or thrown. */
	readonly refused?: (refusal: Refused) => T;
	/** For `refused` that returns: the result as JSON. */
	readonly refusedResult?: string;
}

export type Committed = Extract<CommitResult, { committed: true }>;
export type Refused = Extract<CommitResult, { committed: false }>;

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
	#sequence = 0;
	#bytes = 0;
	#failure: Failure | undefined;
	#ended: RuntimeError | undefined;

	constructor(execution: Execution, store: Store) {
		this.#execution = execution;
		this.#idempotency = new Idempotency(store, execution);
		this.#queue = new CommitQueue(execution, store);
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
		if (call.idempotencyKey !== undefined) {
			const repeated = this.#repeat<T>(operation, argumentsText, call);
			if (repeated) return repeated;
		}
		let answer: Answer<T>;
		let entry: JournalEntry | undefined;
		try {
			requireScope(this.#execution, operation);
			answer = perform();
			if (!(answer instanceof Promise)) {
				const outcome = `"result":${describe(answer)}`;
				entry = this.#append(operation.id, argumentsText, call, outcome);
				if (call.idempotencyKey !== undefined) this.#idempotency.answered(call.idempotencyKey, operation, argumentsText, entry, outcome);
				return answer;
			}
		} catch (error) {
			const problem = toRuntimeError(error);
			this.#append(operation.id, argumentsText, call, errorOutcome(problem));
			throw problem;
		}
		return this.#answerLater(this.#append(operation.id, argumentsText, call), operation, argumentsText, call, answer, describe);
	}

	/**
	 * Performs a call that changes the store: in one transaction with its entry, only while the run is live. `prepare` checks the arguments
	 * and gets the sequence of the call. What is known at once is thrown, the rest rejects.
	 */
	effect<T>(
		operation: Operation,
		argumentsText: string,
		call: CallContext,
		prepare: (sequence: number) => Effect<T>,
	): Answer<T> {
		this.#requireOpen();
		if (call.idempotencyKey !== undefined) {
			const repeated = this.#repeat<T>(operation, argumentsText, call);
			if (repeated) return repeated;
		}
		let effect: Effect<T>;
		try {
			requireScope(this.#execution, operation);
			effect = prepare(this.#sequence + 1);
		} catch (error) {
			const problem = toRuntimeError(error);
			this.#append(operation.id, argumentsText, call, errorOutcome(problem));
			throw problem;
		}
		const entry = this.#append(operation.id, argumentsText, call);
		const answer = this.#queue.commit(entry, effect);
		if (call.idempotencyKey !== undefined) this.#idempotency.underWay(call.idempotencyKey, operation, argumentsText, entry, answer);
		return answer;
	}

	/**
	 * Appends something that is not a helper of the contract. A RuntimeError as the outcome is recorded as an error.
	 * Nothing happens after the end of the run.
	 */
	record(operation: string, argumentsText: string, outcome: string): void {
		if (this.#ended) return;
		this.#append(operation, argumentsText, { callId: `${operation}-${this.#sequence + 1}` }, outcome);
	}

	/**
	 * Ends the run: refuses further calls and waits for those under way (those that wait for their turn are refused when the run was
	 * cancelled). `last` is appended as the last call, its operations with it. Returns the operations that write the rest of the journal.
	 */
	async end(last: {
		readonly operation: Operation;
		readonly argumentsText: string;
		readonly prepare: (sequence: number) => readonly StoreOperation[];
	} | undefined): Promise<readonly StoreOperation[]> {
		this.#ended ??= new RuntimeError("cancelled", "The run has ended.");
		let operations: readonly StoreOperation[] = [];
		if (last) {
			const call = { callId: "returned" };
			try {
				requireScope(this.#execution, last.operation);
				operations = last.prepare(this.#sequence + 1);
				this.#append(last.operation.id, last.argumentsText, call, '"effect":true,"result":null');
			} catch (error) {
				this.#append(last.operation.id, last.argumentsText, call, errorOutcome(toRuntimeError(error)));
				await this.#queue.end();
				throw new EndError(toRuntimeError(error), this.#queue.rest(this.#sequence));
			}
		}
		await this.#queue.end();
		return [...this.#queue.rest(this.#sequence), ...operations];
	}

	/** Set when a call was refused because the journal is full. */
	get failure(): Failure | undefined {
		return this.#failure;
	}

	#requireOpen(): void {
		if (this.#ended) throw this.#ended;
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

	#append(operation: string, argumentsText: string, call: CallContext, outcome?: string): JournalEntry {
		const entry = new JournalEntry(++this.#sequence, operation, call, Date.now(), argumentsText);
		if (outcome !== undefined) entry.outcome = outcome;
		// What follows an entry later (a version, a sum, an error) is short.
		const bytes = utf8Length(entry.text);
		this.#bytes += bytes;
		this.#queue.append(entry, bytes);
		return entry;
	}

	#answerLater<T>(
		entry: JournalEntry,
		operation: Operation,
		argumentsText: string,
		call: CallContext,
		answer: Promise<T>,
		describe: (value: T) => string,
	): Promise<T> {
		const settled = answer.then(
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
		if (call.idempotencyKey !== undefined) this.#idempotency.underWay(call.idempotencyKey, operation, argumentsText, entry, settled);
		return settled;
	}

	/** The answer to a call whose idempotency key was used before; undefined for a new key. */
	#repeat<T>(operation: Operation, argumentsText: string, call: CallContext): Answer<T> | undefined {
		try {
			const first = this.#idempotency.find<T>(call.idempotencyKey as string, operation, argumentsText);
			if (!first) return undefined;
			this.#append(operation.id, argumentsText, { ...call }, `"repeats":${first.sequence}`);
			return first.answer();
		} catch (error) {
			const problem = toRuntimeError(error);
			this.#append(operation.id, argumentsText, call, errorOutcome(problem));
			throw problem;
		}
	}
}

/** The last call of a run failed; the rest of the journal is to be written all the same. */
export class EndError extends Error {
	readonly problem: RuntimeError;
	readonly operations: readonly StoreOperation[];

	constructor(problem: RuntimeError, operations: readonly StoreOperation[]) {
		super(problem.message);
		this.problem = problem;
		this.operations = operations;
	}
}
