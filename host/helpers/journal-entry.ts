import { RuntimeError } from "../contract/errors.ts";
import type { CallContext, Json } from "../contract/generated/types.ts";
import { utf8Length } from "../contract/json-text.ts";
import { loadCrypto } from "../crypto.ts";
import { journalInlineBytes } from "../layout.ts";

/**
 * A call in the journal of a live run. What is known at the call is serialised at once (the head); the outcome follows when there is one.
 *
 * Stored form, one JSON object: `{ sequence, operation, callId, traceparent?, idempotencyKey?, at, arguments, … }` followed by one of
 * - `result`: JSON; for a value that is a JSON text, the text as a string, or a reference to it; `null` for nothing;
 * - `error`: `{ code, message, limit?, currentVersion?, retryAfterMs? }`;
 * - `effect: true`, with or without `result`: the transaction that wrote this segment also applied the effect of this call. The version
 *   that it wrote is the version of the segment's own store entry: it does not exist before the commit;
 * - `repeats: n`: the idempotency key was used before; the outcome is that of entry n;
 * - nothing: the outcome was not known when the segment was written. A completion `{ completes: sequence, result | error }` in a later
 *   segment has it; without one the run ended before the call was answered.
 */
export class CallEntry {
	readonly sequence: number;
	readonly operation: string;
	/** Length in bytes when it was made; what follows (a sum, an error, a mark) is short. */
	readonly bytes: number;
	/** The idempotency key that this entry answers from now on; withdrawn when the call failed in a way that a repetition may mend. */
	answersKey: string | undefined;
	/** Whether a transaction that was posted and not refused holds this entry. */
	carried = false;
	/** One of `"result":…`, `"error":…`, `"effect":true…`, `"repeats":…`; empty while it is not known. */
	outcome: string;
	readonly #head: string;

	constructor(
		sequence: number,
		operation: string,
		call: CallContext,
		at: number,
		argumentsText: string,
		outcome = "",
		answersKey?: string,
	) {
		let head = `{"sequence":${sequence},"operation":"${operation}","callId":${JSON.stringify(bounded(call.callId))}`;
		if (call.traceparent !== undefined && traceparent.test(call.traceparent)) head += `,"traceparent":"${call.traceparent}"`;
		if (call.idempotencyKey !== undefined) head += `,"idempotencyKey":${JSON.stringify(bounded(call.idempotencyKey))}`;
		this.sequence = sequence;
		this.operation = operation;
		this.outcome = outcome;
		this.answersKey = answersKey;
		this.#head = `${head},"at":${at},"arguments":${argumentsText}`;
		this.bytes = utf8Length(this.#head) + utf8Length(outcome) + 2;
	}

	get text(): string {
		return this.outcome === "" ? `${this.#head}}` : `${this.#head},${this.outcome}}`;
	}

	/** What a later segment carries when this entry was written without its outcome. */
	get completion(): string {
		return `{"completes":${this.sequence},${this.outcome}}`;
	}
}

/** Ids come from callers: an entry must not grow with them. */
const bounded = (id: string): string => String(id).slice(0, 255);

// W3C Trace Context; a malformed one is to be ignored.
const traceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The outcome of a call that failed. */
export function errorOutcome(error: RuntimeError): string {
	return `"error":${JSON.stringify({ code: error.code, message: error.message, ...error.details })}`;
}

/** Where a value that is too large for the journal can be found. */
export type ValuePlace =
	| { readonly key: string; readonly version: string }
	| { readonly input: true }
	| { readonly output: number };

/**
 * A JSON text as the journal keeps it: the text itself as a string, or, over `journalInlineBytes`, a reference: its place, SHA-256 and size.
 * Without a place, the reference alone: of an argument that is stored only if the call succeeds.
 */
export function journalText(text: Json, place?: ValuePlace): string {
	if (fitsInline(text)) return JSON.stringify(text);
	return JSON.stringify({ ...place, ...fingerprint(text) });
}

/** Any argument as the journal keeps it: texts over `journalInlineBytes` by hash, everything else as JSON. Takes what no schema has checked. */
export function journalArgument(argument: unknown): string {
	if (argument === undefined) return "null";
	if (typeof argument === "string") return journalText(argument);
	const text = jsonOf(argument);
	return fitsInline(text) ? text : JSON.stringify(fingerprint(text));
}

/** An argument that the journal only has to tell from others. */
export function journalFingerprint(argument: unknown): string {
	if (argument === undefined) return "null";
	return JSON.stringify(fingerprint(typeof argument === "string" ? argument : jsonOf(argument)));
}

/** SHA-256 (hexadecimal) and size in bytes of a text. */
export function fingerprint(text: string): { readonly sha256: string; readonly size: number } {
	return { sha256: loadCrypto().hash("sha256", text, "hex"), size: utf8Length(text) };
}

function fitsInline(text: string): boolean {
	return text.length * 3 <= journalInlineBytes || (text.length <= journalInlineBytes && utf8Length(text) <= journalInlineBytes);
}

function jsonOf(value: unknown): string {
	try {
		return JSON.stringify(value) ?? "null";
	} catch {
		// A cycle or a BigInt: no value of the contract, and the call is about to be refused.
		return "null";
	}
}

/** Anything thrown as an error of the contract; what is not one is a fault of the runtime, and its text stays inside. */
export function toRuntimeError(error: unknown): RuntimeError {
	if (error instanceof RuntimeError) return error;
	return new RuntimeError("internal", "The runtime failed to answer the call.", {}, { cause: error });
}
