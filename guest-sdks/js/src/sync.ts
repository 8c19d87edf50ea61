import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import type * as module from "../cronium.d.ts";
import { createLog } from "./client.ts";
import type { ClientOptions } from "./connection.ts";
import { RuntimeError } from "./errors.ts";
import { createCalls, operations, type SyncCalls } from "./generated/calls.ts";
import { toJsonText } from "./json.ts";
import type { Operation } from "./operation.ts";
import type { SyncAnswer, SyncSetup } from "./sync-worker.ts";

export type { ClientOptions } from "./connection.ts";
export { RuntimeError };

/** Set by the build: the worker in one text, so that this file needs no other. */
declare const CRONIUM_SYNC_WORKER: string | undefined;

type SyncLog = { readonly [Level in keyof typeof module.log]: (message: unknown, fields?: object) => void };

/** The helpers of one run, without promises. */
export interface SyncClient extends SyncCalls {
	readonly log: SyncLog;
	/** Ends the thread and its connections. Without it they end with the process. */
	close(): void;
}

/**
 * Connects as `createClient` does, for scripts that cannot wait for promises: every call stops this thread until the answer is there. A thread of its
 * own does the waiting.
 */
export function createSyncClient(options: ClientOptions = {}): SyncClient {
	const { port1: port, port2 } = new MessageChannel();
	const signal = new Int32Array(new SharedArrayBuffer(4));
	const setup: SyncSetup = { options, port: port2, signal };
	const bundled = typeof CRONIUM_SYNC_WORKER === "string";
	const worker = new Worker(bundled ? CRONIUM_SYNC_WORKER : new URL("./sync-worker.ts", import.meta.url), {
		eval: bundled,
		workerData: setup,
		transferList: [port2],
		execArgv: [],
	});
	// Whoever has nothing else to do may end: no call is under way then.
	worker.unref();
	port.unref();
	const perform = (operation: Operation, given: readonly unknown[]): unknown => {
		port.postMessage({ operation: operations.indexOf(operation), given: toPlainValues(operation, given) });
		for (;;) {
			const received = receiveMessageOnPort(port) as { readonly message: SyncAnswer } | undefined;
			if (received) return unwrap(received.message);
			Atomics.wait(signal, 0, 0);
			Atomics.store(signal, 0, 0);
		}
	};
	const calls = createCalls(perform) as unknown as SyncCalls;
	return { ...calls, log: createLog(calls.writeLog), close: () => void worker.terminate() };
}

/** The arguments as they will be sent: what another thread gets has no methods, `toJSON` for one. */
function toPlainValues({ parameters }: Operation, given: readonly unknown[]): readonly unknown[] {
	return parameters.map(({ name }, index) =>
		given[index] === undefined ? undefined : (JSON.parse(toJsonText(given[index], name)) as unknown),
	);
}

function unwrap(answer: SyncAnswer): unknown {
	if (!("error" in answer)) return answer.result;
	const { code, message, details } = answer.error;
	throw new RuntimeError(code, message, details);
}

let client: SyncClient | undefined;
const calls = createCalls((operation, given) => {
	client ??= createSyncClient();
	return (client as unknown as Record<string, (...given: readonly unknown[]) => unknown>)[operation.name]?.(...given);
}) as unknown as SyncCalls;

export const {
	getInput,
	setOutput,
	getVariable,
	getVariableEntry,
	setVariable,
	deleteVariable,
	listVariables,
	incrementVariable,
	setCondition,
	getCondition,
	getEventContext,
	writeLog,
} = calls;

export const log: SyncLog = createLog(writeLog);

const cronium = { ...calls, log, RuntimeError };
export default cronium;
