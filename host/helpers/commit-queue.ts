import { type Answered, accountOf, requireRoom } from "../account.ts";
import { RuntimeError } from "../contract/errors.ts";
import type { Execution } from "../execution.ts";
import type { Opening } from "../executions.ts";
import { layout } from "../layout.ts";
import type { CommitResult, Store, StoreAccount, StoreCheck, StoreOperation } from "../store/store.ts";
import type { Effect, Refused } from "./effect.ts";
import { type CallEntry, errorOutcome, toRuntimeError } from "./journal-entry.ts";
import type { RunAudit } from "./run-audit.ts";

/**
 * Commits the effects of one run in the order of its calls, each with a segment of the journal.
 *
 * Several commits are under way at one time, yet no order of arrival can leave a gap: each transaction checks that the run is live and that
 * the segment before its own is in the store. When one is refused, those behind it are refused too; they are then posted again, behind the
 * entry that says what happened. The number under way falls to one at a refusal and grows by one with every success, so that calls that
 * are made to fail cost the store at most two transactions each.
 */
export class CommitQueue {
	readonly #execution: Execution;
	readonly #store: Store;
	readonly #account: StoreAccount;
	readonly #audit: RunAudit | undefined;
	/** Entries that no transaction carries, without a gap. */
	#pending: CallEntry[] = [];
	#pendingBytes = 0;
	/** Entries that were carried before their outcome was known, and have one now. */
	#completions: CallEntry[] = [];
	readonly #queue: Item[] = [];
	#posted: Posted[] = [];
	/** Carried by the next transaction, when nothing of the run is in the store yet. */
	#opening: Opening | undefined;
	/** The segment that the next one follows: its first sequence. */
	#head: number | undefined;
	#window = initialWindow;
	#flushAt = flushBytes;
	#flushing = false;
	#failure: RuntimeError | undefined;
	#idle: PromiseWithResolvers<void> | undefined;

	constructor(execution: Execution, store: Store, opening: Opening | undefined, audit: RunAudit | undefined) {
		this.#execution = execution;
		this.#store = store;
		this.#account = accountOf(execution);
		this.#audit = audit;
		this.#opening = opening;
	}

	/** Whether the run is in the store. Known when nothing is under way. */
	get opened(): boolean {
		return this.#opening === undefined;
	}

	/** Set when nothing more can be committed: the run was ended by its host, or its journal is not as this queue left it. */
	get failure(): RuntimeError | undefined {
		return this.#failure;
	}

	/** Takes an entry that the next commit will carry. */
	append(entry: CallEntry): void {
		this.#hold(entry);
		if (this.#pendingBytes < this.#flushAt && !this.#audit?.isDue) return;
		if (this.#flushing || this.#failure) return;
		this.#flushing = true;
		this.#queue.push({ upTo: entry.sequence });
		this.#pump();
	}

	/** Takes an entry and commits its effect. */
	commit<T>(entry: CallEntry, effect: Effect<T>): Promise<T> {
		this.#hold(entry);
		const { promise, resolve, reject } = Promise.withResolvers<T>();
		this.#queue.push({
			upTo: entry.sequence,
			call: { entry, effect: effect as Effect<unknown>, resolve: resolve as (value: unknown) => void, reject },
		});
		this.#pump();
		return promise;
	}

	/** Adds the outcome of an entry that was taken without one. */
	complete(entry: CallEntry, outcome: string): void {
		entry.outcome = outcome;
		if (entry.carried) this.#completions.push(entry);
	}

