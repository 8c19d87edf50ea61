import { type LimitName, limitDefinitions } from "../contract/limits.ts";
import type { Failure, LogLine, Outcome } from "../execution.ts";
import type { Host } from "../host.ts";
import type { RunOptions } from "../run-options.ts";
import { BundleError } from "./bundle-error.ts";
import { type Command, type CommandLine, exitCodes, requireOperands, UsageError } from "./command.ts";
import { readJsonArgument } from "./json-argument.ts";
import { printJson, RawJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption, namespaceOption, openHost } from "./options.ts";
import { describeDuration, readDuration, readLimit, readSize } from "./quantity.ts";
import { prepareScriptFile, readScriptFile } from "./script-file.ts";
import { escapeText, paint, printError, startProgress } from "./terminal.ts";

const engines = ["quickjs-wasi", "quickjs-emscripten"] as const;

export const command: Command = {
	name: "cronium run",
	operands: "<file>",
	summary: "Runs a script in the sandbox and prints its output as JSON.",
	details: `The output goes to standard output, exactly as the script set it; what the script logs goes to standard error as it happens.
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
		{ name: "timeout", value: "DURATION", description: "Time from start to deadline: 500ms, 30s, 2m." },
		{ name: "memory", value: "SIZE", description: "Memory of the script: 64MiB, 1GiB." },
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
	],
	run,
};

async function run(line: CommandLine): Promise<number> {
	const [file] = requireOperands(line, "The script's file");
	const options = readOptions(line);
	const scriptFile = readScriptFile(file, line.value("root"));
	using cancel = cancelOnSignals();

	// Neither waits for the other: the host starts its threads while the script is prepared.
	const opening = openHost(line, { limits: { maxWorkers: 1 }, ...(options.engine && { engine: options.engine }) });
	opening.catch(() => undefined);
	let prepared: Awaited<ReturnType<typeof prepareScriptFile>>;
	try {
		prepared = await prepareScriptFile(scriptFile);
	} catch (cause) {
		await opening.then(
			(host) => host.dispose(),
			() => undefined,
		);
		if (!(cause instanceof BundleError)) throw cause;
		if (line.flag("json")) printJson(describeUnstarted(cause));
		printError(cause.message);
		return exitCodes.failed;
	}
	for (const warning of prepared.warnings) printError(`warning: ${warning}`);

	await using host: Host = await opening;
	const outcome = await runHere(host, { ...options, script: prepared.script, signal: cancel.signal }, scriptFile.name);
	// Before the host is closed: a result that is there is not kept waiting.
	if (line.flag("json")) printJson(describeOutcome(outcome));
	else if (outcome.outputText !== undefined) printJson(outcome.outputText);
	printEnd(outcome);
	const recording = line.value("record");
	if (recording !== undefined) await writeRecording(recording, await host.executions.fixture(outcome.executionId));
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

/** Runs the script and prints its log as it comes. */
async function runHere(host: Host, options: RunOptions, name: string): Promise<Outcome> {
	const progress = startProgress(name);
	try {
		return await host.run({
			...options,
			onLog: (log) => {
				progress.clear();
				printLog(log);
			},
		});
	} finally {
		progress.stop();
	}
}

function readOptions(line: CommandLine): Omit<RunOptions, "script"> {
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
		limits: readLimits(line),
		allowedHosts: line.values("allow-host"),
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

function readLimits(line: CommandLine): Partial<Record<LimitName, number>> {
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
	if (memory !== undefined) limits.maxMemoryBytes = readSize("--memory", memory);
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
