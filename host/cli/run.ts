import type { LogLine, Outcome } from "../execution.ts";
import { reaches } from "../executors/ssh/ssh-host.ts";
import type { Host } from "../host.ts";
import type { RunOptions } from "../run-options.ts";
import { BundleError } from "./bundle-error.ts";
import { type Command, type CommandLine, exitCodes, UsageError } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson } from "./json-print.ts";
import { containerOptions, dataOption, jsonOption, namespaceOption, openHost } from "./options.ts";
import type { SeveralHosts } from "./run-hosts.ts";
import {
	engines,
	readContainerSettings,
	readOptions,
	readPlace,
	readPlacedOptions,
	requireNothingForOthers,
	severalHostsOptions,
} from "./run-line.ts";
import { describeOutcome, describeUnstarted, printEnd, printLog } from "./run-report.ts";
import { prepareScriptFile, readScriptFile } from "./script-file.ts";
import { print, printError, startProgress } from "./terminal.ts";

export const command: Command = {
	name: "cronium run",
	operands: "<file> [argument…]",
	summary: "Runs a script in the sandbox, in a container or on an SSH host, and prints its output as JSON.",
	details: `JavaScript, TypeScript and Python run in the sandbox, Bash in a container; the extension or a first line #! says which it is, and --in decides otherwise.
The output goes to standard output, exactly as the script set it; what the script logs goes to standard error as it happens.
Imports of files and npm packages of the project are bundled first; modules in Python that are beside the script go with it. Variables that the script sets are there in the next run.`,
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
			description:
				"Where it runs: sandbox, container, or ssh:NAME for a host of cronium hosts list; on several with a pattern (ssh:web-*), a tag (ssh:tag=eu) or commas.",
		},
		...severalHostsOptions,
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
				"A file that a script in Python, in a container or on an SSH host finds beside itself; in or below the script's directory.",
		},
		{
			name: "with",
			value: "PATH",
			repeats: true,
			description:
				"Python in the sandbox: a wheel in pure Python, a directory of wheels, a module or the directory of a package that the script imports.",
		},
		...containerOptions,
		{ name: "timeout", value: "DURATION", description: "Time from start to deadline: 500ms, 30s, 2m." },
		{ name: "memory", value: "SIZE", description: "Memory of the script, or of its container: 64MiB, 1GiB." },
		{ name: "limit", value: "NAME=VALUE", repeats: true, description: "Any other limit of a run; see cronium limits." },
		{ name: "allow-host", value: "HOST", repeats: true, description: "A host that fetch may reach; none when not given." },
		{ name: "engine", value: "NAME", description: `Of JavaScript and TypeScript: ${engines.join(" or ")}.` },
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
		"cronium run examples/orders.py --input @examples/orders.json",
		"cronium run import.py --with wheels/rates-1.0-py3-none-any.whl -- --since 2026-01-01",
		"cronium run examples/report.sh --input @examples/orders.json",
		"cronium run --in container import.py --file lib/rates.py -- --since 2026-01-01",
		"cronium run --in ssh:web-1 examples/disk-check.sh",
		"cronium run --in 'ssh:web-*' --max-parallel 5 --stop-on-failure examples/disk-check.sh",
	],
	run,
};

