import { type MessagePort, parentPort, Worker, workerData } from "node:worker_threads";
import { RuntimeError } from "../../host/contract/errors.ts";
import type { ErrorCode } from "../../host/contract/generated/types.ts";
import { connectLmdbStore, type StoreConnection } from "../../host/store/lmdb-connection.ts";
import type { Store, StoreChange } from "../../host/store/store.ts";

type Method = "get" | "list" | "heads" | "expired" | "commit" | "close";
type Request =
	| { readonly id: number; readonly method: Method; readonly parameters: readonly unknown[] }
	| {
			readonly id: number;
			readonly method: "changes";
			readonly argument: readonly unknown[];
			readonly cursor: string | undefined;
	  }
	| { readonly id: number; readonly method: "abort" };
type Reply = { readonly id: number; readonly error?: unknown; readonly result?: unknown; readonly done?: boolean };

/** A store whose calls are made by a worker thread of its own, through the connection. */
export function openRemoteStore(connection: StoreConnection): {
	readonly store: Store;
	readonly worker: Worker;
	dispose(): Promise<void>;
} {
	const worker = new Worker(new URL(import.meta.url), {
		workerData: { connection },
		transferList: [connection.port as MessagePort],
	});
	const replies = new Map<number, (reply: Reply) => void>();
	let lastId = 0;
	worker.on("message", (reply: Reply) => replies.get(reply.id)?.(reply));

	const call = <T>(method: Method, ...parameters: unknown[]): Promise<T> =>
		new Promise((resolve, reject) => {
			const id = ++lastId;
			replies.set(id, (reply) => {
				replies.delete(id);
				if (reply.error) reject(toError(reply.error));
				else resolve(reply.result as T);
			});
			worker.postMessage({ id, method, parameters });
		});

	async function* changes(...[prefix, options]: Parameters<Store["changes"]>): AsyncGenerator<StoreChange, void, void> {
		const id = ++lastId;
		const waiting: Reply[] = [];
		let wake = () => {};
		replies.set(id, (reply) => {
			waiting.push(reply);
			wake();
		});
		const abort = () => worker.postMessage({ id, method: "abort" });
		worker.postMessage({ id, method: "changes", argument: prefix, cursor: options?.cursor });
		if (options?.signal?.aborted) abort();
		options?.signal?.addEventListener("abort", abort);
		try {
			for (;;) {
				const reply = waiting.shift();
				if (reply === undefined)
					await new Promise<void>((resolve) => {
						wake = resolve;
					});
				else if (reply.error) throw toError(reply.error);
				else if (reply.done) return;
				else yield reply.result as StoreChange;
			}
		} finally {
			abort();
			options?.signal?.removeEventListener("abort", abort);
		}
	}

	return {
		store: {
			get: (key, options) => call("get", key, options),
			list: (range) => call("list", range),
			heads: (range) => call("heads", range),
			expired: (limit) => call("expired", limit),
			commit: (transaction) => call("commit", transaction),
			// Called at once, as by a caller in the worker: the first hint that counts is the next one.
			changes(prefix, options) {
				const iterator = changes(prefix, options);
				const first = iterator.next();
				first.catch(() => {});
				let started = false;
				return {
					[Symbol.asyncIterator]: () => ({
						next: () => {
							if (started) return iterator.next();
							started = true;
							return first;
						},
						return: () => iterator.return(),
					}),
				};
			},
			close: () => call("close"),
		},
		worker,
		async dispose() {
			await worker.terminate();
		},
	};
}

function toError(error: unknown): Error {
	const { code, message, details } = error as { code: ErrorCode; message: string; details: object };
	return new RuntimeError(code, message, details);
}

function serve(store: Store, port: MessagePort): void {
	const followed = new Map<number, AbortController>();
	const reply = (value: Reply) => port.postMessage(value);
	const fail = (id: number, error: unknown) => {
		const { code, message, details } = error as RuntimeError;
		reply({ id, error: { code, message, details } });
	};
	port.on("message", async (request: Request) => {
		const { id } = request;
		try {
			if (request.method === "abort") return followed.get(id)?.abort();
			if (request.method !== "changes") {
				const result = await (store[request.method] as (...parameters: readonly unknown[]) => unknown)(...request.parameters);
				return reply({ id, result });
			}
			const abort = new AbortController();
			followed.set(id, abort);
			const { cursor } = request;
			const options = { signal: abort.signal, ...(cursor === undefined ? {} : { cursor }) };
			for await (const result of store.changes(request.argument as string[], options)) reply({ id, result });
			reply({ id, done: true });
		} catch (error) {
			fail(id, error);
		}
	});
}

if (parentPort && (workerData as { connection?: StoreConnection } | null)?.connection)
	serve(connectLmdbStore((workerData as { connection: StoreConnection }).connection), parentPort);
