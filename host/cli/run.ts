import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { type Scope, scopes } from "../contract/generated/types.ts";
import { type LimitName, limitDefinitions } from "../contract/limits.ts";
import type { Failure, LogLine, Outcome } from "../execution.ts";
import { reaches } from "../executors/ssh/ssh-host.ts";
import type { Host } from "../host.ts";
import type { HostOptions } from "../index.ts";
import type { RunMode, RunOptions } from "../run-options.ts";
import { sandboxLanguages } from "../script-language.ts";
import { BundleError } from "./bundle-error.ts";
import { type Command, type CommandLine, exitCodes, UsageError } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { readJsonArgument } from "./json-argument.ts";
import { printJson, RawJson, stringify } from "./json-print.ts";
import { containerOptions, dataOption, jsonOption, namespaceOption, openHost } from "./options.ts";
import { describeDuration, readDuration, readLimit, readSize } from "./quantity.ts";
import { prepareScriptFile, readScriptFile, type ScriptFile } from "./script-file.ts";
import { escapeText, paint, printError, startProgress } from "./terminal.ts";

const engines = ["quickjs-wasi", "quickjs-emscripten"] as const;

export const command: Command = {
	name: "cronium run",
	operands: "<file> [argument…]",
	summary: "Runs a script in the sandbox, in a container or on an SSH host, and prints its output as JSON.",
	details: `JavaScript and TypeScript run in the sandbox, Python and Bash in a container; the extension or a first line #! says which it is, and --in decides otherwise.
The output goes to standard output, exactly as the script set it; what the script logs goes to standard error as it happens.
Imports of files and npm packages of the project are bundled first. Variables that the script sets are there in the next run.`,
	options: [
		{ name: "input", value: "JSON", description: "The input: JSON, @file, or - for standard input." },
		{ name: "var", value: "KEY=JSON", repeats: true, description: "Sets a variable before the run." },
		{
			name: "event",
			value: "JSON",
			description: "The event that started the run, a JSON object or @file, with its id, name, type and others.",
		},
		namespaceOption,
		{
			name: "in",
			value: "MODE",
			description: "Where it runs: sandbox, container, or ssh:NAME for a host of cronium hosts list.",
		},
		{
			name: "scope",
			value: "SCOPE",
			repeats: true,
			description: "What it may do, variables:read for one; without it everything, and on an SSH host what its entry says.",
		},
		{
			name: "reach",
			value: "WAY",
			description: `How a script on an SSH host reaches its helpers: auto, ${reaches.join(", ")}; as the host's entry says when not given.`,
		},
		{
			name: "image",
			value: "REFERENCE",
			description: "The image of the container; that of the script's language when not given.",
		},
		{
			name: "file",
			value: "PATH",
			repeats: true,
			description:
				"A file that the script finds beside itself in its container or on its SSH host; in or below the script's directory.",
		},
		...containerOptions,
		{ name: "timeout", value: "DURATION", description: "Time from start to deadline: 500ms, 30s, 2m." },
		{ name: "memory", value: "SIZE", description: "Memory of the script, or of its container: 64MiB, 1GiB." },
		{ name: "limit", value: "NAME=VALUE", repeats: true, description: "Any other limit of a run; see cronium limits." },
		{ name: "allow-host", value: "HOST", repeats: true, description: "A host that fetch may reach; none when not given." },
		{ name: "engine", value: "NAME", description: `${engines.join(" or ")}.` },
		{
			name: "record",
			value: "FILE",
			description: "Write what the script found to a file, with which the SDKs' stubs can replay it.",
		},
		{ name: "root", value: "DIR", description: "Where imports may come from; the nearest directory with package.json or .git." },
		dataOption,
		jsonOption("Print all of the outcome: status, output, condition, logs, usage, error."),
	],
	examples: [
		"cronium run examples/orders.ts --input @examples/orders.json",
		'cronium run hello.js --input \'{"name":"Ada"}\' --timeout 5s',
		"cronium run report.ts --var threshold=5000 --var 'currency=\"EUR\"' --json",
		"curl -s https://example.com/data.json | cronium run digest.ts --input -",
		"cronium run examples/report.sh --input @examples/orders.json",
		"cronium run --in container import.py --file lib/rates.py -- --since 2026-01-01",
		"cronium run --in ssh:web1 disk-check.sh",
	],
	run,
};

