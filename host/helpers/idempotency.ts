import { isNamespaceFull } from "../account.ts";
import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { Operation } from "../contract/generated/operations.ts";
import type { Answer, ErrorCode, Metadata } from "../contract/generated/types.ts";
import { loadCrypto } from "../crypto.ts";
import type { Execution } from "../execution.ts";
import type { Store } from "../store/store.ts";
import { whenReady } from "./answer.ts";
import type { CallEntry } from "./journal-entry.ts";
import { resolveValue, type ValueReference } from "./journal-reader.ts";

/** An earlier call with the same idempotency key. */
export interface FirstCall<T> {
	readonly sequence: number;
	/** Its result, or its error thrown, once it has one. */
	readonly answer: () => Answer<T>;
}

/**
 * The idempotency keys of one run. A key stands for the operation and the arguments of the call that used it first; the record of its
 * outcome is that call's journal entry. A call that was refused before it began (`denied`, malformed arguments) or failed in a way that a
 * repetition may mend (`unavailable`, `internal`, …) leaves its key free.
 */
export class Idempotency {
	readonly #store: Store;
	readonly #execution: Execution;
	readonly #calls = new Map<string, KnownCall>();

	constructor(store: Store, execution: Execution) {
		this.#store = store;
		this.#execution = execution;
	}

	/** Throws `idempotency-mismatch` when the key stands for a different call, `invalid` for a malformed key. */
	find<T>(key: string, operation: Operation, argumentsText: string): FirstCall<T> | undefined {
		if (typeof key !== "string" || key.length === 0 || key.length > maxKeyLength || !printable.test(key))
			throw new RuntimeError("invalid", `The idempotency key must have 1 to ${maxKeyLength} printable ASCII characters.`);
		const known = this.#calls.get(key);
		if (!known) return undefined;
		if (known.fingerprint !== fingerprintOf(operation, argumentsText))
			throw new RuntimeError(
				"idempotency-mismatch",
				`The idempotency key ${excerpt(key)} was used by call ${known.sequence} of this run for a different operation or other arguments.`,
			);
		return {
			sequence: known.sequence,
			answer: () => (known.answer ?? this.#revive(operation, known.outcome as string)) as Answer<T>,
		};
	}

	/** The call has succeeded. */
	answered(key: string, operation: Operation, argumentsText: string, sequence: number, outcome: string): void {
		this.#calls.set(key, { sequence, fingerprint: fingerprintOf(operation, argumentsText), outcome });
	}

	/** The call is under way. */
	underWay(key: string, operation: Operation, argumentsText: string, entry: CallEntry, answer: Promise<unknown>): void {
		const known: KnownCall = { sequence: entry.sequence, fingerprint: fingerprintOf(operation, argumentsText), answer };
		this.#calls.set(key, known);
		answer.then(
			() => {
				// What a read returned may be large, and the journal refers to it; what an effect returned is not.
				if (!operation.effect) this.#calls.set(key, { ...known, answer: undefined, outcome: entry.outcome });
			},
			(error) => {
				if (error instanceof RuntimeError && (!final.has(error.code) || isNamespaceFull(error))) this.#calls.delete(key);
			},
		);
	}

	#revive(operation: Operation, outcome: string): Answer<unknown> {
		const { result } = JSON.parse(`{${outcome}}`) as { result: unknown };
		if (result === null || operation.result === "none") return undefined;
		if (operation.result === "json") return this.#text(result as string | ValueReference);
		if (operation.result !== "entry") return result;
		const entry = result as { readonly value: string | ValueReference; readonly metadata: Metadata };
		return whenReady(this.#text(entry.value), (value) => ({ value, metadata: entry.metadata }));
	}

	#text(recorded: string | ValueReference): Answer<string> {
		if (typeof recorded === "string") return recorded;
		return resolveValue(this.#store, this.#execution.namespace, this.#execution.id, recorded).then((text) => {
			if (text === undefined) throw new RuntimeError("internal", "The recorded result is not in the store any more.");
			return text;
		});
	}
}

interface KnownCall {
	readonly sequence: number;
	readonly fingerprint: string;
	readonly answer?: Promise<unknown> | undefined;
	/** The outcome as in the journal. */
	readonly outcome?: string;
}

const maxKeyLength = 255;
const printable = /^[\x20-\x7e]+$/;
/** Errors that a repetition of the same call would meet again, as far as the caller can tell. */
const final: ReadonlySet<ErrorCode> = new Set([
	"conflict",
	"not-found",
	"invalid",
	"too-large",
	"denied",
	"unsupported",
	"tool-failed",
]);

const fingerprintOf = (operation: Operation, argumentsText: string): string =>
	loadCrypto().hash("sha256", `${operation.id}\n${argumentsText}`, "base64");
