import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { type Scope, scopes } from "../contract/generated/types.ts";
import { type LimitName, limitDefinitions } from "../contract/limits.ts";
import { reaches } from "../executors/ssh/ssh-host.ts";
import type { HostOptions } from "../index.ts";
import type { RunMode, RunOptions } from "../run-options.ts";
import { sandboxLanguages } from "../script-language.ts";
import { type CommandLine, type CommandOption, UsageError } from "./command.ts";
import { readJsonArgument } from "./json-argument.ts";
import { readDuration, readLimit, readSize } from "./quantity.ts";
import type { ScriptFile } from "./script-file.ts";
import { printError } from "./terminal.ts";
import { readWithFiles } from "./with-files.ts";

export const engines = ["quickjs-wasi", "quickjs-emscripten"] as const;

/** What `cronium run` has for several hosts. */
export const severalHostsOptions: readonly CommandOption[] = [
	{ name: "max-parallel", value: "NUMBER", description: "Of several SSH hosts: on so many at one time; 10 when not given." },
	{ name: "stop-on-failure", description: "Of several SSH hosts: begin on no other one when a run has failed." },
];

/** Where the script runs: where it was told to, or where its language does. */
export function readPlace(line: CommandLine, { language, name }: ScriptFile): { readonly mode: RunMode; readonly host?: string } {
	const given = line.value("in");
	const [, host] = /^ssh:(.+)$/s.exec(given ?? "") ?? [];
	if (host !== undefined) return { mode: "ssh", host };
	if (given !== undefined && given !== "sandbox" && given !== "container")
		throw new UsageError(
			`--in is ${JSON.stringify(given)}; it must be sandbox, container, or ssh:NAME with the name of an SSH host.`,
		);
	const isForSandbox = sandboxLanguages.includes(language);
	if (given === "sandbox" && !isForSandbox)
		throw new UsageError(`${JSON.stringify(name)} is ${language}, which the sandbox does not run; --in container does.`);
	return { mode: given ?? (isForSandbox ? "sandbox" : "container") };
}

/** What a mode has no use for is not passed over: whoever gives it expects something of it. */
export function requireNothingForOthers(
	line: CommandLine,
	{ language, name: script }: ScriptFile,
	mode: RunMode,
	given: readonly string[],
): void {
	const place = mode === "sandbox" && language === "python" ? "python" : mode;
	if (place === "sandbox" && given.length > 0)
		throw new UsageError(`${JSON.stringify(given[0])} is one argument too many: a script in the sandbox takes none.`);
	for (const [name, { places, described, advice }] of Object.entries(optionsOfPlaces)) {
		if ((!line.flag(name) && line.value(name) === undefined) || places.includes(place)) continue;
		const isOfContainers = places.includes("container");
		if (mode === "sandbox" && !isOfContainers && places.some((one) => one === "sandbox" || one === "python"))
			throw new UsageError(`--${name} is for ${described}; ${JSON.stringify(script)} is ${language}.`);
		const instead = mode === "sandbox" && isOfContainers ? "--in container runs it in one" : advice?.[mode];
		throw new UsageError(
			`--${name} is for ${described}, and this script runs ${placesOfModes[mode]}${instead === undefined ? "" : `; ${instead}`}.`,
		);
	}
}

const placesOfModes: Readonly<Record<RunMode, string>> = {
	sandbox: "in the sandbox",
	container: "in a container",
	ssh: "on an SSH host",
};

/** Where an option means something. `sandbox` is that of JavaScript, `python` that of Python. */
interface OptionPlaces {
	readonly places: readonly (RunMode | "python")[];
	readonly described: string;
	/** What to do in a mode in which it means nothing. */
	readonly advice?: Readonly<Partial<Record<RunMode, string>>>;
}

const optionsOfPlaces: Readonly<Record<string, OptionPlaces>> = {
	image: { places: ["container"], described: "containers" },
	file: { places: ["python", "container", "ssh"], described: "Python, containers and SSH hosts" },
	with: {
		places: ["python"],
		described: "Python in the sandbox",
		advice: { container: "--file gives it files", ssh: "--file gives it files" },
	},
	"container-engine": { places: ["sandbox", "python", "container"], described: "containers" },
	"container-allow": { places: ["sandbox", "python", "container"], described: "containers" },
	reach: { places: ["ssh"], described: "SSH hosts" },
	"max-parallel": { places: ["ssh"], described: "several SSH hosts" },
	"stop-on-failure": { places: ["ssh"], described: "several SSH hosts" },
	memory: { places: ["sandbox", "python", "container"], described: "the sandbox and containers" },
	"allow-host": { places: ["sandbox", "python"], described: "the sandbox" },
	engine: { places: ["sandbox"], described: "JavaScript and TypeScript in the sandbox" },
};

/** What a script has that is put somewhere as files. */
export function readPlacedOptions(line: CommandLine, script: ScriptFile, given: readonly string[]): Partial<RunOptions> {
	const image = line.value("image");
	const reach = line.value("reach");
	return {
		arguments: given,
		files: Object.fromEntries([
			...readWithFiles(line.values("with")),
			...line.values("file").map((file) => readFileOfScript(file, script)),
		]),
		...(image !== undefined && { image }),
		...(reach !== undefined && { reach: readReach(reach) }),
	};
}

function readReach(given: string): NonNullable<RunOptions["reach"]> {
	const ways = ["auto", ...reaches] as const;
	const reach = ways.find((way) => way === given);
	if (reach) return reach;
	throw new UsageError(`--reach is ${JSON.stringify(given)}; it must be one of ${ways.join(", ")}.`);
}

