import { RuntimeError } from "./contract/errors.ts";
import { excerpt } from "./contract/excerpt.ts";
import { type EventContext, scopes as everyScope, type Json, type Scope } from "./contract/generated/types.ts";
import { requireJson, utf8Length } from "./contract/json-text.ts";
import { describeLimit, type LimitName, type Limits, limitDefinitions, resolveLimits } from "./contract/limits.ts";
import { oneOf, record, string, unknownField, whole } from "./contract/shapes.ts";
import type { LogLine } from "./execution.ts";
import type { SshDoors } from "./executors/ssh/script-door.ts";
import { leastScopes, type Reach, reaches, type SshHost } from "./executors/ssh/ssh-host.ts";
import { setVariable } from "./helpers/variable-effects.ts";
import { requireFileName, requirePlacedFiles, scriptFileName } from "./placed-files.ts";
import { requirePythonScript } from "./python-script.ts";
import { parseAllowedHosts } from "./sandbox/allowed-hosts.ts";
import { type EngineName, type GuestFile, type JavaScriptEngine, requireJavaScriptEngine } from "./sandbox/engine.ts";
import { findLanguage, type ScriptLanguage, sandboxLanguages, scriptExtensions, scriptLanguages } from "./script-language.ts";
import type { StoreOperation } from "./store/store.ts";

/** A script as its author wrote it. */
export interface ScriptSource {
	/** The name shown in stacks, such as `orders.ts`; 1 to 255 characters. */
	readonly name: string;
	/** JavaScript and TypeScript: one ES module. Imports other than `cronium` must be bundled into it, or be in the image of its container. */
	readonly source: string;
	/** Taken from a first line `#!`, or from the name's extension, when not given. */
	readonly language?: ScriptLanguage;
	/** Maps the source back to the author's files, when it was bundled. */
	readonly sourceMap?: string;
}

export interface RunOptions {
	readonly script: ScriptSource;
	/** Where it runs. When not given: in the sandbox, or, when that does not run its language, in a container. */
	readonly mode?: RunMode;
	/** The image of its container; that of its language when not given. Others have to be allowed by the operator. */
	readonly image?: string;
	/** In mode `ssh`: the host, by its name in hosts.toml. */
	readonly host?: string;
	/** In mode `ssh`: how the script reaches its helpers; as the host's entry says when not given. */
	readonly reach?: Reach | "auto";
	/** What a script is called with: one in Python, in a container or on an SSH host. */
	readonly arguments?: readonly string[];
	/**
	 * Files that a script in Python, in a container or on an SSH host finds beside itself, by their paths relative to it. In the sandbox Python
	 * imports from wheels among them, by the end of their names.
	 */
	readonly files?: Readonly<Record<string, string | Uint8Array>>;
	/** The input, a JSON text. */
	readonly input?: Json;
	/** The event that the run belongs to. */
	readonly event?: Omit<EventContext, "execution">;
	/** The owner of the run's variables; `default` when not given. */
	readonly namespace?: string;
	/** Variables (JSON texts by key) that are written before the script starts. */
	readonly variables?: Readonly<Record<string, Json>>;
	/** What the run may do. When not given everything, and on an SSH host what its entry says, or the least. */
	readonly scopes?: readonly Scope[];
	/** Limits of this run; those of the SSH host, and the host's own, where not given. */
	readonly limits?: Partial<Record<LimitName, number>>;
	/** Hosts that `fetch` may reach; none when not given. */
	readonly allowedHosts?: readonly string[];
	/** The engine of JavaScript and TypeScript in the sandbox. */
	readonly engine?: JavaScriptEngine;
	/** 1 for the first attempt. */
	readonly attempt?: number;
	/** W3C trace context, kept in the record of the run. */
	readonly traceparent?: string;
	/** Cancels the run when it aborts. */
	readonly signal?: AbortSignal;
	/** Called for every log line as it comes. */
	readonly onLog?: (line: LogLine) => void;
}

/** A run whose script somebody else runs: what is not about the script. */
export type ExternalRunOptions = Omit<
	RunOptions,
	"script" | "mode" | "image" | "host" | "reach" | "arguments" | "files" | "engine" | "allowedHosts"
>;

/** Where scripts run that this host starts. */
export const runModes = ["sandbox", "container", "ssh"] as const;
export type RunMode = (typeof runModes)[number];

