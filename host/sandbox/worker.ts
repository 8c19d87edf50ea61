/**
 * The thread that runs scripts, one at a time. It holds no keys and cannot write to the store: its effects are posted to the writer,
 * everything else it knows arrives in messages. It may be terminated at any moment.
 */
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import type { Json } from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import type { Execution, LogLine } from "../execution.ts";
import { type OpeningKind, openRun, readRecord } from "../executions.ts";
import { createHelpers, type Remainder } from "../helpers/helpers.ts";
import { layout } from "../layout.ts";
import { programFiles } from "../program-files.ts";
import { connectLmdbStore, type StoreConnection } from "../store/lmdb-connection.ts";
import type { EngineName, GuestResult, Script } from "./engine.ts";
import { createEngine, engineChoice } from "./engines.ts";
import type { Fetcher } from "./fetch.ts";
import type { GuestEngine, PreparedEngine } from "./guest-engine.ts";
import { cpuTimeMs } from "./run-control.ts";
import type { Seed } from "./seed.ts";
import { stopError } from "./stop-error.ts";

/** What a worker is started with. */
export interface WorkerData {
	readonly engine: EngineName;
	/** What the first worker's engine has made: saves the others the compilation and the prelude. */
	readonly prepared: PreparedEngine | undefined;
	/** 0 go on, 1 cancelled, 2 over the deadline, 3 over the limit of processor time. */
	readonly stop: Int32Array;
	/** Takes the thread's processor time, in milliseconds, when a run begins. */
	readonly cpuTimeAtStart: Float64Array;
}

/** The way to the store. It comes apart from the rest, so that the engine is made while the store is still being opened. */
export interface WorkerConnection {
	readonly type: "connect";
	readonly store: StoreConnection;
}

/** One run as it is handed to a worker. */
export interface WorkerRun {
	readonly type: "run";
	/** What `writeRecord` made of the run's record. */
	readonly record: string;
	/** What of the run is still to be written down, by its first commit. */
	readonly opening: OpeningKind | undefined;
	/** Whether its effects go into the audit log. */
	readonly audit: boolean;
	readonly script: Script;
	readonly engine: EngineName;
	/** The file with the image of Python, for a run that needs it. */
	readonly pythonImage?: string;
	/** Its module, when another worker has compiled it. */
	readonly pythonModule?: WebAssembly.Module;
	readonly input: Json | undefined;
	readonly seed: Seed;
	/** Ports of this machine that its requests never reach. */
	readonly forbiddenPorts: readonly number[];
}

/** Why a run has to stop; wakes a worker whose script waits. The shared cell stops one that computes. */
export interface WorkerStop {
	readonly type: "stop";
	readonly reason: "cancelled" | "timed-out" | "cpu-time";
}

export type WorkerMessage =
	| { readonly type: "ready"; readonly prepared: PreparedEngine | undefined }
	/** Python's module, for other workers. */
	| { readonly type: "compiled"; readonly module: WebAssembly.Module }
	| { readonly type: "log"; readonly lines: readonly LogLine[] }
	| { readonly type: "ended"; readonly result: GuestResult; readonly remainder: Remainder }
	| { readonly type: "broken"; readonly message: string };

/** Log lines wait this long for company before they are posted: live enough for people, cheap enough for chatty scripts. */
const logBatchMs = 10;
const logBatchLines = 64;

/** After this time without work a new worker makes itself ready for more than it was made for. */
const warmUpMs = 200;

const data = workerData as WorkerData;
const port = parentPort;
if (!port) throw new Error("worker.ts runs as a worker thread only");
const post = (message: WorkerMessage): void => port.postMessage(message);

const connected = once(port, "message") as Promise<[WorkerConnection]>;
const { images } = programFiles;
const engine = await createEngine(data.engine, { images, ...(data.prepared && { prepared: data.prepared }) });
const engineOf = engineChoice(engine, { images });
const [connection] = await connected;
const store = connectLmdbStore(connection.store);
// The store is opened by its first read; better before a run needs it, when there is nothing else to do.
setTimeout(() => void store.get(layout.lastSweep), warmUpMs).unref();
/** The engine of the last run. */
let used: GuestEngine | undefined;
let current: { readonly abort: AbortController; readonly limits: Limits } | undefined;

port.on("message", (message: WorkerRun | WorkerStop) => {
	if (message.type === "stop") return current?.abort.abort(stopError(message.reason, current.limits));
	run(message)
		.then(post, (cause: unknown) => post({ type: "broken", message: cause instanceof Error ? cause.message : String(cause) }))
		.finally(() => used?.tidy());
});
post({ type: "ready", prepared: data.prepared ? undefined : engine.prepared });

async function run(order: WorkerRun): Promise<WorkerMessage> {
	const { record: text, opening: kind, audit, script, engine: name, input, seed, forbiddenPorts } = order;
	const { pythonImage, pythonModule } = order;
	const record = readRecord(text);
	const abort = new AbortController();
	current = { abort, limits: record.limits };
	data.cpuTimeAtStart[0] = cpuTimeMs();
	const execution: Execution = { ...record, signal: abort.signal };
	const logs = createLogBatch();
	const opening = kind && openRun(kind, record, text, input);
	const bound = createHelpers(execution, { store, input, opening, audit, onLog: logs.add });
	let fetcher: Fetcher | undefined;
	try {
		// Loaded only for runs that were given hosts: most never fetch, and without it the engine refuses.
		if (execution.allowedHosts.length > 0) {
			const { openRunFetch } = await import("./run-fetch.ts");
			fetcher = openRunFetch(execution, bound, forbiddenPorts);
		}
		const making = engineOf(name, {
			...(pythonImage !== undefined && { pythonImage }),
			...(pythonModule && { pythonModule }),
		});
		const engine = await making;
		used = engine;
		if (making instanceof Promise && name === "python" && !pythonModule)
			post({ type: "compiled", module: engine.prepared.module });
		const surroundings = { seed, print: bound.print, ...(fetcher && { fetch: fetcher.fetch }) };
		const result = await engine.run(script, execution, bound.helpers, surroundings, data.stop);
		const remainder = await bound.settle(result.failure ? undefined : result.returned);
		logs.flush();
		return { type: "ended", result, remainder };
	} finally {
		current = undefined;
		await fetcher?.close();
	}
}

function createLogBatch(): { add(line: LogLine): void; flush(): void } {
	let lines: LogLine[] = [];
	let lastPost = 0;
	let timer: NodeJS.Timeout | undefined;
	const flush = (): void => {
		clearTimeout(timer);
		timer = undefined;
		if (lines.length === 0) return;
		post({ type: "log", lines });
		lines = [];
		lastPost = performance.now();
	};
	const add = (line: LogLine): void => {
		lines.push(line);
		// The clock is read here as well as by the timer, because a script that computes keeps timers from firing.
		if (lines.length >= logBatchLines || performance.now() - lastPost >= logBatchMs) flush();
		else timer ??= setTimeout(flush, logBatchMs);
	};
	return { add, flush };
}
