import { createHash, randomUUID } from "node:crypto";
import type { AgentRegistry } from "../ssh-bridge/agent-registry.ts";
import type { AuditLog } from "./audit.ts";
import { Bundles } from "./bundles.ts";
import { RuntimeError } from "./contract/errors.ts";
import type { Json } from "./contract/generated/types.ts";
import { utf8Length } from "./contract/json-text.ts";
import { describeLimit, type Limits } from "./contract/limits.ts";
import type { Failure, LogLine, Outcome } from "./execution.ts";
import {
	describeOutcome,
	type Ending,
	type ExecutionRecord,
	type Executions,
	logOperations,
	type RunFilter,
} from "./executions.ts";
import type { ContainerExecutor } from "./executors/container/executor.ts";
import { type ExecutorEnd, endWithout, stopFailure } from "./executors/executor-end.ts";
import { ExternalExecutor, type ExternalRun } from "./executors/external.ts";
import type { ExecutorRun, SandboxExecutor } from "./executors/sandbox.ts";
import type { ServedRun, ServedRuns } from "./executors/served-runs.ts";
import type { SshDoors } from "./executors/ssh/script-door.ts";
import { recordFixture } from "./fixture.ts";
import { type JournalEntry, type JournalRange, readJournal } from "./helpers/journal-reader.ts";
import { createOperatorVariables, type OperatorVariables } from "./helpers/operator.ts";
import type { Traffic } from "./http/traffic.ts";
import { keepAlive } from "./keep-alive.ts";
import { layout } from "./layout.ts";
import { followLogs } from "./log-follower.ts";
import { RunLogs } from "./run-logs.ts";
import {
	type ContainerPlan,
	type ExternalRunOptions,
	type RunOptions,
	type RunTerms,
	requireMode,
	requireNamespace,
	resolveContainerOptions,
	resolveRunTerms,
	resolveSandboxOptions,
	resolveSshOptions,
	type SandboxPlan,
	type ScriptSource,
	type SshPlan,
} from "./run-options.ts";
import { RunPlaces } from "./run-places.ts";
import { RunRecord } from "./run-record.ts";
import type { EngineName } from "./sandbox/engine.ts";
import { mapStack, prepareSource } from "./sandbox/source.ts";
import type { SshMode } from "./ssh-mode.ts";
import type { Store } from "./store/store.ts";
import type { ExecutionTokens } from "./tokens/execution-tokens.ts";
import { within } from "./within.ts";

/** What a Host is made of; `createHost` puts it together. */
export interface HostParts {
	readonly id: string;
	readonly store: Store;
	readonly executions: Executions;
	readonly executor: SandboxExecutor;
	readonly served: ServedRuns;
	/** Loads what runs scripts in containers, with the first of them. */
	readonly containers: () => Promise<ContainerExecutor>;
	/** Images that runs may name. */
	readonly containerImages: readonly string[];
	/** Loads what counts what runs and namespaces use of their rates, with the first door. */
	readonly traffic: () => Promise<Traffic>;
	/** Loads what makes and judges the tokens of this process. */
	readonly tokens: () => Promise<ExecutionTokens>;
	/** Loads what knows the agents of SSH hosts. */
	readonly agents: () => Promise<AgentRegistry>;
	/** The doors that scripts on SSH hosts may have. */
	readonly sshDoors: SshDoors;
	/** Loads what runs scripts on SSH hosts, with the first of them. */
	readonly ssh: () => Promise<SshMode>;
	readonly limits: Limits;
	readonly engine: EngineName;
	/** The audit log, when one is kept. */
	readonly audit: AuditLog | undefined;
	/** Resolves when the runs that dead hosts left behind have been ended. */
	readonly recovered: Promise<readonly string[]>;
	/** Lets go of everything; called once, after the last run. */
	readonly close: () => Promise<void>;
}

/** Reads the runs in the store. An unknown id is `not-found`, except for `get`. */
export interface ExecutionArchive {
	/** The newest first; 50 when no limit is given. */
	list(filter?: RunFilter): Promise<ExecutionRecord[]>;
	/** One page of them; `next` is the `before` of the page behind it. */
	page(filter: RunFilter): ReturnType<Executions["page"]>;
	get(id: string): Promise<ExecutionRecord | undefined>;
	/** Rejects with `unavailable` while the run has not ended. */
	outcome(id: string): Promise<Outcome>;
	/** The helper calls of the run, in order: all of them, or those in a range. */
	journal(id: string, range?: JournalRange): Promise<readonly JournalEntry[]>;
	logs(id: string): Promise<readonly LogLine[]>;
	/** What the run found, for the stub mode of the SDKs: a JSON object. */
	fixture(id: string): Promise<Json>;
	/** The lines behind the sequence `after` as they come, until the run has ended or the signal aborts. */
	follow(id: string, after: number, signal: AbortSignal): AsyncIterable<LogLine>;
}