/** What is known of every run, checked and complete. */
export interface RunTerms {
	readonly input: Json | undefined;
	readonly event: Omit<EventContext, "execution">;
	readonly namespace: string;
	/** What writes the variables that the run is to find. */
	readonly writes: readonly StoreOperation[];
	readonly scopes: readonly Scope[];
	readonly limits: Limits;
	readonly attempt: number;
	readonly traceparent: string | undefined;
}

/** The options of a run in the sandbox, checked and complete. */
export interface SandboxPlan extends RunTerms {
	readonly script: ScriptSource & { readonly language: Exclude<ScriptLanguage, "bash"> };
	readonly allowedHosts: readonly string[];
	readonly engine: EngineName;
	/** Of Python; of other languages there are none. */
	readonly arguments: readonly string[];
	readonly files: readonly GuestFile[];
}

/** The options of a run in a container, checked and complete. */
export interface ContainerPlan extends RunTerms {
	readonly script: ScriptSource & { readonly language: ScriptLanguage };
	readonly image: string | undefined;
	readonly arguments: readonly string[];
	readonly files: ReadonlyMap<string, string | Uint8Array>;
}

/** The options of a run on an SSH host, checked and complete. */
export interface SshPlan extends Omit<ContainerPlan, "image"> {
	readonly host: SshHost;
	/** `auto`: by the URL where the host reaches it, else by the tunnel. */
	readonly reach: Reach | "auto";
}

/** Where a script is to run; one whose language nothing says is taken for JavaScript. Throws `invalid` for a mode or a language that there is not. */
export function requireMode({ mode, script }: Pick<RunOptions, "mode" | "script">): RunMode {
	if (mode !== undefined) return oneOf(mode, "mode", runModes);
	const language = languageOf(record(script, "script"));
	return language === undefined || sandboxLanguages.includes(language) ? "sandbox" : "container";
}

/**
 * Completes the options of a run in the sandbox. Throws `invalid` or `too-large` for everything that is wrong with them: whatever language the
 * caller writes in, and whoever gave it the values.
 */
export function resolveSandboxOptions(options: RunOptions, hostLimits: Limits, hostEngine: JavaScriptEngine): SandboxPlan {
	requireAbsent(options, ["image"], "a container", "sandbox");
	requireAbsent(options, ["host", "reach"], "an SSH host", "sandbox");
	const terms = resolveRunTerms(options, hostLimits);
	const script = requireScript(options.script, terms.limits);
	const language = languageOf(script);
	const allowedHosts = requireAllowedHosts(options.allowedHosts ?? []);
	if (language === "python") {
		if (options.engine !== undefined)
			throw new RuntimeError("invalid", `engine is for JavaScript and TypeScript; ${excerpt(script.name)} is ${language}.`);
		return { ...terms, allowedHosts, engine: "python", ...requirePythonScript({ ...script, language }, options, terms.limits) };
	}
	requireAbsent(options, ["arguments", "files"], "a container or on an SSH host", "sandbox");
	if (language === "bash")
		throw new RuntimeError(
			"unsupported",
			`The sandbox runs ${sandboxLanguages.join(", ")}; ${excerpt(script.name)} is ${language}. Run it in a container (mode "container").`,
		);
	return {
		...terms,
		script: { ...script, language: language ?? "javascript" },
		allowedHosts,
		engine: requireJavaScriptEngine(options.engine ?? hostEngine),
		arguments: [],
		files: [],
	};
}

/** The same for a run in a container. Throws `denied`, too, for an image that is not one of `images`. */
export function resolveContainerOptions(options: RunOptions, hostLimits: Limits, images: readonly string[]): ContainerPlan {
	requireAbsent(options, ["engine", "allowedHosts"], "the sandbox", "container");
	requireAbsent(options, ["host", "reach"], "an SSH host", "container");
	const terms = resolveRunTerms(options, hostLimits);
	const { image } = options;
	if (image !== undefined && !images.includes(string(image, "image")))
		throw new RuntimeError("denied", `The image ${excerpt(image)} is not one that the operator has allowed.`);
	return { ...terms, image, ...requirePlaced(options, terms.limits) };
}

/**
 * The same for a run on an SSH host. Throws `denied`, too, for a namespace whose runs the host does not take and for scopes that its agent was not granted, `not-found` for a
 * host that there is not, and `unavailable` for a way to the helpers that this process does not have.
 */
