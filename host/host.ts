import type { AgentRegistry } from "../ssh-bridge/agent-registry.ts";
import type { AuditLog } from "./audit.ts";
import { Bundles } from "./bundles.ts";
import { RuntimeError } from "./contract/errors.ts";
import type { Json } from "./contract/generated/types.ts";
import type { Limits } from "./contract/limits.ts";
import type { LogLine, Outcome } from "./execution.ts";
import type { ExecutionRecord, Executions, RunFilter } from "./executions.ts";
import { ExternalExecutor, type ExternalRun } from "./executors/external.ts";
import type { ServedRun, ServedRuns } from "./executors/served-runs.ts";
import type { SshDoors } from "./executors/ssh/script-door.ts";
import { recordFixture } from "./fixture.ts";
import { type JournalEntry, type JournalRange, readJournal } from "./helpers/journal-reader.ts";
import { createOperatorVariables, type OperatorVariables } from "./helpers/operator.ts";
import type { Traffic } from "./http/traffic.ts";
import { keepAlive } from "./keep-alive.ts";
import { layout } from "./layout.ts";
import { followLogs } from "./log-follower.ts";
import { type ExternalRunOptions, type RunOptions, requireNamespace, resolveRunTerms } from "./run-options.ts";
import { RunPlaces } from "./run-places.ts";
import { createExecutionId, RunningRuns, type StartedRun } from "./running-runs.ts";
import { ScriptRuns, type ScriptRunsParts } from "./script-runs.ts";
import type { Store } from "./store/store.ts";
import type { ExecutionTokens } from "./tokens/execution-tokens.ts";
import { within } from "./within.ts";

/** What a Host is made of; `createHost` puts it together. */
export interface HostParts extends Omit<ScriptRunsParts, "running" | "requireOpen"> {
	readonly id: string;
	readonly store: Store;
	readonly executions: Executions;
	readonly served: ServedRuns;
	/** Loads what counts what runs and namespaces use of their rates, with the first door. */
	readonly traffic: () => Promise<Traffic>;
	/** Loads what makes and judges the tokens of this process. */
	readonly tokens: () => Promise<ExecutionTokens>;
	/** Loads what knows the agents of SSH hosts. */
	readonly agents: () => Promise<AgentRegistry>;
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

/** Runs scripts and answers for them: one per process and data directory, made by `createHost`. */
export class Host implements AsyncDisposable {
	readonly #parts: HostParts;
	readonly #external: ExternalExecutor;
	readonly #externalPlaces: RunPlaces;
	readonly #running: RunningRuns;
	readonly #scripts: ScriptRuns;
	#disposed: Promise<void> | undefined;
	#draining = false;

	constructor(parts: HostParts) {
		this.#parts = parts;
		this.#external = new ExternalExecutor(parts.served);
		this.#running = new RunningRuns({ hostId: parts.id, executions: parts.executions, hasAudit: parts.audit !== undefined });
		this.#scripts = new ScriptRuns({ ...parts, running: this.#running, requireOpen: () => this.#requireOpen() });
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
		return await (await this.#scripts.begin(options)).outcome;
	}

	/**
	 * Starts a script, and resolves when the run is in the store: its id is good from then on. Rejects as `run` does. `runId` is one that `createRunId` has
	 * made, for who has to name the run before it is there.
	 */
	async start(options: RunOptions, runId?: string): Promise<StartedRun> {
		const created = Promise.withResolvers<void>();
		const { id, outcome } = await this.#scripts.begin(options, created.resolve, runId);
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
		const started = this.#running.begin(this.#externalPlaces, terms, options, known, async (run) => {
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
		await within(Promise.allSettled(this.#running.all().map(({ outcome }) => outcome)), waitMs);
	}

	/** Cancels what runs, waits for it to end, and lets go of threads, files and sockets. */
	dispose(): Promise<void> {
		this.#disposed ??= (async () => {
			using _alive = keepAlive();
			const running = this.#running.all();
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
}
