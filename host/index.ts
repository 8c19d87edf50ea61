import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LimitName, resolveLimits } from "./contract/limits.ts";
import { Executions } from "./executions.ts";
import { SandboxExecutor } from "./executors/sandbox.ts";
import { Host } from "./host.ts";
import { keepAlive } from "./keep-alive.ts";
import { claimSweep, sweep } from "./retention.ts";
import { requireEngine } from "./run-options.ts";
import type { EngineName } from "./sandbox/engine.ts";
import { claimHost, deadHosts, isHostAlive } from "./store/hosts.ts";
import { openLmdbStore } from "./store/lmdb-store.ts";

export { RuntimeError } from "./contract/errors.ts";
export type * from "./contract/generated/types.ts";
export { type LimitDefinition, type LimitName, type Limits, limitDefinitions } from "./contract/limits.ts";
export type * from "./execution.ts";
export type { ExecutionRecord } from "./executions.ts";
export type { JournalEntry } from "./helpers/journal-reader.ts";
export type { OperatorVariables } from "./helpers/operator.ts";
export type { ExecutionArchive, Host } from "./host.ts";
export type { RunOptions, ScriptSource } from "./run-options.ts";
export type { EngineName } from "./sandbox/engine.ts";

export interface HostOptions {
	/** Where everything is kept; made with mode 0700. Without it a temporary directory is used and removed with the host. */
	readonly dataDirectory?: string;
	/** The engine of runs that do not name one. */
	readonly engine?: EngineName;
	/** Limits that differ from the defaults; see `limitDefinitions`. */
	readonly limits?: Partial<Record<LimitName, number>>;
}

const tidyEveryMs = 10 * 60_000;
/** Longest time that a host which is disposed of goes on tidying. */
const tidyAtEndMs = 1_000;

/**
 * Opens a data directory and makes a Host on it. Several processes may have hosts on one directory.
 *
 * Rejects with RuntimeError `invalid` for a limit out of range, `unavailable` when the directory cannot be used, `unsupported` when its data
 * was written by a newer version.
 *
 * @example
 * await using host = await createHost({ dataDirectory: "./data" });
 * const outcome = await host.run({ script: { name: "hello.js", source: "export default () => 'hello'" } });
 */
export async function createHost(options: HostOptions = {}): Promise<Host> {
	const limits = resolveLimits(options.limits);
	const engine = requireEngine(options.engine ?? "quickjs-wasi");
	using _alive = keepAlive();
	// Undone in reverse order, also when one of the steps fails.
	await using opened = new AsyncDisposableStack();
	const directory = options.dataDirectory ?? (await openTemporaryDirectory(opened));
	const opening = openLmdbStore({ directory, maxStoreBytes: limits.maxStoreBytes });
	// The first worker makes its engine while the store is being opened.
	const imageDirectory = options.dataDirectory && join(options.dataDirectory, "engines");
	const executor = new SandboxExecutor({ engine, limits, imageDirectory, connect: async () => (await opening).connect() });
	executor.warm();
	const store = await opening.catch(async (cause) => {
		await executor[Symbol.asyncDispose]();
		throw cause;
	});
	opened.defer(() => store.close());
	opened.use(executor);
	const presence = await claimHost(directory);
	opened.defer(() => presence.close());
	const executions = new Executions(store);
	const endLost = (): Promise<readonly string[]> => executions.endLost((hostId) => isHostAlive(directory, hostId));
	// A host that died has left its socket. What lost its socket, too, is found when the directory is tidied.
	const recovered = deadHosts(directory)
		.then((dead) => (dead.length > 0 ? endLost() : []))
		.catch((cause: Error) => {
			process.emitWarning(`Runs of hosts that died could not be ended: ${cause.message}`, "CroniumWarning");
			return [];
		});
	const tidy = async (signal?: AbortSignal): Promise<void> => {
		await recovered;
		if (!(await claimSweep(store))) return;
		await endLost();
		await deadHosts(directory, { remove: true });
		await sweep(store, { now: Date.now(), runRetentionMs: limits.runRetentionMs, ...(signal && { signal }) });
	};
	// What cannot be tidied now (a full disk, say) is tidied by the next one; a process that ends is not kept long by it.
	opened.defer(() => tidy(AbortSignal.timeout(tidyAtEndMs)).catch(() => undefined));
	const tidier = setInterval(() => void tidy().catch(() => undefined), tidyEveryMs).unref();
	opened.defer(() => clearInterval(tidier));
	const owned = opened.move();
	return new Host({
		id: presence.id,
		store,
		executions,
		executor,
		limits,
		engine,
		recovered,
		close: () => owned.disposeAsync(),
	});
}

async function openTemporaryDirectory(opened: AsyncDisposableStack): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	return directory;
}
