import { decodeArguments, encodeError, encodeResult } from "../contract/encode.ts";
import { RuntimeError } from "../contract/errors.ts";
import { type Operation, operations } from "../contract/generated/operations.ts";
import type { Answer, CallContext, Helpers, Json } from "../contract/generated/types.ts";
import { describeLimit, type LimitName } from "../contract/limits.ts";
import { requireFewValues } from "../contract/shapes.ts";
import { loadCrypto } from "../crypto.ts";
import type { Failure, FailureCode } from "../execution.ts";
import type { FetchRequest, FetchResponse, GuestExecution, RemoteHelpers, Surroundings } from "./engine.ts";
import { maxRandomBytes, maxSleepMs, sandboxOperations } from "./sandbox-operations.ts";

/** Everything a guest can do to the outside, for one run. */
export interface Bindings {
	/**
	 * Answers a call of the guest: a text now, or the id of a call that `onAnswer` gets the answer of later. The text is JSON, empty for
	 * nothing; an error is JSON behind a `!`. Never throws, whatever it is given.
	 */
	call(operation: number, params: string, body: string | undefined): string | number;
	/** Takes late answers; set by the engine. Never called from inside `call`. */
	onAnswer: ((callId: number, answer: string) => void) | undefined;
	/** Calls that wait for their answer. With none left and no job in the guest's queue, nothing can settle any more. */
	readonly pending: number;
	/** Why the run must not go on. The engine stops the guest as soon as `call` has set it. */
	readonly failure: Failure | undefined;
	/** What the guest says has failed where nobody can catch it. Ends the run as well. */
	readonly reported: ReportedError | undefined;
	readonly hostCalls: number;
	/** What the default function returned. */
	readonly returned: Json | undefined;
	/** Ends timers and fetches; answers that come later are dropped. */
	close(): void;
}

/** An error of the guest: thrown in a callback, or by what was to become the output. */
export interface ReportedError {
	readonly code: Extract<FailureCode, "script-error" | "invalid-output">;
	/** What the prelude's `describe` made of it, not checked. */
	readonly said: string | undefined;
}

/** Longer parameters are refused unread. The longest legitimate one is a log message, cut by the prelude to 1 Mi characters. */
export const maxParametersCharacters = 8 * 1024 * 1024;

/** The sandbox's own operations take a number or a word. */
const maxOwnParametersCharacters = 1024;

/** Of a fetch without its body: its URL and its headers, which servers refuse long before. */
const maxFetchCharacters = 256 * 1024;
/** Each header counts as three values. */
const maxFetchValues = 1_000;

/**
 * Ids of calls are unique for the life of the thread, not of the run: an answer that comes too late must never
 * settle a promise of the next run in a recycled instance.
 */
let lastCallId = 0;

/** Connects a guest to the helpers of its run and to the surroundings the worker gave it. */
export function createBindings(
	execution: GuestExecution,
	helpers: Helpers | RemoteHelpers,
	surroundings: Surroundings,
): Bindings {
	return new GuestBindings(execution, helpers, surroundings);
}

class GuestBindings implements Bindings {
	onAnswer: ((callId: number, answer: string) => void) | undefined;
	hostCalls = 0;
	failure: Failure | undefined;
	reported: ReportedError | undefined;
	returned: Json | undefined;
	/** What forgets each pending call. */
	readonly #pending = new Map<number, () => void>();
	/** Of the calls that the host has not done with: a call that was cancelled holds what it was given until it settles. */
	#pendingBytes = 0;
	readonly #execution: GuestExecution;
	readonly #helpers: Helpers | RemoteHelpers;
	readonly #surroundings: Surroundings;
	#closed = false;

	constructor(execution: GuestExecution, helpers: Helpers | RemoteHelpers, surroundings: Surroundings) {
		this.#execution = execution;
		this.#helpers = helpers;
		this.#surroundings = surroundings;
	}

	get pending(): number {
		return this.#pending.size;
	}

