import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditTrail } from "./audit-trail.ts";
import { defaultLimits, type LimitName, resolveLimits } from "./contract/limits.ts";
import { oneOf } from "./contract/shapes.ts";
import type { ContainerSettings } from "./executors/container/opened-engine.ts";
import { SandboxExecutor } from "./executors/sandbox.ts";
import type { Host } from "./host.ts";
import { keepAlive } from "./keep-alive.ts";
import { type JavaScriptEngine, requireJavaScriptEngine } from "./sandbox/engine.ts";
import type { StartWorker } from "./sandbox/script-worker.ts";
import { threadWorkers } from "./sandbox/thread-worker.ts";
import { pythonImages } from "./store/data-directory.ts";
import { type LmdbStore, openLmdbStore } from "./store/lmdb-store.ts";

export type { AuditLog, AuthenticationFailure, ControlAction } from "./audit.ts";
export type { AuditEntry, AuditFilter, AuditProblem, AuditTrail, AuditVerification, ChainCheckpoint } from "./audit-trail.ts";
export { RuntimeError } from "./contract/errors.ts";
export type * from "./contract/generated/types.ts";
export { type LimitDefinition, type LimitName, type Limits, limitDefinitions } from "./contract/limits.ts";
export type * from "./execution.ts";
export type { ExecutionRecord } from "./executions.ts";
export type { ContainerSettings } from "./executors/container/opened-engine.ts";
export type { JournalEntry } from "./helpers/journal-reader.ts";
export type { OperatorVariables } from "./helpers/operator.ts";
export type { ExecutionArchive, Host } from "./host.ts";
export type { RunMode, RunOptions, ScriptSource } from "./run-options.ts";
export type { EngineName, JavaScriptEngine } from "./sandbox/engine.ts";

export interface HostOptions {
	/** Where everything is kept; made with mode 0700. Without it a temporary directory is used and removed with the host. */
	readonly dataDirectory?: string;
	/** The engine of runs of JavaScript and TypeScript that do not name one. */
	readonly engine?: JavaScriptEngine;
	/** Where scripts run: in threads of this process (when not given), or each in a child process without rights. */
	readonly guests?: "threads" | "process";
	/** Whether a worker is started ahead of the first run of the sandbox (when not given); not for a program that runs no scripts there. */
	readonly warm?: boolean;
	/**
	 * Ports of this machine that no script's `fetch` reaches, whatever it was given: where the program itself listens. Read when a run starts, so
	 * that ports can be added once they are known.
	 */
	readonly forbiddenPorts?: readonly number[];
	/**
	 * Keeps an audit log in the data directory: every control action, authentication failure, denial and helper call with effect, in a chain of
	 * authenticated entries. Not when it is not given: the journals of the runs tell what they did.
	 */
	readonly audit?: boolean;
	/** How scripts run in containers; by the environment and with the images of their languages when not given. */
	readonly containers?: ContainerSettings;
	/** Limits that differ from the defaults; see `limitDefinitions`. */
	readonly limits?: Partial<Record<LimitName, number>>;
}

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
	const engine = requireJavaScriptEngine(options.engine ?? "quickjs-wasi");
	const guests = oneOf(options.guests ?? "threads", "guests", ["threads", "process"] as const);
	const containers = options.containers ?? {};
	// Loaded only where there is something to check.
	if (containers.engine !== undefined || containers.allowMissing?.length)
		(await import("./container-mode.ts")).requireContainerSettings(containers);
	using _alive = keepAlive();
	// Undone in reverse order, also when one of the steps fails.
	await using opened = new AsyncDisposableStack();
	const directory = options.dataDirectory ?? (await openTemporaryDirectory(opened));
	// The first worker makes its engine and the writer's thread opens the store, while this thread loads the rest of the program. The worker has
	// more to do before the first result.
	const connecting = Promise.withResolvers<LmdbStore>();
	const startWorker: StartWorker =
		guests === "threads"
			? threadWorkers({ engine, limits, connect: async () => (await connecting.promise).connect() })
			: (await import("./sandbox/process-worker.ts")).processWorkers({
					engine,
					limits,
					store: connecting.promise,
					pythonImages: pythonImages(directory),
				});
	const executor = new SandboxExecutor({ startWorker, limits, forbiddenPorts: options.forbiddenPorts ?? [] });
	if (options.warm ?? true) executor.warm();
	const auditId = options.audit ? (await import("./store/hosts.ts")).createHostId() : undefined;
	const audit = auditId === undefined ? undefined : { hostId: auditId };
	const opening = openLmdbStore({ directory, maxStoreBytes: limits.maxStoreBytes, audit });
	opening.then(connecting.resolve, connecting.reject);
	const loading = import("./host-assembly.ts");
	const store = await opening.catch(async (cause) => {
		await executor[Symbol.asyncDispose]();
		throw cause;
	});
	opened.defer(() => store.close());
	opened.use(executor);
	const { assembleHost } = await loading;
	return await assembleHost({ directory, containers, auditId, store, executor, limits, engine, opened });
}

/**
 * Opens the audit log of a data directory, whoever has the directory open. Dispose of it.
 *
 * @example
 * await using trail = await openAuditTrail("./data");
 * const { problems } = await trail.verify();
 */
export async function openAuditTrail(dataDirectory: string): Promise<AuditTrail> {
	const { AuditTrail } = await import("./audit-trail.ts");
	return new AuditTrail(
		await openLmdbStore({ directory: dataDirectory, maxStoreBytes: defaultLimits.maxStoreBytes }),
		dataDirectory,
	);
}

async function openTemporaryDirectory(opened: AsyncDisposableStack): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	return directory;
}