/** A run that is in the store and on its way. */
export interface StartedRun {
	readonly id: string;
	/** Rejects with `unavailable` when not even the end of the run can be written. */
	readonly outcome: Promise<Outcome>;
}

/** Runs scripts and answers for them: one per process and data directory, made by `createHost`. */
export class Host implements AsyncDisposable {
	readonly #parts: HostParts;
	readonly #external: ExternalExecutor;
	readonly #sandboxPlaces: RunPlaces;
	readonly #containerPlaces: RunPlaces;
	readonly #remotePlaces: RunPlaces;
	readonly #externalPlaces: RunPlaces;
	/** Every run that is under way, with what cancels it. */
	readonly #running = new Map<string, RunningRun>();
	#disposed: Promise<void> | undefined;
	#draining = false;

	constructor(parts: HostParts) {
		this.#parts = parts;
		this.#external = new ExternalExecutor(parts.served);
		this.#sandboxPlaces = RunPlaces.sandbox(parts.limits);
		this.#containerPlaces = RunPlaces.containers(parts.limits);
		this.#remotePlaces = RunPlaces.remote(parts.limits);
		this.#externalPlaces = RunPlaces.external(parts.limits);
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
	 * Rejects with RuntimeError `invalid` or `too-large` when the options are wrong, `unavailable` when too many runs wait
	 * already (`maxQueuedRuns`, `maxNamespaceQueuedRuns`) or when the host is disposed: then the script did not run. Rejects with `unavailable`,
	 * too, when the store cannot be written, not even that the run has ended: then it is found as lost, or, when nothing of it could be written,
	 * has left nothing.
	 *
	 * @example
	 * await using host = await createHost();
	 * const outcome = await host.run({ script: { name: "double.js", source: "export default (n) => n * 2" }, input: "21" });
	 * console.log(outcome.output); // 42
	 */
	async run(options: RunOptions): Promise<Outcome> {
		using _alive = keepAlive();
		return await (await this.#begunScript(options)).outcome;
	}

	/**
	 * Starts a script, and resolves when the run is in the store: its id is good from then on. Rejects as `run` does. `runId` is one that `createRunId` has
	 * made, for who has to name the run before it is there.
	 */
	async start(options: RunOptions, runId?: string): Promise<StartedRun> {
		const created = Promise.withResolvers<void>();
		const { id, outcome } = await this.#begunScript(options, created.resolve, runId);
		// A run that could not be written down has no other way to say so.
		outcome.catch(created.reject);
		await created.promise;
		return { id, outcome };
	}

	/**
	 * Opens a run whose script somebody else runs, and resolves when it is in the store. It is under way until its `end` is called, until its
	 * deadline, or until it is cancelled. Rejects as `run` does; `unavailable` over `maxExternalRuns` and
	 * `maxNamespaceExternalRuns`.
	 */
	async open(options: ExternalRunOptions, runId?: string): Promise<ExternalRun & StartedRun> {
		this.#requireOpen();
		const { limits } = this.#parts;
		const terms = resolveRunTerms(options, limits);
		const opened = Promise.withResolvers<ExternalRun>();
		const known = { id: runId, mode: "external", allowedHosts: [] } as const;
		const started = this.#begin(this.#externalPlaces, terms, options, known, async (run) => {
			await run.create();
			return this.#external.run({ ...run, input: terms.input, limits: terms.limits, onOpen: opened.resolve });
		});
		started.outcome.catch(opened.reject);
		return Object.assign(await opened.promise, started);
	}