export function resolveSshOptions(
	options: RunOptions,
	hostLimits: Limits,
	findHost: (name: string) => SshHost,
	doors: SshDoors,
): SshPlan {
	requireAbsent(options, ["engine", "allowedHosts"], "the sandbox", "ssh");
	requireAbsent(options, ["image"], "a container", "ssh");
	if (options.host === undefined) throw new RuntimeError("invalid", "host is missing: mode ssh needs the name of an SSH host.");
	const host = findHost(string(options.host, "host"));
	const reach = requireReach(oneOf(options.reach ?? host.reach, "reach", ["auto", ...reaches] as const), host, doors);
	const granted = reach === "agent" ? doors.agents?.find(host.name)?.scopes : undefined;
	const terms = resolveRunTerms(
		{
			...options,
			scopes: options.scopes ?? granted ?? host.scopes ?? leastScopes,
			limits: { ...host.limits, ...record(options.limits ?? {}, "limits") },
		},
		hostLimits,
	);
	const missing = granted && terms.scopes.find((scope) => !granted.includes(scope));
	if (missing !== undefined)
		throw new RuntimeError(
			"denied",
			`The agent of the host ${host.name} was not granted the scope ${missing}; \`cronium agents invite\` grants scopes.`,
		);
	if (!host.namespaces.includes(terms.namespace))
		throw new RuntimeError(
			"denied",
			`The host ${host.name} takes runs of the namespace ${host.namespaces.join(" and ")}, and not of ${terms.namespace}: runs of one account see each other. Its namespaces in hosts.toml, and shared = true, allow it.`,
		);
	return { ...terms, host, reach, ...requirePlaced(options, terms.limits) };
}

/** How scripts on the host reach their helpers, as far as it is known before there is a connection. */
function requireReach(reach: Reach | "auto", { name }: SshHost, { url, agents }: SshDoors): Reach | "auto" {
	const isConnected = agents?.find(name) !== undefined;
	if (reach === "auto") return isConnected ? "agent" : "auto";
	if (reach === "url" && !url)
		throw new RuntimeError(
			"unavailable",
			"This process has no URL that scripts on other machines reach; `cronium serve` with --url has one, and the reach tunnel needs none.",
		);
	if (reach === "agent" && !agents)
		throw new RuntimeError("unavailable", "This process has no agents; `cronium serve` with --agent-listen has them.");
	if (reach === "agent" && !isConnected)
		throw new RuntimeError(
			"unavailable",
			`No approved agent of the host ${name} is connected; \`cronium agents list\` shows which there are and since when they are not.`,
		);
	return reach;
}

/** What a script has that is put somewhere as files. Throws `invalid` or `too-large`. */
function requirePlaced(options: RunOptions, limits: Limits): Pick<ContainerPlan, "script" | "arguments" | "files"> {
	const script = requireScript(options.script, limits);
	const language = languageOf(script);
	if (language === undefined)
		throw new RuntimeError(
			"invalid",
			`What language ${excerpt(script.name)} is in is not known; its name has to end with one of ${scriptExtensions.join(", ")}, or its language has to be given.`,
		);
	const given = requirePlacedFiles(options, limits);
	requireFileName(scriptFileName(script.name, language), given.files);
	return { script: { ...script, language }, ...given };
}

/** A given language, or the one that the script shows. */
function languageOf({ language, name, source }: Readonly<Record<string, unknown>> | ScriptSource): ScriptLanguage | undefined {
	if (language !== undefined) return oneOf(language, "the script's language", scriptLanguages);
	return findLanguage(typeof name === "string" ? name : "", typeof source === "string" ? source.slice(0, 512) : "");
}

function requireAbsent(options: RunOptions, names: readonly (keyof RunOptions)[], place: string, mode: RunMode): void {
	for (const name of names)
		if (options[name] !== undefined)
			throw new RuntimeError("invalid", `${name} is for runs in ${place}; this run is in mode ${mode}.`);
}

/** The same for what every run has. */
export function resolveRunTerms(options: ExternalRunOptions, hostLimits: Limits): RunTerms {
	const limits = resolveRunLimits(options.limits ?? {}, hostLimits);
	const namespace = requireNamespace(options.namespace ?? "default");
	const { input, attempt = 1, traceparent } = options;
	if (input !== undefined) requireJson(input, limits, { name: "input", maxBytesLimit: "maxInputBytes" });
	if (traceparent !== undefined && !traceparentPattern.test(string(traceparent, "traceparent")))
		throw new RuntimeError(
			"invalid",
			`traceparent is ${excerpt(traceparent)}; it must be one of version 00 (W3C trace context).`,
		);
	const writer = { namespace, limits, author: "" };
	return {
		input,
		event: requireEvent(options.event ?? {}, limits),
		namespace,
		writes: Object.entries(record(options.variables ?? {}, "variables")).flatMap(
			([key, value]) => setVariable(writer, key, value as Json, undefined).operations,
		),
		scopes: list(options.scopes ?? everyScope, "scopes").map((scope) => oneOf(scope, "a scope", everyScope)),
		limits,
		attempt: whole(attempt, "attempt", 1, 2 ** 32 - 1),
		traceparent,
	};
}