async function run(line: CommandLine): Promise<number> {
	const [file, ...given] = line.operands;
	if (file === undefined) throw new UsageError("The script's file is missing.");
	const scriptFile = readScriptFile(file, line.value("root"));
	const place = readPlace(line, scriptFile);
	const { mode } = place;
	requireNothingForOthers(line, mode, given);
	const options = {
		...readOptions(line, mode),
		...(mode !== "sandbox" && readPlacedOptions(line, scriptFile, given)),
		...place,
	};
	using cancel = cancelOnSignals();

	const openHere = (): Promise<Host> =>
		openHost(line, {
			// One run: there is no next one to start a container for.
			limits: { maxWorkers: 1, maxIdleContainers: 0 },
			containers: readContainerSettings(line),
			...(options.engine && { engine: options.engine }),
		});
	// Neither waits for the other: the host starts its threads while the script is prepared. Who serves the data directory has connections to SSH hosts already.
	const opening = mode === "ssh" ? undefined : openHere();
	opening?.catch(() => undefined);
	let prepared: Awaited<ReturnType<typeof prepareScriptFile>>;
	try {
		prepared = await prepareScriptFile(scriptFile, mode === "sandbox" ? mode : "container");
	} catch (cause) {
		await opening?.then(
			(host) => host.dispose(),
			() => undefined,
		);
		if (!(cause instanceof BundleError)) throw cause;
		if (line.flag("json")) printJson(describeUnstarted(cause));
		printError(cause.message);
		return exitCodes.failed;
	}
	for (const warning of prepared.warnings) printError(`warning: ${warning}`);

	const request = { ...options, script: prepared.script };
	const { signal } = cancel;
	const served = mode === "ssh" ? await runServed(line, scriptFile.name, request, signal) : undefined;
	const recording = line.value("record");
	await using host = served && recording === undefined ? undefined : await (opening ?? openHere());
	const outcome = served ?? (await watchLog(scriptFile.name, (onLog) => (host as Host).run({ ...request, signal, onLog })));
	// Before the host is closed: a result that is there is not kept waiting.
	if (line.flag("json")) printJson(describeOutcome(outcome));
	else if (outcome.outputText !== undefined) printJson(outcome.outputText);
	printEnd(outcome);
	if (recording !== undefined) await writeRecording(recording, await (host as Host).executions.fixture(outcome.executionId));
	return outcome.exitCode;
}

/** What is recorded is the user's data: nobody else is to read it. */
async function writeRecording(file: string, text: string): Promise<void> {
	const { writeFile } = await import("node:fs/promises");
	try {
		await writeFile(file, `${text}\n`, { mode: 0o600 });
	} catch (cause) {
		throw new UsageError(`--record: ${JSON.stringify(file)} cannot be written (${(cause as NodeJS.ErrnoException).code}).`);
	}
}

/** Runs the script in the process that serves the data directory; undefined when none does. Other runs do without its modules, and start sooner. */
async function runServed(
	line: CommandLine,
	name: string,
	request: RunOptions,
	signal: AbortSignal,
): Promise<Outcome | undefined> {
	const { runAtServer } = await import("./serving.ts");
	return await watchLog(name, (onLog) => runAtServer(resolveDataDirectory(line.value("data")), request, { onLog, signal }));
}

/** Runs the script, and prints its log as it comes. */
async function watchLog<Result>(name: string, runScript: (onLog: (line: LogLine) => void) => Promise<Result>): Promise<Result> {
	const progress = startProgress(name);
	try {
		return await runScript((log) => {
			progress.clear();
			printLog(log);
		});
	} finally {
		progress.stop();
	}
}