	/**
	 * Looks for the container engine ahead of the first run: removes what hosts that died have left there, and checks that it keeps runs apart. Rejects with
	 * what a run would fail with.
	 */
	async prepareContainers(): Promise<void> {
		await (await this.#parts.containers()).prepare();
	}

	/** The id of a run that is yet to be started. Ids sort by their making. */
	createRunId(): string {
		return createExecutionId(Date.now());
	}

	/** The external run with this id, while it is under way in this process. */
	external(id: string): ExternalRun | undefined {
		return this.#external.get(id);
	}

	/** The run with this id, while it is under way in this process and a door serves it. */
	served(id: string): ServedRun | undefined {
		return this.#parts.served.get(id);
	}

	/** What runs and namespaces use of their rates, for every door to count with. */
	traffic(): Promise<Traffic> {
		return this.#parts.traffic();
	}

	/** The execution tokens of this process: every door that takes them asks the same. */
	tokens(): Promise<ExecutionTokens> {
		return this.#parts.tokens();
	}

	/** The agents of SSH hosts that the data directory knows. */
	agents(): Promise<AgentRegistry> {
		return this.#parts.agents();
	}

	/** The doors that scripts on SSH hosts may have; whoever serves adds theirs. */
	get sshDoors(): SshDoors {
		return this.#parts.sshDoors;
	}

	/** Cancels a run of this process, and returns its outcome; undefined when it has none with this id under way. */
	cancel(id: string): Promise<Outcome> | undefined {
		const running = this.#running.get(id);
		running?.abort.abort(new RuntimeError("cancelled", "The run was cancelled."));
		return running?.outcome;
	}

	/** The outcome of a run that is under way in this process; undefined when there is none with this id. */
	underWay(id: string): Promise<Outcome> | undefined {
		return this.#running.get(id)?.outcome;
	}

	/** The runs in the store. */
	get executions(): ExecutionArchive {
		const { store, executions, recovered } = this.#parts;
		const running = this.#running;
		return {
			async list(filter) {
				await recovered;
				return executions.list(filter);
			},
			async page(filter) {
				await recovered;
				return executions.page(filter);
			},
			async get(id) {
				await recovered;
				return executions.get(id);
			},
			async outcome(id) {
				await recovered;
				return executions.outcome(id);
			},
			async journal(id, range) {
				await executions.require(id);
				return readJournal(store, id, range);
			},
			async logs(id) {
				await executions.require(id);
				return executions.logs(id);
			},
			async fixture(id) {
				return recordFixture(store, await executions.require(id));
			},
			follow: (id, after, signal) => followLogs(executions, id, running.get(id)?.logs, after, signal),
		};
	}

	/** Scripts that are kept to be run many times. */
	get bundles(): Bundles {
		return new Bundles(this.#parts.store, this.#parts.limits);
	}

	/** The variables of a namespace, with the operator's rights. The audit log says that `actor` has changed them. */
	variables(namespace = "default", actor = "operator"): OperatorVariables {
		const { store, limits } = this.#parts;
		return createOperatorVariables({ store, namespace: requireNamespace(namespace), limits, actor });
	}

	/** Bytes that the namespace has in the store, of the limit `maxNamespaceBytes`: its variables, former values and runs. */
	async storedBytes(namespace = "default"): Promise<number> {
		const entry = await this.#parts.store.get(layout.account(requireNamespace(namespace)));
		return entry ? Number(entry.value) : 0;
	}

	/** The audit log, when the host was made with `audit`. */
	get audit(): AuditLog | undefined {
		return this.#parts.audit;
	}

	/** Takes no new runs, and waits for those under way, at most so long. */
	async drain(waitMs: number): Promise<void> {
		this.#draining = true;
		await within(Promise.allSettled([...this.#running.values()].map(({ outcome }) => outcome)), waitMs);
	}

	/** Cancels what runs, waits for it to end, and lets go of threads, files and sockets. */
	dispose(): Promise<void> {
		this.#disposed ??= (async () => {
			using _alive = keepAlive();
			const running = [...this.#running.values()];
			for (const { abort } of running) abort.abort(new RuntimeError("cancelled", "The host is shutting down."));
			await Promise.allSettled(running.map(({ outcome }) => outcome));
			await this.#parts.close();
		})();
		return this.#disposed;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	#requireOpen(): void {
		if (this.#disposed) throw new RuntimeError("unavailable", "The host has been disposed.");
		if (this.#draining) throw new RuntimeError("unavailable", "The host is shutting down; it takes no new runs.");
	}

	/** Begins a script wherever it is to run. */
	async #begunScript(options: RunOptions, created?: () => void, runId?: string): Promise<StartedRun> {
		if (options.mode !== "ssh") return this.#runScript(options, created, runId);
		this.#requireOpen();
		const mode = await this.#parts.ssh();
		this.#requireOpen();
		this.#remotePlaces.require(requireNamespace(options.namespace ?? "default"));
		const { limits, sshDoors } = this.#parts;
		const plan = resolveSshOptions(options, limits, (name) => mode.hosts.find(name), sshDoors);
		return this.#runOnHost(mode, plan, options, created, runId);
	}

	/** `created` is called when the run is in the store; without it nobody waits for that. */
	#runScript(options: RunOptions, created?: () => void, runId?: string): StartedRun {
		this.#requireOpen();
		const { limits: hostLimits, engine, containerImages } = this.#parts;
		const mode = requireMode(options);
		const places = mode === "sandbox" ? this.#sandboxPlaces : this.#containerPlaces;
		// Before anything else is looked at: refusing a flood costs little.
		places.require(requireNamespace(options.namespace ?? "default"));
		if (mode === "sandbox")
			return this.#runInSandbox(resolveSandboxOptions(options, hostLimits, engine), options, created, runId);
		return this.#runInContainer(resolveContainerOptions(options, hostLimits, containerImages), options, created, runId);
	}

	#runInSandbox(plan: SandboxPlan, options: RunOptions, created: (() => void) | undefined, id: string | undefined): StartedRun {
		const { namespace, script, engine, input, limits, allowedHosts } = plan;
		const known = { id, mode: "sandbox", allowedHosts, engine, script: describeScript(script) } as const;
		return this.#begin(this.#sandboxPlaces, plan, options, known, async (run) => {
			const preparing = prepareSource(script, namespace);
			// What the script will find, and that it may reach the outside, is in the store before it starts.
			if (created || plan.writes.length > 0 || allowedHosts.length > 0) await run.create();
			created?.();
			const prepared = await preparing;
			if ("failure" in prepared) return endWithout(prepared.failure);
			if (run.signal.aborted) return endWithout(stopFailure(limits, run.signal));
			const end = await this.#parts.executor.run({ ...run, namespace, script: prepared.script, input, engine, limits });
			return end.error ? { ...end, error: await locate(end.error, script.sourceMap, namespace) } : end;
		});
	}

	#runInContainer(
		plan: ContainerPlan,
		options: RunOptions,
		created: (() => void) | undefined,
		id: string | undefined,
	): StartedRun {
		const { namespace, script, image, arguments: given, files, input, limits } = plan;
		const known = { id, mode: "container", allowedHosts: [], script: describeScript(script) } as const;
		return this.#begin(this.#containerPlaces, plan, options, known, async (run) => {
			const preparing = withoutTypes(script, namespace);
			const loading = this.#parts.containers();
			loading.catch(() => undefined);
			// The host may die while the container goes on: whoever comes next has to know that there was one.
			await run.create();
			created?.();
			const prepared = await preparing;
			if ("failure" in prepared) return endWithout(prepared.failure);
			const containers = await loading;
			const { language, name } = script;
			return await containers.run({
				...run,
				namespace,
				script: { language, name, source: prepared.source, arguments: given, files },
				image,
				input,
				limits,
			});
		});
	}

	#runOnHost(
		{ executor }: SshMode,
		plan: SshPlan,
		options: RunOptions,
		created: (() => void) | undefined,
		id: string | undefined,
	): StartedRun {
		const { namespace, script, host, reach, arguments: given, files, input, limits } = plan;
		const known = { id, mode: "ssh", host: host.name, allowedHosts: [], script: describeScript(script) } as const;
		return this.#begin(this.#remotePlaces, plan, options, known, async (run) => {
			const preparing = withoutTypes(script, namespace);
			// Written down while the host is made ready.
			const recorded = run.create();
			recorded.then(created, () => undefined);
			const prepared = await preparing;
			if ("failure" in prepared) {
				await recorded;
				return endWithout(prepared.failure);
			}
			const { language, name } = script;
			const placed = { language, name, source: prepared.source, arguments: given, files };
			const ending = executor.run({ ...run, namespace, script: placed, host, reach, input, limits, recorded });
			const [end] = await Promise.all([ending, recorded]);
			return end;
		});
	}

	/** Begins a run, which has one of the places until it has ended: `known` completes its record, `execute` is what its executor does. */
	#begin(
		places: RunPlaces,
		terms: RunTerms,
		options: Pick<RunOptions, "signal" | "onLog">,
		{
			id,
			...known
		}: Pick<ExecutionRecord, "mode" | "host" | "allowedHosts" | "engine" | "script"> & { readonly id: string | undefined },
		execute: (run: RunUnderWay) => Promise<ExecutorEnd>,
	): StartedRun {
		const { limits, traceparent } = terms;
		const place = places.take(terms.namespace);
		const now = Date.now();
		const record: ExecutionRecord = {
			id: id ?? createExecutionId(now),
			namespace: terms.namespace,
			hostId: this.#parts.id,
			event: terms.event,
			attempt: terms.attempt,
			scopes: terms.scopes,
			limits,
			startedAt: now,
			deadlineAt: now + limits.maxWallTimeMs,
			...(traceparent !== undefined && { traceparent }),
			status: "created",
			...known,
			createdAt: now,
		};
		const abort = new AbortController();
		const stored = new RunRecord(this.#parts.executions, record, terms.input);
		const logs = new RunLogs(limits.logFlushMs, (lines) => stored.appendLogs(lines), options.onLog);
		const outcome = this.#conduct(record, stored, terms, logs, options.signal, abort, execute).finally(() => {
			place[Symbol.dispose]();
			this.#running.delete(record.id);
		});
		this.#running.set(record.id, { abort, logs, outcome });
		return { id: record.id, outcome };
	}

	async #conduct(
		record: ExecutionRecord,
		given: RunRecord,
		{ limits, writes }: RunTerms,
		logs: RunLogs,
		signal: AbortSignal | undefined,
		abort: AbortController,
		execute: (run: RunUnderWay) => Promise<ExecutorEnd>,
	): Promise<Outcome> {
		const { executions } = this.#parts;
		using stored = given;
		using _cancel = forwardAbort(signal, abort);
		let { startedAt, deadlineAt } = record;
		let deadline: NodeJS.Timeout | undefined;
		const stop = (name: "maxWallTimeMs" | "maxCpuTimeMs"): void => {
			const limit = describeLimit(limits, name);
			abort.abort(new RuntimeError("timed-out", `The run is over its limit ${name} of ${limit.value} milliseconds.`, { limit }));
		};
		const end = await execute({
			signal: abort.signal,
			onLog: logs.add,
			onCpuTimeExceeded: () => stop("maxCpuTimeMs"),
			create: () => stored.create(writes),
			start: () => {
				startedAt = Date.now();
				deadlineAt = startedAt + limits.maxWallTimeMs;
				deadline = setTimeout(stop, limits.maxWallTimeMs, "maxWallTimeMs");
				return { ...stored.start(startedAt, deadlineAt), audit: this.#parts.audit !== undefined };
			},
		});
		clearTimeout(deadline);
		const { error } = end;
		const remainingLogs = await logs.close();
		const ending: Ending = {
			status: end.status,
			...(error && { error }),
			...(end.exitCode !== undefined && { exitCode: end.exitCode }),
			usage: { ...end.usage, wallTimeMs: Date.now() - startedAt, logBytes: end.left?.logBytes ?? logs.bytes },
			startedAt,
			deadlineAt,
			operations: [...end.operations, ...logOperations(record.id, remainingLogs)],
			...(end.audit && { audit: end.audit }),
		};
		const { record: ended, complete } = await stored.end(ending, end.left?.opened ?? false);
		// The store knows more when a worker was taken from under its script, or when not everything could be written.
		if (!complete || !end.left) return executions.outcome(record.id);
		return describeOutcome({ ...ended, status: end.status }, end.left.output, end.left.condition ?? null, logs.lines);
	}
}

