/**
 * The sandbox's own operations, beside those of the contract. The host function of a guest takes
 * `(operation, params, body)`: numbers below 1000 are indexes into `operations`, these are the rest. `params` is a JSON array,
 * `body` a text whose meaning each operation says. Host and prelude both read this table.
 */
export const sandboxOperations = {
	/** `[milliseconds]`. Answered when they have passed. */
	sleep: 1000,
	/** `[callId]`. Forgets a pending sleep, aborts a pending fetch; neither is answered any more. */
	cancel: 1001,
	/** `["stdout" | "stderr"]`, body: the text. */
	print: 1002,
	/** `[url, method, [[name, value], …], redirect]`, body: the request's body in base64. Answered with a FetchResponse. */
	fetch: 1003,
	/** `[count]`. Answers that many random bytes, at most 65,536, as a base64 string. */
	random: 1004,
	/** Body: the JSON text that the default function returned. */
	return: 1005,
	/** `["script-error" | "invalid-output"]`, body: the JSON text of `{name?, message, stack?, code?}`. Ends the run. */
	fail: 1006,
} as const;

export type SandboxOperation = (typeof sandboxOperations)[keyof typeof sandboxOperations];

/** The most random bytes of one call, as Web Crypto has it. */
export const maxRandomBytes = 65_536;

/** The longest delay of a timer, as everywhere else in JavaScript; the deadline of a run comes long before. */
export const maxSleepMs = 2_147_483_647;