	/** Resolves when no commit is under way and none waits. */
	async end(): Promise<void> {
		this.#pump();
		if (this.#posted.length === 0 && this.#queue.length === 0) return;
		this.#idle ??= Promise.withResolvers<void>();
		await this.#idle.promise;
	}

	/** The operations that write what no commit has carried. Call it when nothing is under way; `sequence` is that of the last call. */
	rest(sequence: number): readonly StoreOperation[] {
		if (this.#failure?.code === "internal") return [];
		if (this.#pending.length === 0 && this.#completions.length === 0) return [];
		return this.#segment(this.#pending, this.#completions, this.#pending[0]?.sequence ?? sequence + 1);
	}

	#hold(entry: CallEntry): void {
		this.#pending.push(entry);
		this.#pendingBytes += entry.bytes;
	}

	#pump(): void {
		if (this.#failure ?? this.#execution.signal.aborted) this.#refuseWaiting();
		while (this.#posted.length < this.#window) {
			const item = this.#queue.shift();
			if (!item) break;
			this.#post(item);
		}
		if (this.#posted.length === 0 && this.#queue.length === 0) this.#idle?.resolve();
	}

	/** Calls that no transaction was posted for take no effect once the run is over. */
	#refuseWaiting(): void {
		const { signal } = this.#execution;
		const problem =
			this.#failure ??
			(signal.reason instanceof RuntimeError ? signal.reason : new RuntimeError("cancelled", "The run was cancelled."));
		for (const item of this.#queue.splice(0)) this.#fail(item, problem);
	}

	#post(item: Item): void {
		const first = this.#pending[0]?.sequence;
		if (first === undefined || first > item.upTo) {
			// A flush whose entries an effect has taken along.
			this.#flushing = false;
			return;
		}
		const entries = this.#pending.splice(0, item.upTo - first + 1);
		const completions = this.#completions;
		this.#completions = [];
		if (item.call) {
			const { entry, effect } = item.call;
			entry.outcome = effect.result === undefined ? '"effect":true' : `"effect":true,"result":${effect.result}`;
		}
		const { id, hostId } = this.#execution;
		const opening = this.#opening;
		this.#opening = undefined;
		const checks: StoreCheck[] = [
			opening?.check ?? { key: layout.live(hostId, id), is: "present" },
			this.#head === undefined
				? { key: layout.journalSegment(id, first), is: "absent" }
				: { key: layout.journalSegment(id, this.#head), is: "present" },
		];
		if (item.call?.effect.checks) checks.push(...item.call.effect.checks);
		// In the order of the keys, so that pages fill up.
		const operations: StoreOperation[] = opening ? [...opening.operations] : [];
		operations.push(...this.#segment(entries, completions, first));
		if (item.call) operations.push(...item.call.effect.operations);
		for (const entry of entries) {
			entry.carried = true;
			this.#pendingBytes -= entry.bytes;
		}
		const posted: Posted = {
			item,
			entries,
			completions,
			previous: this.#head,
			opening,
			audit: this.#audit?.take() ?? [],
			alone: this.#posted.length === 0,
			answer: undefined,
		};
		this.#head = first;
		this.#posted.push(posted);
		this.#store.commit({ checks, operations, account: this.#account, ...this.#audited(posted) }).then(
			(result) => this.#answered(posted, this.#readAnswer(result)),
			(error) => this.#answered(posted, toRuntimeError(error)),
		);
	}

	#readAnswer(result: CommitResult): Answered | RuntimeError {
		try {
			return requireRoom(result, this.#execution);
		} catch (error) {
			return toRuntimeError(error);
		}
	}

	#audited({ audit, item: { call } }: Posted): { readonly audit?: readonly string[] } {
		if (!this.#audit) return {};
		const effect = call && this.#audit.effect(call.entry.operation, call.entry.sequence, call.effect.key);
		return { audit: effect === undefined ? audit : [...audit, effect] };
	}

	#segment(entries: readonly CallEntry[], completions: readonly CallEntry[], first: number): StoreOperation[] {
		const { id } = this.#execution;
		let text = "";
		for (const entry of entries) text += text === "" ? entry.text : `,${entry.text}`;
		for (const entry of completions) text += text === "" ? entry.completion : `,${entry.completion}`;
		const operations: StoreOperation[] = [{ type: "set", key: layout.journalSegment(id, first), value: `[${text}]` }];
		for (const { answersKey, sequence } of entries)
			if (answersKey !== undefined)
				operations.push({ type: "set", key: layout.idempotencyKey(id, answersKey), value: String(sequence) });
		return operations;
	}

	#answered(posted: Posted, answer: Answered | RuntimeError): void {
		posted.answer = answer;
		while (this.#posted[0]?.answer !== undefined) {
			const { item, answer } = this.#posted[0];
			if (answer instanceof RuntimeError || !answer.committed) {
				// Those behind it will be refused; what to post next depends on all of them.
				if (this.#posted.some((one) => one.answer === undefined)) return;
				this.#rewind();
				break;
			}
			this.#posted.shift();
			this.#window = Math.min(this.#window + 1, maxWindow);
			if (!item.call) {
				this.#flushing = false;
				this.#flushAt = flushBytes;
				continue;
			}
			const { entry, effect, resolve } = item.call;
			if (effect.completion) this.complete(entry, `"result":${effect.completion(answer)}`);
			resolve(effect.committed(answer));
		}
		this.#pump();
	}

	/** Takes back everything that was posted, since the first of it was refused, and settles that one, unless it only came too early. */
	#rewind(): void {
		const all = this.#posted;
		const refused = all[0] as Posted;
		// A store may apply transactions in another order than they were posted in.
		const tooEarly = !refused.alone && (isRefusedBy(liveCheck, refused.answer) || isRefusedBy(chainCheck, refused.answer));
		// The host has written the run down itself meanwhile.
		const isOpen = refused.opening !== undefined && isRefusedBy(liveCheck, refused.answer);
		const again = tooEarly || isOpen ? all : all.slice(1);
		this.#opening = isOpen ? refused.opening?.otherwise : refused.opening;
		this.#posted = [];
		this.#window = 1;
		this.#head = refused.previous;
		const entries = all.flatMap((posted) => posted.entries);
		for (const entry of entries) {
			entry.carried = false;
			this.#pendingBytes += entry.bytes;
		}
		this.#pending = [...entries, ...this.#pending];
		this.#audit?.giveBack(all.flatMap((posted) => posted.audit));
		// An entry that is pending again holds its outcome itself.
		this.#completions = [...all.flatMap((posted) => posted.completions), ...this.#completions].filter((entry) => entry.carried);
		this.#queue.unshift(...again.map((posted) => posted.item));
		for (const posted of again) if (posted.item.call) posted.item.call.entry.outcome = "";
		if (all.some(({ answer }) => answer !== undefined && !(answer instanceof RuntimeError) && answer.committed))
			this.#failure = new RuntimeError("internal", "The store applied a transaction whose check did not hold.");
		if (again === all) return;
		const answer = refused.answer as RuntimeError | Refused;
		if (answer instanceof RuntimeError) this.#fail(refused.item, answer);
		else this.#refuse(refused.item, answer);
	}

	#refuse(item: Item, refusal: Refused): void {
		if (!item.call || (refusal.reason === "check" && refusal.index < ownChecks)) {
			this.#failure ??= isRefusedBy(liveCheck, refusal)
				? new RuntimeError("cancelled", "The run has ended.")
				: new RuntimeError("internal", "The journal of this run was changed by another writer.");
			this.#fail(item, this.#failure);
			return;
		}
		const { entry, effect, resolve } = item.call;
		try {
			const value = effect.refused(refusal);
			entry.outcome = `"result":${effect.refusedResult ?? "null"}`;
			resolve(value);
		} catch (error) {
			this.#fail(item, toRuntimeError(error), true);
		}
	}

	/** `final`: a repetition with the same idempotency key would be refused in the same way. */
	#fail({ call }: Item, problem: RuntimeError, final = false): void {
		if (!call) {
			this.#flushing = false;
			this.#flushAt = this.#pendingBytes + flushBytes;
			return;
		}
		if (!final) call.entry.answersKey = undefined;
		call.entry.outcome = errorOutcome(problem);
		call.reject(problem);
	}
}

