import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LimitName, resolveLimits } from "./contract/limits.ts";
import { Executions } from "./executions.ts";
import { SandboxExecutor } from "./executors/sandbox.ts";
import { Host } from "./host.ts";
import { sweepIfDue } from "./retention.ts";
import type { EngineName } from "./sandbox/engine.ts";
import { claimHost, isHostAlive } from "./store/hosts.ts";
import { openLmdbStore } from "./store/lmdb-store.ts";

export { RuntimeError } from "./contract/errors.ts";
export type * from "./contract/generated/types.ts";
export { type LimitDefinition, type LimitName, type Limits, limitDefinitions } from "./contract/limits.ts";
export type * from "./execution.ts";
export type { ExecutionRecord } from "./executions.ts";
export type { JournalEntry } from "./helpers/journal-reader.ts";
export type { OperatorVariables } from "./helpers/operator.ts";
export type { Host, RunOptions, ScriptSource } from "./host.ts";
export type { EngineName } from "./sandbox/engine.ts";

export interface HostOptions {
	/** Where everything is kept; made with mode 0700. Without it a temporary directory is used and removed with the host. */
	readonly dataDirectory?: string;
	/** The engine of runs that do not name one. */
	readonly engine?: EngineName;
	/** Limits that differ from the defaults; see `limitDefinitions`. */
	readonly limits?: Partial<Record<LimitName, number>>;
}

const sweepEveryMs = 10 * 60_000;

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
	const engine = options.engine ?? "quickjs-wasi";
	const temporary = options.dataDirectory === undefined ? await mkdtemp(join(tmpdir(), "cronium-")) : undefined;
	const directory = options.dataDirectory ?? temporary ?? "";
	const store = await openLmdbStore({ directory, maxStoreBytes: limits.maxStoreBytes });
	const executor = new SandboxExecutor({ engine, limits, connect: () => store.connect() });
	executor.warm();
	const presence = await claimHost(directory);
	const executions = new Executions(store);
	const recovered = executions.endLost((hostId) => isHostAlive(directory, hostId));
	recovered.catch(() => undefined);
	const sweep = (): Promise<void> => sweepIfDue(store, limits).catch(() => undefined);
	const sweeper = setInterval(sweep, sweepEveryMs).unref();
	return new Host({
		id: presence.id,
		store,
		executions,
		executor,
		limits,
		engine,
		recovered,
		close: async () => {
			clearInterval(sweeper);
			await executor[Symbol.asyncDispose]();
			await recovered.catch(() => undefined);
			await sweep();
			await presence.close();
			await store.close();
			if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
		},
	});
}
