import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { RuntimeError } from "../contract/errors.ts";
import { keepAlive } from "../keep-alive.ts";
import { programFiles } from "../program-files.ts";
import { workerEnvironment } from "../worker-environment.ts";
import { defaultKeptChanges } from "./change-log.ts";
import { toError } from "./commit-client.ts";
import { prepareDataDirectory, storeFileName } from "./data-directory.ts";
import { createLmdbStore, openLater, type StoreConnection } from "./lmdb-connection.ts";
import { lmdbFailure } from "./lmdb-failure.ts";
import { openLmdb } from "./lmdb-tree.ts";
import type { WriterData, WriterReport, WriterRequest } from "./lmdb-writer.ts";
import type { Store } from "./store.ts";
import { createThreadPhase, isParked, parkThreadsAtExit, type ThreadPhase } from "./thread-phase.ts";

export interface LmdbStoreOptions {
	/** The data directory; made when there is none. */
	readonly directory: string;
	/** Bytes of data that the store may hold. The file can be larger: freed pages are used again, but not given back. */
	readonly maxStoreBytes: number;
	/** Transactions that the log of changes keeps at least. */
	readonly keptChanges?: number;
	/** Keeps an audit log: the chain of this host process. */
	readonly audit?: { readonly hostId: string } | undefined;
}

/** A store of this process, and the way for its other threads to use it. */
export interface LmdbStore extends Store {
	/** For one other thread; post it with `connection.port` in the transfer list. */
	connect(): StoreConnection;
}

/**
 * Opens the store of a data directory and starts the thread that writes it. Several processes may do so at one time.
 * Throws `unavailable` for a directory that cannot be used or is not private, `unsupported` for a store of a newer format,
 * `internal` for a damaged one.
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
	const { directory, maxStoreBytes, keptChanges = defaultKeptChanges } = options;
	const audit = options.audit && { hostId: options.audit.hostId, directory };
	prepareDataDirectory(directory);
	const file = join(directory, storeFileName);
	// Twice: freed pages wait until no reader sees them, and a large value needs pages that lie together. Address space costs nothing.
	const mapBytes = 2 * maxStoreBytes + 64 * 1024 * 1024;
	const { port1, port2 } = new MessageChannel();
	const phase = createThreadPhase();
	const phases = new Set<ThreadPhase>([phase]);
	const writer = startWriter({ file, mapBytes, maxStoreBytes, keptChanges, phase, audit, port: port2 });
	// For writing, because all threads of a process share what its first one opened; but only the writer's thread writes.
	const database = openLater(() => openLmdb(file, { readOnly: false, mapBytes }));
	const { store, fail } = createLmdbStore(database, port1);

	let closing: Promise<void> | undefined;
	const stopParking = parkThreadsAtExit(phases);
	const exited = new Promise<void>((resolve) => {
		writer.once("error", (error) => fail(lmdbFailure("written", error)));
		writer.once("exit", () => {
			fail(new RuntimeError("unavailable", "The writer of the store has stopped."));
			stopParking();
			resolve();
		});
	});

	using _alive = keepAlive();
	await opened(writer).catch(async (error) => {
		await store.close();
		await exited;
		throw error;
	});

	async function close(): Promise<void> {
		await store.close();
		writer.ref();
		writer.postMessage("stop" satisfies WriterRequest);
		await exited;
	}

	return {
		...store,
		connect() {
			if (closing) throw new RuntimeError("unavailable", "The store is closed.");
			const channel = new MessageChannel();
			const connectionPhase = createThreadPhase();
			for (const one of phases) if (isParked(one)) phases.delete(one);
			phases.add(connectionPhase);
			writer.postMessage({ connect: channel.port1 } satisfies WriterRequest, [channel.port1]);
			return { file, mapBytes, port: channel.port2, phase: connectionPhase };
		},
		close() {
			closing ??= close();
			return closing;
		},
	};
}

/** Resolves when the writer has opened the store and found it in order. */
function opened(writer: Worker): Promise<void> {
	return new Promise((resolve, reject) => {
		writer.once("message", (report: WriterReport) => {
			if (report.type === "opened") return resolve();
			reject(toError(report.failure));
		});
		writer.once("error", (error) => reject(lmdbFailure("opened", error)));
		writer.once("exit", () => reject(new RuntimeError("unavailable", "The writer of the store has stopped.")));
	});
}

function startWriter(data: WriterData): Worker {
	const writer = new Worker(programFiles.storeWriter, {
		workerData: data,
		transferList: [data.port],
		name: "store-writer",
		env: workerEnvironment(),
		argv: [],
		execArgv: [],
		stdin: false,
	});
	writer.unref();
	return writer;
}