/** A run of this process. */
interface RunningRun {
	readonly abort: AbortController;
	readonly logs: RunLogs;
	readonly outcome: Promise<Outcome>;
}

/** What an executor is given of a run. */
interface RunUnderWay extends Pick<ExecutorRun, "signal" | "onLog" | "onCpuTimeExceeded" | "start"> {
	/** Writes the run down now. */
	readonly create: () => Promise<void>;
}

const describeScript = ({ name, source }: ScriptSource) => ({ name, sha256: sha256(source), bytes: utf8Length(source) });

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** TypeScript without its types, as in the sandbox: what the Node of an image or of an SSH host takes is not known. */
async function withoutTypes(
	{ name, source, language }: ContainerPlan["script"],
	namespace: string,
): Promise<{ readonly source: string } | { readonly failure: Failure }> {
	if (language !== "typescript") return { source };
	const prepared = await prepareSource({ name, source, language }, namespace);
	return "failure" in prepared ? prepared : { source: prepared.script.source };
}

function forwardAbort(signal: AbortSignal | undefined, abort: AbortController): Disposable {
	const cancel = (): void => abort.abort(new RuntimeError("cancelled", "The run was cancelled."));
	if (signal?.aborted) cancel();
	signal?.addEventListener("abort", cancel, { once: true });
	return { [Symbol.dispose]: () => signal?.removeEventListener("abort", cancel) };
}

/** Puts the author's own files and lines into a failure's stack. */
async function locate(failure: Failure, sourceMap: string | undefined, namespace: string): Promise<Failure> {
	if (failure.stack === undefined || sourceMap === undefined) return failure;
	return { ...failure, stack: await mapStack(failure.stack, sourceMap, namespace) };
}

/** A UUID of version 7 (RFC 9562): its first 48 bits are the time, so ids sort by creation. */
function createExecutionId(now: number): string {
	const time = now.toString(16).padStart(12, "0");
	// Its random bits, which Node draws for many at once, and its variant are those of a UUID of version 4.
	return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
