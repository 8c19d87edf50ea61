// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template to a call of String.prototype.concat, which scripts can replace.

import { sandboxOperations } from "../sandbox-operations.ts";
import {
	define,
	hasOwn,
	IntrinsicError,
	IntrinsicMap,
	IntrinsicPromise,
	mapDelete,
	mapGet,
	mapSet,
	parseJson,
	rejectPromise,
	resolvePromise,
	stringifyJson,
	stringSlice,
} from "./primordials.ts";

type Host = (operation: number, params: string, body: string | undefined) => string | number;

interface Waiting {
	readonly settle: (answer: string) => void;
}

const globals = globalThis as { __host?: Host };
const host = globals.__host as Host;
delete globals.__host;

/** Calls that the host answers later. */
const waiting = new IntrinsicMap<number, Waiting>();

/** An error of the contract, as in every SDK: `code` is one of a closed set, `details` may say which limit or version. */
export class RuntimeError extends Error {
	declare code: string;
	declare details: object;

	constructor(code: string, message: string, details: object = {}) {
		super(message);
		define(this, "code", code, true);
		define(this, "details", details, hasFields(details));
	}
}
define(RuntimeError, "name", "RuntimeError");
define(RuntimeError.prototype, "name", "RuntimeError");

/** Reads the answer of a call that has no result. */
export const nothing = (): undefined => undefined;

/** Reads the answer of a call that has one. Missing is null in JavaScript: a variable that does not exist, a condition that is not set. */
export const decodeJson = (text: string): unknown => (text === "" ? null : parseJson(text));

/** What `answer` holds: its result, decoded; throws the error that it holds, behind a mark that no JSON begins with. */
export function readAnswer<T>(answer: string, decode: (text: string) => T): T {
	if (answer[0] !== "!") return decode(answer);
	const { code, message, details } = parseJson(stringSlice(answer, 1)) as { code: string; message: string; details?: object };
	throw new RuntimeError(code, message, details);
}

/** Calls the host for something it answers at once; `params` is a JSON array. */
export function callNow<T>(operation: number, params: string, body: string | undefined, decode: (text: string) => T): T {
	return readAnswer(host(operation, params, body) as string, decode);
}

/** Calls the host: returns or throws an answer that is there, or returns a promise of one that comes later. */
export function call<T>(
	operation: number,
	params: string,
	body: string | undefined,
	decode: (text: string) => T,
): T | Promise<T> {
	const answer = host(operation, params, body);
	return typeof answer === "number" ? waitFor(answer, decode) : readAnswer(answer, decode);
}

/** Calls the host; the promise is settled already when the answer is there. */
export function callHost<T>(
	operation: number,
	params: string,
	body: string | undefined,
	decode: (text: string) => T,
): Promise<T> {
	try {
		const answer = host(operation, params, body);
		return typeof answer === "number" ? waitFor(answer, decode) : resolvePromise(readAnswer(answer, decode));
	} catch (error) {
		return rejectPromise(error);
	}
}

/** Calls the host for something it answers later, and tells the id of the call. */
export function beginCall(
	operation: number,
	params: readonly unknown[],
	body: string | undefined,
	settle: (answer: string) => void,
): number {
	const answer = host(operation, stringifyJson(params), body);
	if (typeof answer === "string") {
		settle(answer);
		return 0;
	}
	mapSet(waiting, answer, { settle });
	return answer;
}

/** Forgets a call; it is not answered any more. */
export function cancelCall(callId: number): void {
	if (mapDelete(waiting, callId)) host(sandboxOperations.cancel, "[" + callId + "]", undefined);
}

/** The hook by which the host answers. An id that nobody waits for is ignored. */
export function settle(callId: number, answer: string): void {
	const call = mapGet(waiting, callId) as Waiting | undefined;
	if (!call) return;
	mapDelete(waiting, callId);
	call.settle(answer);
}

function waitFor<T>(callId: number, decode: (text: string) => T): Promise<T> {
	// Made now, because now the stack leads to the line that called.
	const trace = new IntrinsicError();
	return new IntrinsicPromise<T>((resolve, reject) => {
		mapSet(waiting, callId, {
			settle(answer: string) {
				try {
					resolve(readAnswer(answer, decode));
				} catch (error) {
					define(error as object, "stack", trace.stack);
					reject(error);
				}
			},
		});
	});
}

function hasFields(details: object): boolean {
	for (const name in details) if (hasOwn(details, name)) return true;
	return false;
}