export function requireNamespace(namespace: unknown): string {
	if (typeof namespace === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(namespace)) return namespace;
	throw new RuntimeError(
		"invalid",
		`The namespace ${excerpt(String(namespace))} is not valid; 1 to 128 letters, digits, dots, dashes and underscores are, beginning with a letter or digit.`,
	);
}

const traceparentPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const maxNameCharacters = 255;
const maxAllowedHosts = 1_000;
const eventTexts = ["id", "name", "description", "type", "runLocation", "createdAt", "updatedAt", "userId", "lastRunAt"];
const eventCounts = ["successCount", "failureCount"];

function resolveRunLimits(overrides: Partial<Record<LimitName, number>>, hostLimits: Limits): Limits {
	for (const name of Object.keys(record(overrides, "limits")))
		if (Object.hasOwn(limitDefinitions, name) && limitDefinitions[name as LimitName].scope === "host")
			throw new RuntimeError("invalid", `${name} is a limit of the host; it cannot differ from run to run.`);
	return resolveLimits(overrides, hostLimits);
}

/** Checks a script as it was given. Throws `invalid` or `too-large`. */
export function requireScript(given: unknown, limits: Limits): ScriptSource {
	const { name, source, language, sourceMap } = record(given, "script");
	const shown = string(name, "the script's name");
	if (shown === "" || shown.length > maxNameCharacters || /\p{Cc}/u.test(shown))
		throw new RuntimeError(
			"invalid",
			`The script's name is ${excerpt(shown)}; it must have 1 to ${maxNameCharacters} characters, none of them a control character.`,
		);
	if (typeof source !== "string") throw new RuntimeError("invalid", "The script's source must be a string.");
	const bytes = utf8Length(source);
	if (bytes > limits.maxSourceBytes)
		throw new RuntimeError("too-large", `The script has ${bytes} bytes; the limit maxSourceBytes is ${limits.maxSourceBytes}.`, {
			limit: describeLimit(limits, "maxSourceBytes"),
		});
	return {
		name: shown,
		source,
		...(language !== undefined && { language: oneOf(language, "the script's language", scriptLanguages) }),
		...(sourceMap !== undefined && { sourceMap: string(sourceMap, "the script's source map") }),
	};
}

/** The fields of the WIT record `event-context`, the run's own left out. */
function requireEvent(given: unknown, limits: Limits): Omit<EventContext, "execution"> {
	const event = record(given, "event");
	const checked: Record<string, unknown> = {};
	for (const [field, value] of Object.entries(event)) {
		if (value === undefined || value === null) continue;
		if (eventTexts.includes(field)) checked[field] = string(value, `event.${field}`);
		else if (eventCounts.includes(field)) checked[field] = whole(value, `event.${field}`, 0, Number.MAX_SAFE_INTEGER);
		else if (field === "server") checked[field] = requireServer(value);
		else throw unknownField(field, "event", [...eventTexts, ...eventCounts, "server"]);
	}
	const bytes = utf8Length(JSON.stringify(checked));
	if (bytes > limits.maxInputBytes)
		throw new RuntimeError("too-large", `The event has ${bytes} bytes; the limit maxInputBytes is ${limits.maxInputBytes}.`, {
			limit: describeLimit(limits, "maxInputBytes"),
		});
	return checked;
}

function requireServer(given: unknown): EventContext["server"] {
	const { id, name, ...others } = record(given, "event.server");
	for (const field of Object.keys(others)) throw unknownField(field, "event.server", ["id", "name"]);
	return {
		id: string(id, "event.server.id"),
		...(name !== undefined && name !== null && { name: string(name, "event.server.name") }),
	};
}

function requireAllowedHosts(given: unknown): readonly string[] {
	const hosts = list(given, "allowedHosts").map((host) => string(host, "an allowed host"));
	if (hosts.length > maxAllowedHosts)
		throw new RuntimeError("too-large", `allowedHosts has ${hosts.length} entries; the limit is ${maxAllowedHosts}.`);
	parseAllowedHosts(hosts);
	return hosts;
}

function list(value: unknown, name: string): readonly unknown[] {
	if (Array.isArray(value)) return value;
	throw new RuntimeError("invalid", `${name} must be an array.`);
}