function readScope(given: string): Scope {
	const scope = scopes.find((one) => one === given);
	if (scope) return scope;
	throw new UsageError(`--scope is ${JSON.stringify(given)}; it must be one of ${scopes.join(", ")}.`);
}

/** A file and its path as the script sees it. */
function readFileOfScript(file: string, { path: scriptPath }: ScriptFile): [string, Uint8Array] {
	const shown = JSON.stringify(file);
	try {
		const path = relative(dirname(scriptPath), realpathSync(file));
		if (path === "" || path.startsWith("..") || isAbsolute(path))
			throw new UsageError(`--file: ${shown} is not in or below the directory of the script.`);
		// A pipe would be waited for.
		if (!statSync(file).isFile()) throw new UsageError(`--file: ${shown} is not a regular file.`);
		return [path.replaceAll(sep, "/"), readFileSync(file)];
	} catch (cause) {
		if (cause instanceof UsageError) throw cause;
		throw new UsageError(`--file: ${shown} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
	}
}

/** Who runs the command line is the operator: the image that it names is allowed. */
export function readContainerSettings(line: CommandLine): NonNullable<HostOptions["containers"]> {
	const image = line.value("image");
	return {
		...(image !== undefined && { images: [image] }),
		allowMissing: line.values("container-allow"),
		onImageMissing: (reference) => printError(`${reference} is not there yet; it is made of this machine's programs.`),
		...(line.value("container-engine") !== undefined && { engine: line.value("container-engine") as string }),
	};
}

export function readOptions(line: CommandLine, mode: RunMode): Omit<RunOptions, "script"> {
	const input = line.value("input");
	const event = line.value("event");
	const namespace = line.value("namespace");
	const engine = line.value("engine");
	const variables = line.values("var").map((text): [string, string] => readVariable(text));
	if ([input, event].filter((argument) => argument === "-").length > 1)
		throw new UsageError("--input and --event cannot both be standard input.");
	if (engine !== undefined && !isEngine(engine))
		throw new UsageError(`--engine is ${JSON.stringify(engine)}; it must be ${engines.join(" or ")}.`);
	return {
		...(input !== undefined && { input: readJsonArgument("--input", input) }),
		...(event !== undefined && { event: readEvent(event) }),
		...(namespace !== undefined && { namespace }),
		...(engine !== undefined && { engine }),
		variables: Object.fromEntries(variables),
		limits: readLimits(line, mode),
		...(line.values("scope").length > 0 && { scopes: line.values("scope").map(readScope) }),
		...(line.values("allow-host").length > 0 && { allowedHosts: line.values("allow-host") }),
	};
}

const isEngine = (name: string): name is (typeof engines)[number] => (engines as readonly string[]).includes(name);

function readVariable(text: string): [string, string] {
	const equals = text.indexOf("=");
	if (equals < 1)
		throw new UsageError(`--var is ${JSON.stringify(text)}; it must be KEY=JSON, such as threshold=5000 or 'currency="EUR"'.`);
	const key = text.slice(0, equals);
	return [key, readJsonArgument(`--var ${key}`, text.slice(equals + 1))];
}

function readEvent(argument: string): NonNullable<RunOptions["event"]> {
	const event: unknown = JSON.parse(readJsonArgument("--event", argument));
	if (typeof event !== "object" || event === null || Array.isArray(event)) throw new UsageError("--event is not a JSON object.");
	for (const [name, value] of Object.entries(event)) {
		const expected = Object.hasOwn(eventFields, name) ? eventFields[name as keyof typeof eventFields] : undefined;
		if (!expected)
			throw new UsageError(`--event has a field ${JSON.stringify(name)}; there are ${Object.keys(eventFields).join(", ")}.`);
		if (typeof value !== expected || value === null) throw new UsageError(`--event: ${name} must be a ${expected}.`);
		if (name === "server" && typeof (value as { id?: unknown }).id !== "string")
			throw new UsageError("--event: server must be an object with an id.");
	}
	return event;
}

const eventFields: Readonly<Record<keyof NonNullable<RunOptions["event"]>, "string" | "number" | "object">> = {
	id: "string",
	name: "string",
	description: "string",
	type: "string",
	runLocation: "string",
	createdAt: "string",
	updatedAt: "string",
	userId: "string",
	server: "object",
	successCount: "number",
	failureCount: "number",
	lastRunAt: "string",
};

function readLimits(line: CommandLine, mode: RunMode): Partial<Record<LimitName, number>> {
	const limits: Partial<Record<LimitName, number>> = {};
	for (const text of line.values("limit")) {
		const [, name = "", value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
		if (!Object.hasOwn(limitDefinitions, name) || limitDefinitions[name as LimitName].scope !== "run")
			throw new UsageError(`--limit is ${JSON.stringify(text)}; it must be NAME=VALUE with a limit of runs; see cronium limits.`);
		limits[name as LimitName] = readLimit(`--limit ${name}`, name as LimitName, value);
	}
	const timeout = line.value("timeout");
	const memory = line.value("memory");
	if (timeout !== undefined) limits.maxWallTimeMs = readDuration("--timeout", timeout);
	if (memory !== undefined)
		limits[mode === "sandbox" ? "maxMemoryBytes" : "maxContainerMemoryBytes"] = readSize("--memory", memory);
	return limits;
}
