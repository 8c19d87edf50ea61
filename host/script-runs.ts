import { createHash } from "node:crypto";
import { RuntimeError } from "./contract/errors.ts";
import { utf8Length } from "./contract/json-text.ts";
import type { Limits } from "./contract/limits.ts";
import type { Failure } from "./execution.ts";
import type { ContainerExecutor } from "./executors/container/executor.ts";
import { endWithout, stopFailure } from "./executors/executor-end.ts";
import type { SandboxExecutor } from "./executors/sandbox.ts";
import type { SshDoors } from "./executors/ssh/script-door.ts";
import { pythonScriptPath } from "./python-script.ts";
import {
	type ContainerPlan,
	type RunOptions,
	requireMode,
	requireNamespace,
	resolveContainerOptions,
	resolveSandboxOptions,
	resolveSshOptions,
	type SandboxPlan,
	type ScriptSource,
	type SshPlan,
} from "./run-options.ts";
import { RunPlaces } from "./run-places.ts";
import type { RunningRuns, StartedRun } from "./running-runs.ts";
import type { JavaScriptEngine, Script } from "./sandbox/engine.ts";
import { mapStack, prepareSource } from "./sandbox/source.ts";
import type { SshMode } from "./ssh-mode.ts";

export interface ScriptRunsParts {
	readonly running: RunningRuns;
	readonly executor: SandboxExecutor;
	/** Loads what runs scripts in containers, with the first of them. */
	readonly containers: () => Promise<ContainerExecutor>;
	/** Makes the image of Python when there is none yet; resolves to its file. */
	readonly pythonImage: () => Promise<string>;
	/** Images of containers that runs may name. */
	readonly containerImages: readonly string[];
	/** The doors that scripts on SSH hosts may have. */
	readonly sshDoors: SshDoors;
	/** Loads what runs scripts on SSH hosts, with the first of them. */
	readonly ssh: () => Promise<SshMode>;
	readonly limits: Limits;
	readonly engine: JavaScriptEngine;
	/** Throws `unavailable` when no new runs are taken. */
	readonly requireOpen: () => void;
}

/** Starts the scripts of this process: checks what was asked for, takes a place, and hands the script to the executor of its mode. */
export class ScriptRuns {
	readonly #parts: ScriptRunsParts;
	readonly #sandboxPlaces: RunPlaces;
	readonly #containerPlaces: RunPlaces;
	readonly #remotePlaces: RunPlaces;

	constructor(parts: ScriptRunsParts) {
		this.#parts = parts;
		this.#sandboxPlaces = RunPlaces.sandbox(parts.limits);
		this.#containerPlaces = RunPlaces.containers(parts.limits);
		this.#remotePlaces = RunPlaces.remote(parts.limits);
	}

	/** Begins a script wherever it is to run. `created` is called when the run is in the store; without it nobody waits for that. Rejects as `Host.run` does. */
	async begin(options: RunOptions, created?: () => void, runId?: string): Promise<StartedRun> {
		if (options.mode !== "ssh") return this.#runScript(options, created, runId);
		const { requireOpen, ssh } = this.#parts;
		requireOpen();
		const mode = await ssh();
		requireOpen();
		this.#remotePlaces.require(requireNamespace(options.namespace ?? "default"));
		const { limits, sshDoors } = this.#parts;
		const plan = resolveSshOptions(options, limits, (name) => mode.hosts.find(name), sshDoors);
		return this.#runOnHost(mode, plan, options, created, runId);
	}

	#runScript(options: RunOptions, created?: () => void, runId?: string): StartedRun {
		this.#parts.requireOpen();
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
		return this.#parts.running.begin(this.#sandboxPlaces, plan, options, known, async (run) => {
			const preparing = this.#prepare(plan, run.signal);
			// What the script will find, and that it may reach the outside, is in the store before it starts.
			if (created || plan.writes.length > 0 || allowedHosts.length > 0) await run.create();
			created?.();
			const prepared = await preparing;
			if ("failure" in prepared) return endWithout(prepared.failure);
			if (run.signal.aborted) return endWithout(stopFailure(limits, run.signal));
			const end = await this.#parts.executor.run({ ...run, ...prepared, namespace, input, engine, limits });
			return end.error ? { ...end, error: await locate(end.error, script.sourceMap, namespace) } : end;
		});
	}

	/** Never rejects: what goes wrong is in the answer. */
	async #prepare(
		{ script, namespace, limits, arguments: given, files }: SandboxPlan,
		signal: AbortSignal,
	): Promise<{ readonly script: Script; readonly pythonImage?: string } | { readonly failure: Failure }> {
		const { name, source, language } = script;
		if (language !== "python") return prepareSource({ ...script, language }, namespace);
		try {
			const pythonImage = await unlessAborted(this.#parts.pythonImage(), signal);
			return { script: { name: pythonScriptPath(name), source, arguments: given, files }, pythonImage };
		} catch (cause) {
			if (signal.aborted) return { failure: stopFailure(limits, signal) };
			// Whoever wants to run Python here has to know that it needs another Node.
			if (cause instanceof RuntimeError && cause.code === "unsupported")
				return { failure: { code: "engine-unavailable", message: cause.message } };
			process.emitWarning(`The image of Python could not be made: ${(cause as Error).message}`, "CroniumWarning");
			const message = "Python could not be made ready on this host, which says why in its warnings; the next run tries it again.";
			return { failure: { code: "engine-unavailable", message } };
		}
	}

	#runInContainer(
		plan: ContainerPlan,
		options: RunOptions,
		created: (() => void) | undefined,
		id: string | undefined,
	): StartedRun {
		const { namespace, script, image, arguments: given, files, input, limits } = plan;
		const known = { id, mode: "container", allowedHosts: [], script: describeScript(script) } as const;
		return this.#parts.running.begin(this.#containerPlaces, plan, options, known, async (run) => {
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
		return this.#parts.running.begin(this.#remotePlaces, plan, options, known, async (run) => {
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

/** Rejects when the signal aborts first. */
async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
	const aborted = Promise.withResolvers<never>();
	const onAbort = (): void => aborted.reject(signal.reason);
	signal.addEventListener("abort", onAbort, { once: true });
	if (signal.aborted) onAbort();
	try {
		return await Promise.race([promise, aborted.promise]);
	} finally {
		signal.removeEventListener("abort", onAbort);
	}
}

/** Puts the author's own files and lines into a failure's stack. */
async function locate(failure: Failure, sourceMap: string | undefined, namespace: string): Promise<Failure> {
	if (failure.stack === undefined || sourceMap === undefined) return failure;
	return { ...failure, stack: await mapStack(failure.stack, sourceMap, namespace) };
}