/** The checks of every transaction, before those of its effect: the run is live (or not written down yet); the segment before is there. */
const liveCheck = 0;
const chainCheck = 1;
const ownChecks = 2;

const isRefusedBy = (check: number, answer: Answered | RuntimeError | undefined): boolean =>
	answer !== undefined &&
	!(answer instanceof RuntimeError) &&
	!answer.committed &&
	answer.reason === "check" &&
	answer.index === check;

const flushBytes = 256 * 1024;
const initialWindow = 16;
const maxWindow = 64;

/** A transaction to be posted: with an effect, or, without `call`, only to flush entries up to a sequence. */
interface Item {
	readonly upTo: number;
	readonly call?: {
		readonly entry: CallEntry;
		readonly effect: Effect<unknown>;
		readonly resolve: (value: unknown) => void;
		readonly reject: (problem: RuntimeError) => void;
	};
}

interface Posted {
	readonly item: Item;
	readonly entries: readonly CallEntry[];
	readonly completions: readonly CallEntry[];
	readonly previous: number | undefined;
	readonly opening: Opening | undefined;
	/** Entries of the audit log that it takes along, that of its own effect left out. */
	readonly audit: readonly string[];
	/** Whether everything before it was known to be in the store. */
	readonly alone: boolean;
	answer: Answered | RuntimeError | undefined;
}