	call(operation: number, params: string, body: string | undefined): string | number {
		try {
			if (this.#closed) throw new RuntimeError("cancelled", "The run has ended.");
			if (typeof params !== "string" || (body !== undefined && typeof body !== "string"))
				throw new RuntimeError("invalid", "A call to the host takes texts.");
			if (params.length > maxParametersCharacters)
				throw new RuntimeError(
					"too-large",
					`The parameters of a call are ${params.length} characters; the limit is ${maxParametersCharacters}.`,
				);
			// Only a whole number is looked up: "constructor" is a property of the table too.
			const called = Number.isInteger(operation) ? operations[operation] : undefined;
			return called ? this.#callHelper(called, params, body) : this.#callSandbox(operation, params, body);
		} catch (error) {
			return refusal(error);
		}
	}

	close(): void {
		this.#closed = true;
		this.onAnswer = undefined;
		for (const forget of this.#pending.values()) forget();
		this.#pending.clear();
	}

	#callHelper(operation: Operation, params: string, body: string | undefined): string | number {
		const callId = this.#count();
		const { traceparent } = this.#execution;
		const call: CallContext = traceparent === undefined ? { callId: String(callId) } : { callId: String(callId), traceparent };
		const helpers = this.#helpers;
		const answer = "call" in helpers ? helpers.call(operation, params, body) : callHelper(helpers, operation, params, body, call);
		return isPromise(answer) ? this.#answerLater(callId, answer, sizeOf(params, body), nothing) : answer;
	}

	#callSandbox(operation: number, params: string, body: string | undefined): string | number {
		switch (operation) {
			case sandboxOperations.sleep:
				return this.#sleep(readParameters(params));
			case sandboxOperations.cancel:
				return this.#cancel(readParameters(params));
			case sandboxOperations.print:
				return this.#print(readParameters(params), body);
			case sandboxOperations.fetch:
				return this.#fetch(params, body);
			case sandboxOperations.random:
				return this.#random(readParameters(params));
			case sandboxOperations.return:
				return this.#return(body);
			case sandboxOperations.fail:
				return this.#fail(readParameters(params), body);
			default:
				throw new RuntimeError("unsupported", "The host has no such operation.");
		}
	}

	#sleep([milliseconds]: readonly unknown[]): number {
		const callId = this.#count();
		const delay = typeof milliseconds === "number" && milliseconds >= 1 ? Math.min(milliseconds, maxSleepMs) : 1;
		this.#reserve(0);
		const timer = setTimeout(() => this.#answer(callId, ""), delay);
		timer.unref();
		this.#pending.set(callId, () => clearTimeout(timer));
		return callId;
	}

	/** Not counted as a host call: it only takes back one that was. */
	#cancel([callId]: readonly unknown[]): string {
		const forget = this.#pending.get(callId as number);
		if (forget) {
			this.#pending.delete(callId as number);
			forget();
		}
		return "";
	}

	/** Not counted as a host call: maxLogBytes bounds what is printed, and over it a run goes on. */
	#print([stream]: readonly unknown[], text: string | undefined): string {
		if (stream !== "stdout" && stream !== "stderr") throw new RuntimeError("invalid", "Text is printed to stdout or stderr.");
		this.#surroundings.print(stream, text ?? "");
		return "";
	}

	#fetch(params: string, body: string | undefined): number {
		const callId = this.#count();
		const fetch = this.#surroundings.fetch;
		if (!fetch) throw noHosts(params);
		const request = readFetchRequest(params, body);
		const abort = new AbortController();
		const signal = AbortSignal.any([abort.signal, this.#execution.signal]);
		const answer = fetch(request, signal).then((response: FetchResponse) => JSON.stringify(response));
		const forget = (): void => abort.abort(new RuntimeError("cancelled", "The fetch was aborted."));
		return this.#answerLater(callId, answer, sizeOf(params, body), forget);
	}

	#random([count]: readonly unknown[]): string {
		this.#count();
		if (!Number.isSafeInteger(count) || (count as number) < 0 || (count as number) > maxRandomBytes)
			throw new RuntimeError("invalid", `Random bytes come 0 to ${maxRandomBytes} at a time.`);
		return JSON.stringify(
			loadCrypto()
				.randomBytes(count as number)
				.toString("base64"),
		);
	}

	#return(text: string | undefined): string {
		if (text === undefined) throw new RuntimeError("invalid", "There is no returned value.");
		const limit = this.#execution.limits.maxOutputBytes;
		const size = Buffer.byteLength(text);
		if (size > limit)
			this.#stop(
				"output-exceeded",
				"maxOutputBytes",
				`The returned value is ${size} bytes; the limit maxOutputBytes is ${limit}.`,
			);
		else this.returned = text;
		return "";
	}

	#fail([code]: readonly unknown[], body: string | undefined): string {
		this.reported ??= { code: code === "invalid-output" ? "invalid-output" : "script-error", said: body };
		return "";
	}

	/** Counts a host call and gives it its id. */
	#count(): number {
		const limit = this.#execution.limits.maxHostCalls;
		if (this.hostCalls >= limit)
			throw this.#stop(
				"host-calls-exceeded",
				"maxHostCalls",
				`The run made more than ${limit} calls to the host (maxHostCalls).`,
			);
		this.hostCalls++;
		return ++lastCallId;
	}

	/** Throws when one more call, of so many bytes, may not wait. */
	#reserve(bytes: number): void {
		const limit = this.#execution.limits.maxPendingCalls;
		if (this.#pending.size >= limit)
			throw this.#stop(
				"pending-calls-exceeded",
				"maxPendingCalls",
				`More than ${limit} calls of the run wait for their answer at one time (maxPendingCalls).`,
			);
		const maxBytes = this.#execution.limits.maxPendingBytes;
		if (this.#pendingBytes + bytes > maxBytes)
			throw this.#stop(
				"pending-calls-exceeded",
				"maxPendingBytes",
				`The calls of the run that wait for their answer hold more than ${maxBytes} bytes (maxPendingBytes).`,
			);
	}

	/** Ends the run because of a limit; returns the error for the call that went over it. */
	#stop(code: FailureCode, name: LimitName, message: string): RuntimeError {
		const limit = describeLimit(this.#execution.limits, name);
		this.failure ??= { code, message, limit };
		return new RuntimeError("too-large", message, { limit });
	}

	#answerLater(callId: number, answer: PromiseLike<string>, bytes: number, forget: () => void): number {
		try {
			this.#reserve(bytes);
		} catch (error) {
			forget();
			answer.then(nothing, nothing);
			throw error;
		}
		this.#pending.set(callId, forget);
		this.#pendingBytes += bytes;
		const settle = (text: string): void => {
			this.#pendingBytes -= bytes;
			this.#answer(callId, text);
		};
		answer.then(settle, (error) => settle(refusal(error)));
		return callId;
	}

	#answer(callId: number, answer: string): void {
		// A call that was cancelled, or whose run has ended, is not answered.
		if (this.#pending.delete(callId)) this.onAnswer?.(callId, answer);
	}
}