/** Where the script runs: where it was told to, or where its language does. */
function readPlace(line: CommandLine, { language, name }: ScriptFile): { readonly mode: RunMode; readonly host?: string } {
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
function requireNothingForOthers(line: CommandLine, mode: RunMode, given: readonly string[]): void {
	if (mode === "sandbox" && given.length > 0)
		throw new UsageError(`${JSON.stringify(given[0])} is one argument too many: a script in the sandbox takes none.`);
	for (const [name, { modes, described }] of Object.entries(optionsOfModes))
		if (line.value(name) !== undefined && !modes.includes(mode))
			throw new UsageError(
				`--${name} is for ${described}, and this script runs ${placesOfModes[mode]}${mode === "sandbox" && modes.includes("container") ? "; --in container runs it in one" : ""}.`,
			);
}

const placesOfModes: Readonly<Record<RunMode, string>> = {
	sandbox: "in the sandbox",
	container: "in a container",
	ssh: "on an SSH host",
};

const optionsOfModes: Readonly<Record<string, { readonly modes: readonly RunMode[]; readonly described: string }>> = {
	image: { modes: ["container"], described: "containers" },
	file: { modes: ["container", "ssh"], described: "containers and SSH hosts" },
	"container-engine": { modes: ["sandbox", "container"], described: "containers" },
	"container-allow": { modes: ["sandbox", "container"], described: "containers" },
	reach: { modes: ["ssh"], described: "SSH hosts" },
	memory: { modes: ["sandbox", "container"], described: "the sandbox and containers" },
	"allow-host": { modes: ["sandbox"], described: "the sandbox" },
	engine: { modes: ["sandbox"], described: "the sandbox" },
};

/** What a script has that is put somewhere as files. */
function readPlacedOptions(line: CommandLine, script: ScriptFile, given: readonly string[]): Partial<RunOptions> {
	const image = line.value("image");
	const reach = line.value("reach");
	return {
		arguments: given,
		files: Object.fromEntries(line.values("file").map((file) => readFileOfScript(file, script))),
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
function readContainerSettings(line: CommandLine): NonNullable<HostOptions["containers"]> {
	const image = line.value("image");
	return {
		...(image !== undefined && { images: [image] }),
		allowMissing: line.values("container-allow"),
		onImageMissing: (reference) => printError(`${reference} is not there yet; it is made of this machine's programs.`),
		...(line.value("container-engine") !== undefined && { engine: line.value("container-engine") as string }),
	};
}

function readOptions(line: CommandLine, mode: RunMode): Omit<RunOptions, "script"> {
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

/** The first signal cancels the run, the second ends the process. */
function cancelOnSignals(): Disposable & { readonly signal: AbortSignal } {
	const abort = new AbortController();
	const onSignal = (): void => {
		if (abort.signal.aborted) process.exit(exitCodes.cancelled);
		abort.abort();
	};
	for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
	return {
		signal: abort.signal,
		[Symbol.dispose]: () => {
			for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, onSignal);
		},
	};
}

const levelStyles = { debug: "dim", info: "blue", warn: "yellow", error: "red" } as const;

/** One log line on standard error. What the script printed stands as it is; a structured line has its level before it and its fields behind. */
function printLog({ level, source, message, fields }: LogLine): void {
	const { stderr } = process;
	// A message of several lines must not pass for several messages.
	const text = escapeText(message, { lines: true }).replaceAll("\n", "\n  ");
	if (source === "stdout" || source === "stderr") {
		stderr.write(`${text}\n`);
		return;
	}
	const details = fields === undefined || fields === "{}" ? "" : ` ${paint(stderr, "dim", escapeText(fields))}`;
	stderr.write(`${paint(stderr, levelStyles[level], level.padEnd(5))} ${text}${details}\n`);
}

/** Says on standard error why a run did not succeed; on a terminal also how long it took and where to look. */
function printEnd({ status, error, usage, executionId }: Outcome): void {
	if (error) printError([describeFailure(error), ...readFrames(error)].join("\n"));
	const { stderr } = process;
	if (stderr.isTTY)
		stderr.write(`${paint(stderr, "dim", `${status} after ${describeDuration(usage.wallTimeMs)}, execution ${executionId}`)}\n`);
}

function describeFailure({ name, message, limit }: Failure): string {
	const text = name !== undefined && !message.startsWith(name) ? `${name}: ${message}` : message;
	if (limit === undefined || text.includes(limit.name)) return text;
	return `${text.replace(/\.$/, "")} (${limit.name}).`;
}

const readFrames = ({ stack = "" }: Failure): string[] =>
	stack
		.split("\n")
		.map((frame) => frame.trim())
		.filter((frame) => frame !== "");

function describeOutcome({ output: _, outputText, logs, ...outcome }: Outcome): string {
	const { executionId, status, exitCode, ...rest } = outcome;
	return stringify({
		executionId,
		status,
		exitCode,
		...(outputText !== undefined && { output: new RawJson(outputText) }),
		...rest,
		logs: logs.map(({ fields, ...log }) => ({ ...log, ...(fields !== undefined && { fields: new RawJson(fields) }) })),
	});
}

/** The outcome of a run that was not started: it has no execution. */
function describeUnstarted({ code, message }: BundleError): string {
	return stringify({
		executionId: null,
		status: "failed",
		exitCode: exitCodes.failed,
		condition: null,
		logs: [],
		error: { code, message },
	});
}
