import { RuntimeError } from "./errors.ts";
import { codecs } from "./generated/codec.ts";
import type { Operation } from "./generated/operations.ts";

// How a call crosses from a guest, a socket or a thread to the helpers and back: JSON texts that stand for themselves
// (values of variables, input, output) are spliced in and cut out without ever being parsed, so they stay as received.

/** The JSON text of what `operation` answered; "" stands for `undefined`. */
export function encodeResult(operation: Operation, result: unknown): string {
	return result === undefined ? "" : codecs[operation.id].encode(result);
}

/**
 * The JSON text of an error: `{code, message, details}`. Anything but a RuntimeError is a fault of the host: it
 * becomes `internal` with a neutral message, because its own may hold paths, stacks or other people's data.
 */
export function encodeError(error: unknown): string {
	if (!(error instanceof RuntimeError))
		return '{"code":"internal","message":"The runtime failed to answer this call.","details":{}}';
	const { limit, currentVersion, retryAfterMs } = error.details;
	return JSON.stringify({ code: error.code, message: error.message, details: { limit, currentVersion, retryAfterMs } });
}

/**
 * The arguments for `helpers[operation.interface][operation.method](...args, call)`.
 *
 * `params` has the parameters of kind `plain`, in order: an array of them, its JSON text, or `=` and a text that is the first of them and the only one
 * given; optional ones at its end may be left out, and
 * `null` stands for missing options. For a missing number or string `null` does not: `NaN` becomes `null` in
 * JSON, and `incrementVariable(key, NaN)` must not add 1. `body` is the JSON text of the parameter of kind `json`.
 *
 * Throws `invalid` naming the parameter for anything that the WIT types do not allow, unknown fields included.
 */
export function decodeArguments(operation: Operation, params: string | readonly unknown[], body: string | undefined): unknown[] {
	return codecs[operation.id].decode(params, body);
}
