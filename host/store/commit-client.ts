import type { MessagePort } from "node:worker_threads";
import { type ProblemDetails, RuntimeError } from "../contract/errors.ts";
import type { ErrorCode } from "../contract/generated/types.ts";
import { encodeTransaction } from "./commit-message.ts";
import type { CommitResult, StoreTransaction } from "./store.ts";

/** What the writer posts after a group: id and result in turns, for all transactions of this port in the group. */
export type Acknowledgements = readonly (number | Acknowledgement)[];

/** A number is the version of a transaction that was applied and had no increments. */
export type Acknowledgement =
	| number
	| { readonly version: number; readonly sums: readonly number[] }
	| { readonly reason: "check" | "not-a-number" | "out-of-range"; readonly index: number; readonly currentVersion: number }
	| { readonly reason: "account"; readonly storedBytes: number; readonly addedBytes: number }
	| Refusal;

/** An error. `cause` is the message of the error that caused it, if one did. */
export interface Refusal {
	readonly code: ErrorCode;
	readonly message: string;
	readonly details: ProblemDetails;
	readonly cause?: string;
}

/** What a client posts: a transaction's bytes, one a character when there are few (that is the fastest to post), or a request. */
export type ClientMessage = string | Uint8Array | { readonly listening: boolean };

const maxTextBytes = 32 * 1024;

export interface CommitClient {
	commit(transaction: StoreTransaction): Promise<CommitResult>;
	/** Asks for a message after every group that changed something. */
	listen(listening: boolean): void;
	/** The writer is gone: every commit fails from now on. */
	fail(error: RuntimeError): void;
	/** Waits for the acknowledgements that are due, then closes the port. */
	close(error: RuntimeError): Promise<void>;
}

/** The error that the writer's thread had. */
export function toError({ code, message, details, cause }: Refusal): RuntimeError {
	return new RuntimeError(code, message, details, cause === undefined ? undefined : { cause: new Error(cause) });
}

/** Posts transactions to the writer's thread. The port keeps the event loop alive only while an acknowledgement is due. */
export function createCommitClient(port: MessagePort, onChange: () => void): CommitClient {
	const pending = new Map<number, { resolve(result: CommitResult): void; reject(error: Error): void }>();
	let lastId = 0;
	let failed: RuntimeError | undefined;
	let onIdle: (() => void) | undefined;

	port.on("message", (message: Acknowledgements) => {
		for (let index = 0; index < message.length; index += 2)
			settle(message[index] as number, message[index + 1] as Acknowledgement);
		onChange();
	});
	port.on("close", () => fail(new RuntimeError("unavailable", "The writer of the store has stopped.")));
	port.unref();

	function settle(id: number, result: Acknowledgement): void {
		const commit = pending.get(id);
		if (commit === undefined) return;
		pending.delete(id);
		if (pending.size === 0) becomeIdle();
		if (typeof result === "number") commit.resolve({ committed: true, version: String(result), sums: [] });
		else if ("sums" in result) commit.resolve({ committed: true, version: String(result.version), sums: result.sums });
		else if ("code" in result) commit.reject(toError(result));
		else if (result.reason === "account") commit.resolve({ committed: false, ...result });
		else {
			const { reason, index, currentVersion } = result;
			commit.resolve({
				committed: false,
				reason,
				index,
				...(currentVersion === 0 ? {} : { currentVersion: String(currentVersion) }),
			});
		}
	}

	function becomeIdle(): void {
		port.unref();
		onIdle?.();
	}

	function fail(error: RuntimeError): void {
		failed ??= error;
		const commits = [...pending.values()];
		pending.clear();
		for (const commit of commits) commit.reject(failed);
		becomeIdle();
	}

	return {
		commit(transaction) {
			return new Promise((resolve, reject) => {
				if (failed) throw failed;
				lastId = lastId === 0xffffffff ? 1 : lastId + 1;
				const bytes = encodeTransaction(lastId, transaction);
				if (bytes.length <= maxTextBytes) {
					port.postMessage(bytes.toString("latin1"));
				} else {
					const copy = new Uint8Array(bytes);
					port.postMessage(copy, [copy.buffer]);
				}
				pending.set(lastId, { resolve, reject });
				if (pending.size === 1) port.ref();
			});
		},
		listen(listening) {
			if (!failed) port.postMessage({ listening } satisfies ClientMessage);
		},
		fail,
		async close(error) {
			failed ??= error;
			if (pending.size > 0)
				await new Promise<void>((resolve) => {
					onIdle = resolve;
				});
			port.close();
		},
	};
}