type Method = (...args: unknown[]) => Answer<unknown>;

/** Makes a call that has come as texts, and answers with JSON, empty for nothing. Throws, or rejects, as the helper does. */
export function callHelper(
	helpers: Helpers,
	operation: Operation,
	params: string,
	body: string | undefined,
	call: CallContext,
): Answer<string> {
	const args = decodeArguments(operation, params, body);
	const methods = helpers[operation.interface] as unknown as Record<string, Method>;
	const answer = (methods[operation.method] as Method)(...args, call);
	return isPromise(answer) ? answer.then((result) => encodeResult(operation, result)) : encodeResult(operation, answer);
}

const nothing = (): void => {};

/** Does not parse what comes from a guest that may not fetch: the URL is looked at where it is, if it is there. */
function noHosts(params: string): RuntimeError {
	const [, url = ""] = /^\["([^"\\]{1,2048})"/.exec(params) ?? [];
	const host = URL.canParse(url) ? new URL(url).host : "";
	const message =
		host === ""
			? "fetch is refused: the run was given no hosts."
			: `fetch of ${host} is refused: the run was given no hosts. --allow-host ${host} would allow it.`;
	return new RuntimeError("denied", message);
}

/** What the host holds for a call until it is answered, in UTF-8 as everywhere. */
const sizeOf = (params: string, body: string | undefined): number =>
	Buffer.byteLength(params) + (body === undefined ? 0 : Buffer.byteLength(body));

/** What a call is answered with that has failed. Begins with what no JSON text begins with. */
export const refusal = (error: unknown): string => `!${encodeError(error)}`;

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
	return value instanceof Promise;
}

function readParameters(params: string, maximum: number = maxOwnParametersCharacters): readonly unknown[] {
	if (params.length > maximum)
		throw new RuntimeError("too-large", `The parameters of the call are ${params.length} characters; the limit is ${maximum}.`);
	// Only those of fetch: a few characters hold few values.
	if (params.length > maxOwnParametersCharacters) requireFewValues("fetch", params, maxFetchValues);
	let values: unknown;
	try {
		values = JSON.parse(params);
	} catch {
		throw new RuntimeError("invalid", "The parameters of a call are not JSON.");
	}
	if (!Array.isArray(values)) throw new RuntimeError("invalid", "The parameters of a call are not an array.");
	return values;
}

/** Reads the parameters of a fetch. Throws `invalid` and `too-large` for what is none. */
export function readFetchRequest(params: string, body: string | undefined): FetchRequest {
	const [url, method, headers, redirect] = readParameters(params, maxFetchCharacters);
	if (typeof url !== "string" || typeof method !== "string" || !Array.isArray(headers))
		throw new RuntimeError("invalid", "fetch takes a URL, a method and headers.");
	if (redirect !== "follow" && redirect !== "error" && redirect !== "manual")
		throw new RuntimeError("invalid", "The redirect mode of fetch is follow, error or manual.");
	const pairs = headers.map((pair: unknown): readonly [string, string] => {
		if (!Array.isArray(pair) || typeof pair[0] !== "string" || typeof pair[1] !== "string")
			throw new RuntimeError("invalid", "A header of fetch is a pair of texts.");
		return [pair[0], pair[1]];
	});
	return { url, method, headers: pairs, redirect, ...(body !== undefined && { body }) };
}
