import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LmdbStoreOptions } from "../../host/store/lmdb-store.ts";
import type { CommitResult, StoreEntry, StoreKey, StoreRange, StoreTransaction } from "../../host/store/store.ts";

type Failed = { readonly code: string; readonly message: string };

/** A store opened by another process. */
export interface StoreProcess {
	readonly process: ChildProcess;
	open(options: LmdbStoreOptions): Promise<void>;
	get(key: StoreKey): Promise<StoreEntry | undefined>;
	list(range: StoreRange): Promise<readonly StoreEntry[]>;
	commit(transaction: StoreTransaction): Promise<CommitResult>;
	/** Posts them all at one time. */
	commitAll(transactions: readonly StoreTransaction[]): Promise<readonly (CommitResult | Failed)[]>;
	/** Closes the store and waits for the process to end. */
	end(): Promise<void>;
}

/** Starts the process. `shellLimit` is a `ulimit` that it runs under; `user` is the user id that it runs as. */
export function startStoreProcess(options: { readonly shellLimit?: string; readonly user?: number } = {}): StoreProcess {
	const file = fileURLToPath(new URL("store-child.ts", import.meta.url));
	const command = options.shellLimit
		? ["sh", "-c", `ulimit ${options.shellLimit}; exec "$0" "$1"`, process.execPath, file]
		: [process.execPath, file];
	const child = spawn(command[0] as string, command.slice(1), {
		stdio: ["ignore", "inherit", "inherit", "ipc"],
		...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
	});
	const waiting = new Map<number, { resolve(value: never): void; reject(error: unknown): void }>();
	let lastId = 0;
	child.on("message", ({ id, result, error }: { id: number; result?: never; error?: Failed }) => {
		const call = waiting.get(id);
		waiting.delete(id);
		if (error) call?.reject(Object.assign(new Error(error.message), { code: error.code }));
		else call?.resolve(result as never);
	});
	const exited = new Promise<void>((resolve) =>
		child.once("exit", (code, signal) => {
			for (const call of waiting.values()) call.reject(new Error(`the process ended (${signal ?? code})`));
			resolve();
		}),
	);
	const call = <T>(method: string, argument?: unknown): Promise<T> =>
		new Promise((resolve, reject) => {
			waiting.set(++lastId, { resolve, reject });
			child.send({ id: lastId, method, argument });
		});
	return {
		process: child,
		open: (argument) => call("open", argument),
		get: (key) => call("get", key),
		list: (range) => call("list", range),
		commit: (transaction) => call("commit", transaction),
		commitAll: (transactions) => call("commitAll", transactions),
		async end() {
			if (child.exitCode === null && child.signalCode === null) {
				await call("close").catch(() => {});
				child.disconnect();
			}
			await exited;
		},
	};
}