async function run(line: CommandLine): Promise<number> {
	const [file, ...given] = line.operands;
	if (file === undefined) throw new UsageError("The script's file is missing.");
	const scriptFile = readScriptFile(file, line.value("root"));
	const place = readPlace(line, scriptFile);
	const { mode } = place;
	requireNothingForOthers(line, scriptFile, mode, given);
	const several = place.host === undefined ? undefined : await readSeveral(line, place.host);
	const options = {
		...readOptions(line, mode),
		...((mode !== "sandbox" || scriptFile.language === "python") && readPlacedOptions(line, scriptFile, given)),
		...place,
	};
	using cancel = cancelOnSignals();

	const { signal } = cancel;
	await using here = new LazyHost(() =>
		openHost(line, {
			// One run: there is no next one to start a container for.
			limits: { maxWorkers: 1, maxIdleContainers: 0 },
			warm: mode === "sandbox",
			containers: readContainerSettings(line),
			...(options.engine && { engine: options.engine }),
		}),
	);
	// Neither waits for the other: the host starts its threads while the script is prepared. Who serves the data directory has connections to SSH hosts already.
	if (mode !== "ssh") here.open().catch(() => undefined);
	let prepared: Awaited<ReturnType<typeof prepareScriptFile>>;
	try {
		prepared = await prepareScriptFile(scriptFile, mode === "sandbox" ? mode : "container");
	} catch (cause) {
		if (!(cause instanceof BundleError)) throw cause;
		if (line.flag("json")) printJson(describeUnstarted(cause));
		printError(cause.message);
		return exitCodes.failed;
	}
	for (const warning of prepared.warnings) printError(`warning: ${warning}`);

	// A file that was named goes before a module of the same place.
	const files = { ...Object.fromEntries(prepared.files), ...options.files };
	const request = { ...options, script: prepared.script, ...(options.files && { files }) };
	const start: Start = async (one, onLog) => {
		const served = one.mode === "ssh" ? await runServed(line, one, onLog, signal) : undefined;
		return served ?? (await (await here.open()).run({ ...one, signal, onLog }));
	};
	if (several) return await runOnSeveral(line, several, request, start, signal);
	const progress = startProgress(scriptFile.name);
	const outcome = await start(request, (log) => {
		progress.clear();
		printLog(log);
	}).finally(() => progress.stop());
	// Before the host is closed: a result that is there is not kept waiting.
	if (line.flag("json")) printJson(describeOutcome(outcome));
	else if (outcome.outputText !== undefined) printJson(outcome.outputText);
	printEnd(outcome);
	const recording = line.value("record");
	if (recording !== undefined) await writeRecording(recording, await (await here.open()).executions.fixture(outcome.executionId));
	return outcome.exitCode;
}

/** Starts a run where it is to be: in the process that serves the data directory, or here. Resolves with its end. */
type Start = (request: RunOptions, onLog: (line: LogLine) => void) => Promise<Outcome>;

/** The host of this process, which is opened when it is needed, once. */
class LazyHost implements AsyncDisposable {
	readonly #open: () => Promise<Host>;
	#host: Promise<Host> | undefined;

	constructor(open: () => Promise<Host>) {
		this.#open = open;
	}

	open(): Promise<Host> {
		this.#host ??= this.#open();
		return this.#host;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		// Who needed it has heard why it could not be opened.
		await (await this.#host?.catch(() => undefined))?.dispose();
	}
}

/** Runs the script in the process that serves the data directory; undefined when none does. Other runs do without its modules, and start sooner. */
async function runServed(
	line: CommandLine,
	request: RunOptions,
	onLog: (line: LogLine) => void,
	signal: AbortSignal,
): Promise<Outcome | undefined> {
	const { runAtServer } = await import("./serving.ts");
	return await runAtServer(resolveDataDirectory(line.value("data")), request, { onLog, signal });
}

/** The hosts that `--in ssh:…` names, when it may name several. */
async function readSeveral(line: CommandLine, names: string): Promise<SeveralHosts | undefined> {
	const { readHosts } = await import("./run-hosts.ts");
	const several = readHosts(line, names, resolveDataDirectory(line.value("data")));
	if (several && line.value("record") !== undefined)
		throw new UsageError("--record is for one run, and --in names several hosts.");
	return several;
}

/** Runs the script on each host, with a line of JSON for each as it ends, and a summary. */
async function runOnSeveral(
	line: CommandLine,
	several: SeveralHosts,
	request: RunOptions,
	start: Start,
	signal: AbortSignal,
): Promise<number> {
	const { describeHostRun, exitCodeOf, runOnHosts, summarize } = await import("./run-hosts.ts");
	const progress = startProgress(request.script.name);
	const runs = await runOnHosts(
		several,
		signal,
		(host) =>
			start({ ...request, host }, (log) => {
				progress.clear();
				printLog(log, host);
			}),
		(ended) => {
			progress.clear();
			const { host, outcome } = ended;
			if (line.flag("json") && outcome && !(outcome instanceof Error)) printJson(describeOutcome(outcome, host));
			else print(`${describeHostRun(ended)}\n`);
			if (outcome instanceof Error) printError(`${host}: ${outcome.message}`);
			else if (outcome) printEnd(outcome, host);
		},
	).finally(() => progress.stop());
	for (const unstarted of runs) if (unstarted.outcome === undefined) print(`${describeHostRun(unstarted)}\n`);
	printError(summarize(runs));
	return exitCodeOf(runs, signal);
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
