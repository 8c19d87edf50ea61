import { createHash, getRandomValues } from "node:crypto";
import { RuntimeError } from "./contract/errors.ts";
import { operations } from "./contract/generated/operations.ts";
import type { EventContext, Json, Scope } from "./contract/generated/types.ts";
import { requireJson, utf8Length } from "./contract/json-text.ts";
import { describeLimit, type LimitName, type Limits, limitDefinitions, resolveLimits } from "./contract/limits.ts";
import type { Failure, LogLine, Outcome } from "./execution.ts";
import { describeOutcome, type ExecutionRecord, type Executions, logOperations } from "./executions.ts";
import { type ExecutorEnd, type SandboxExecutor, stopFailure } from "./executors/sandbox.ts";
import { type JournalEntry, readJournal } from "./helpers/journal-reader.ts";
import { createOperatorVariables, type OperatorVariables } from "./helpers/operator.ts";
import { setVariable } from "./helpers/variable-effects.ts";
import { keepAlive } from "./keep-alive.ts";
import type { EngineName } from "./sandbox/engine.ts";
import { mapStack, prepareSource } from "./sandbox/source.ts";
import type { Store, StoreOperation } from "./store/store.ts";

/** A script as its author wrote it. */
export interface ScriptSource {
	/** The name shown in stacks, such as `orders.ts`. */
	readonly name: string;
	/** One ES module. Imports other than `cronium` must be bundled into it. */
	readonly source: string;
	/** Taken from the name's extension when not given. */
	readonly language?: "javascript" | "typescript";
	/** Maps the source back to the author's files, when it was bundled. */
	readonly sourceMap?: string;
}

export interface RunOptions {
	readonly script: ScriptSource;
	/** The input, a JSON text. */
	readonly input?: Json;
	/** The event that the run belongs to. */
	readonly event?: Omit<EventContext, "execution">;
	/** The owner of the run's variables; `default` when not given. */
	readonly namespace?: string;
	/** Variables (JSON texts by key) that are written before the script starts. */
	readonly variables?: Readonly<Record<string, Json>>;
	/** What the run may do; everything when not given. */
	readonly scopes?: readonly Scope[];
	/** Limits of this run; the host's where not given. */
	readonly limits?: Partial<Record<LimitName, number>>;
	/** Hosts that `fetch` may reach; none when not given. */
	readonly allowedHosts?: readonly string[];
	readonly engine?: EngineName;
	/** 1 for the first attempt. */
	readonly attempt?: number;
	/** W3C trace context, kept in the record of the run. */
	readonly traceparent?: string;
	/** Cancels the run when it aborts. */
	readonly signal?: AbortSignal;
	/** Called for every log line as it comes. */
	readonly onLog?: (line: LogLine) => void;
}

/** What a Host is made of; `createHost` puts it together. */
export interface HostParts {
	readonly id: string;
	readonly store: Store;
	readonly executions: Executions;
	readonly executor: SandboxExecutor;
	readonly limits: Limits;
	readonly engine: EngineName;
	/** Resolves when the runs that dead hosts left behind have been ended. */
	readonly recovered: Promise<readonly string[]>;
	/** Lets go of everything; called once, after the last run. */
	readonly close: () => Promise<void>;
}

/** Reads the runs in the store. An unknown id is `not-found`, except for `get`. */
export interface ExecutionArchive {
	/** The newest first; 50 when no limit is given. */
	list(filter?: Parameters<Executions["list"]>[0]): Promise<ExecutionRecord[]>;
	get(id: string): Promise<ExecutionRecord | undefined>;
	/** Rejects with `unavailable` while the run has not ended. */
	outcome(id: string): Promise<Outcome>;
	/** Every helper call of the run, in order. */
	journal(id: string): Promise<readonly JournalEntry[]>;
	logs(id: string): Promise<readonly LogLine[]>;
}

/** Runs scripts and answers for them: one per process and data directory, made by `createHost`. */
export class Host implements AsyncDisposable {
	readonly #parts: HostParts;
	readonly #running = new Map<Promise<Outcome>, AbortController>();
	#disposed: Promise<void> | undefined;

	constructor(parts: HostParts) {
		this.#parts = parts;
	}

	/** The name of this process in the data directory. */
	get id(): string {
		return this.#parts.id;
	}

	/** The limits in force. */
	get limits(): Limits {
		return this.#parts.limits;
	}

