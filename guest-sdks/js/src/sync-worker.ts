import { type MessagePort, workerData } from "node:worker_threads";
import type { ErrorCode, ErrorDetails } from "../cronium.d.ts";
import { connect } from "./client.ts";
import type { ClientOptions } from "./connection.ts";
import { RuntimeError } from "./errors.ts";
import { operations } from "./generated/calls.ts";
import type { Operation } from "./operation.ts";

/** What the thread of a synchronous client is started with. */
export interface SyncSetup {
	readonly options: ClientOptions;
	readonly port: MessagePort;
	/** Wakes the thread that waits for an answer. */
	readonly signal: Int32Array;
}

/** An answer on its way to the thread that waits for it. */
export type SyncAnswer =
	| { readonly result: unknown }
	| { readonly error: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails } };

const { options, port, signal } = workerData as SyncSetup;
let connected: ReturnType<typeof connect> | undefined;
try {
	// Before the first call: the token is renewed from now on.
	connected = connect(options);
} catch {
	// The first call says it.
}

port.on("message", async ({ operation, given }: { operation: number; given: readonly unknown[] }) => {
	let answer: SyncAnswer;
	try {
		connected ??= connect(options);
		answer = { result: await connected.perform(operations[operation] as Operation, given) };
	} catch (error) {
		const { code = "internal", message, details = {} } = error as Partial<RuntimeError> & Error;
		answer = { error: error instanceof RuntimeError ? { code, message, details } : { code: "internal", message, details: {} } };
	}
	port.postMessage(answer);
	Atomics.store(signal, 0, 1);
	Atomics.notify(signal, 0);
});