	/**
	 * Runs a script to its end. A script that fails is an Outcome, not an exception.
	 *
	 * Rejects with RuntimeError `invalid` or `too-large` when the options are wrong, `unavailable` when `maxQueuedRuns` runs wait
	 * already, when the store cannot be written or when the host is disposed; in all these cases the script did not run.
	 *
	 * @example
	 * await using host = await createHost();
	 * const outcome = await host.run({ script: { name: "double.js", source: "export default (n) => n * 2" }, input: "21" });
	 * console.log(outcome.output); // 42
	 */
	async run(options: RunOptions): Promise<Outcome> {
		const { limits: hostLimits } = this.#parts;
		if (this.#disposed) throw new RuntimeError("unavailable", "The host has been disposed.");
		if (this.#running.size >= hostLimits.maxWorkers + hostLimits.maxQueuedRuns)
			throw new RuntimeError(
				"unavailable",
				`${hostLimits.maxQueuedRuns} runs wait for a worker already; the limit is ${hostLimits.maxQueuedRuns} (maxQueuedRuns).`,
				{ limit: describeLimit(hostLimits, "maxQueuedRuns"), retryAfterMs: 1_000 },
			);
		const plan = this.#plan(options);
		const abort = new AbortController();
		using _alive = keepAlive();
		const outcome = this.#execute(plan, options, abort);
		this.#running.set(outcome, abort);
		try {
			return await outcome;
		} finally {
			this.#running.delete(outcome);
		}
	}

	/** The runs in the store. */
	get executions(): ExecutionArchive {
		const { store, executions, recovered } = this.#parts;
		return {
			async list(filter) {
				await recovered;
				return executions.list(filter);
			},
			async get(id) {
				await recovered;
				return executions.get(id);
			},
			async outcome(id) {
				await recovered;
				return executions.outcome(id);
			},
			async journal(id) {
				await executions.require(id);
				return readJournal(store, id);
			},
			async logs(id) {
				await executions.require(id);
				return executions.logs(id);
			},
		};
	}

	/** The variables of a namespace, with the operator's rights. */
	variables(namespace = "default"): OperatorVariables {
		return createOperatorVariables(this.#parts.store, requireNamespace(namespace), this.#parts.limits);
	}

	/** Cancels what runs, waits for it to end, and lets go of threads, files and sockets. */
	dispose(): Promise<void> {
		this.#disposed ??= (async () => {
			using _alive = keepAlive();
			for (const abort of this.#running.values()) abort.abort(new RuntimeError("cancelled", "The host is shutting down."));
			await Promise.allSettled(this.#running.keys());
			await this.#parts.close();
		})();
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	/** Checks the options and writes them out in full; throws before anything has happened. */
	#plan(options: RunOptions): Plan {
		const { id: hostId, limits: hostLimits, engine } = this.#parts;
		for (const name of Object.keys(options.limits ?? {}) as LimitName[])
			if (limitDefinitions[name]?.scope === "host")
				throw new RuntimeError("invalid", `${name} is a limit of the host; it cannot differ from run to run.`);
		const limits = resolveLimits(options.limits, hostLimits);
		const namespace = requireNamespace(options.namespace ?? "default");
		const { script, input } = options;
		const bytes = utf8Length(script.source);
		if (bytes > limits.maxSourceBytes)
			throw new RuntimeError(
				"too-large",
				`The script has ${bytes} bytes; the limit is ${limits.maxSourceBytes} (maxSourceBytes).`,
				{
					limit: describeLimit(limits, "maxSourceBytes"),
				},
			);
		if (input !== undefined) requireJson(input, limits, { name: "input", maxBytesLimit: "maxInputBytes" });
		const operator = { namespace, limits, author: "" };
		const writes = Object.entries(options.variables ?? {}).flatMap(
			([key, value]) => setVariable(operator, key, value, undefined).operations,
		);
		const now = Date.now();
		const record: ExecutionRecord = {
			id: createExecutionId(now),
			namespace,
			hostId,
			event: options.event ?? {},
			mode: "sandbox",
			attempt: options.attempt ?? 1,
			scopes: options.scopes ?? everyScope,
			limits,
			allowedHosts: options.allowedHosts ?? [],
			startedAt: now,
			deadlineAt: now + limits.maxWallTimeMs,
			...(options.traceparent !== undefined && { traceparent: options.traceparent }),
			status: this.#running.size < hostLimits.maxWorkers ? "running" : "created",
			engine: options.engine ?? engine,
			script: { name: script.name, sha256: createHash("sha256").update(script.source).digest("hex"), bytes },
			createdAt: now,
		};
		return { record, engine: options.engine ?? engine, input, writes };
	}

	async #execute({ record, engine, input, writes }: Plan, options: RunOptions, abort: AbortController): Promise<Outcome> {
		const { executions, executor } = this.#parts;
		const { limits } = record;
		const logs = new RunLogs(executions, record, options.onLog);
		using _cancel = forwardAbort(options.signal, abort);
		const preparing = prepareSource(options.script, limits, record.namespace);
		preparing.catch(() => undefined);
		await executions.create(record, input, writes);

		let { startedAt, deadlineAt } = record;
		let deadline: NodeJS.Timeout | undefined;
		const start = (): ExecutionRecord => {
			startedAt = Date.now();
			deadlineAt = startedAt + limits.maxWallTimeMs;
			deadline = setTimeout(
				() =>
					abort.abort(
						new RuntimeError("timed-out", "The run is over its deadline.", { limit: describeLimit(limits, "maxWallTimeMs") }),
					),
				limits.maxWallTimeMs,
			);
			if (record.status === "created") void executions.markRunning(record, startedAt, deadlineAt).catch(() => undefined);
			return { ...record, startedAt, deadlineAt };
		};

		let end: ExecutorEnd;
		const prepared = await preparing;
		if ("failure" in prepared) end = { status: "failed", error: prepared.failure, usage: noUsage, operations: [] };
		else if (abort.signal.aborted)
			end = { status: "cancelled", error: stopFailure(limits, abort.signal), usage: noUsage, operations: [] };
		else
			end = await executor.run({ script: prepared.script, input, engine, limits, signal: abort.signal, onLog: logs.add, start });
		clearTimeout(deadline);
		const error = end.error && (await locate(end.error, options.script.sourceMap));
		const remainingLogs = logs.close();
		const ended = await executions.end(record, {
			status: end.status,
			...(error && { error }),
			usage: { ...end.usage, wallTimeMs: Date.now() - startedAt, logBytes: end.left?.logBytes ?? logs.bytes },
			startedAt,
			deadlineAt,
			operations: [...end.operations, ...logOperations(record.id, remainingLogs)],
		});
		if (ended.status !== end.status || !end.left) return executions.outcome(record.id);
		return describeOutcome({ ...ended, status: end.status }, end.left.output, end.left.condition ?? null, logs.lines);
	}
}

const everyScope: readonly Scope[] = [...new Set(operations.map(({ scope }) => scope))];

/** A run's options, checked and complete. */
interface Plan {
	readonly record: ExecutionRecord;
	readonly engine: EngineName;
	readonly input: Json | undefined;
	/** The variables that are written before the run. */
	readonly writes: readonly StoreOperation[];
}

const noUsage: ExecutorEnd["usage"] = { cpuTimeMs: 0, memoryBytes: 0, hostCalls: 0 };

/** Keeps the log lines of one run, hands them on live, and writes them to the store every `logFlushMs`. */
class RunLogs {
	readonly lines: LogLine[] = [];
	readonly #executions: Executions;
	readonly #record: ExecutionRecord;
	readonly #onLog: ((line: LogLine) => void) | undefined;
	#flushed = 0;
	#timer: NodeJS.Timeout | undefined;

	constructor(executions: Executions, record: ExecutionRecord, onLog: ((line: LogLine) => void) | undefined) {
		this.#executions = executions;
		this.#record = record;
		this.#onLog = onLog;
	}

	readonly add = (lines: readonly LogLine[]): void => {
		for (const line of lines) {
			this.lines.push(line);
			try {
				this.#onLog?.(line);
			} catch {
				// The caller's listener is not allowed to harm the run.
			}
		}
		this.#timer ??= setTimeout(this.#flush, this.#record.limits.logFlushMs);
	};

	/** Bytes of text, for a run whose worker could not say. */
	get bytes(): number {
		return this.lines.reduce((sum, { message, fields = "" }) => sum + utf8Length(message) + utf8Length(fields), 0);
	}

	/** Stops writing; returns the lines that are not in the store yet. */
	close(): readonly LogLine[] {
		clearTimeout(this.#timer);
		return this.lines.slice(this.#flushed);
	}

	readonly #flush = (): void => {
		this.#timer = undefined;
		const from = this.#flushed;
		this.#flushed = this.lines.length;
		// A full store refuses them now; the end of the run writes them again into the space that is kept for it.
		this.#executions.appendLogs(this.#record, this.lines.slice(from)).catch(() => {
			this.#flushed = Math.min(this.#flushed, from);
		});
	};
}

function forwardAbort(signal: AbortSignal | undefined, abort: AbortController): Disposable {
	const cancel = (): void => abort.abort(new RuntimeError("cancelled", "The run was cancelled."));
	if (signal?.aborted) cancel();
	signal?.addEventListener("abort", cancel, { once: true });
	return { [Symbol.dispose]: () => signal?.removeEventListener("abort", cancel) };
}

/** Puts the author's own files and lines into a failure's stack. */
async function locate(failure: Failure, sourceMap: string | undefined): Promise<Failure> {
	if (failure.stack === undefined || sourceMap === undefined) return failure;
	return { ...failure, stack: await mapStack(failure.stack, sourceMap) };
}

function requireNamespace(namespace: string): string {
	if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(namespace))
		throw new RuntimeError(
			"invalid",
			`The namespace ${JSON.stringify(namespace.slice(0, 60))} is not valid; 1 to 128 letters, digits, dots, dashes and underscores are, beginning with a letter or digit.`,
		);
	return namespace;
}

/** A UUID of version 7 (RFC 9562): its first 48 bits are the time, so ids sort by creation. */
function createExecutionId(now: number): string {
	const bytes = getRandomValues(new Uint8Array(16));
	new DataView(bytes.buffer).setUint16(0, Math.floor(now / 2 ** 32));
	new DataView(bytes.buffer).setUint32(2, now >>> 0);
	bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
	bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
	const hex = Buffer.from(bytes).toString("hex");
	return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
