import { existsSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { type Command, type CommandLine, requireOperands, UsageError } from "./command.ts";
import { readJsonArgument } from "./json-argument.ts";
import { printError } from "./terminal.ts";

export const command: Command = {
	name: "cronium dev",
	operands: "<file>",
	summary: "Runs a script on this machine with the SDKs' stub, at once and whenever it is saved.",
	details: `JavaScript, TypeScript, Python and Bash. The script runs as this user, outside of the sandbox and without a platform: its helpers answer from the
options, from .env and from cronium.local.json, and print what they are told. It is run again when it, what it imports, or one of these files changes.`,
	options: [
		{ name: "once", description: "Run once, and end with the script's exit code." },
		{ name: "input", value: "JSON", description: "The input: JSON or @file." },
		{ name: "var", value: "KEY=JSON", repeats: true, description: "A variable that the script finds." },
		{ name: "event", value: "JSON", description: "The event, a JSON object or @file." },
		{ name: "condition", value: "BOOLEAN", description: "The condition at the start: true or false." },
		{ name: "state", value: "FILE", description: "Keep variables in this file from run to run." },
		{ name: "fixture", value: "FILE", description: "Replay what `cronium run --record` has written." },
		{ name: "clear", description: "Clear the terminal before each run." },
	],
	examples: [
		"cronium dev report.ts --input @orders.json",
		"cronium dev nightly.py --state state.json",
		"cronium dev --once check.sh --fixture recorded.json",
	],
	run,
};

/** How scripts are run, by the ends of their names. */
const kinds: Readonly<Record<string, "javascript" | "python" | "bash">> = {
	".js": "javascript",
	".mjs": "javascript",
	".cjs": "javascript",
	".ts": "javascript",
	".mts": "javascript",
	".cts": "javascript",
	".py": "python",
	".sh": "bash",
	".bash": "bash",
};

/** Settings of an SDK that lead to a platform. */
const connectionVariables = [
	"CRONIUM_API_URL",
	"CRONIUM_SOCKET",
	"CRONIUM_EXECUTION_TOKEN",
	"CRONIUM_EXECUTION_TOKEN_FILE",
	"CRONIUM_CA_CERT",
	"CRONIUM_CLIENT_CERT",
	"CRONIUM_CLIENT_KEY",
];

async function run(line: CommandLine): Promise<number> {
	const [file] = requireOperands(line, "The script's file");
	const kind = kinds[extname(file).toLowerCase()];
	if (!kind)
		throw new UsageError(
			`${JSON.stringify(file)} is not a script that cronium dev runs; it takes ${Object.keys(kinds).join(", ")}.`,
		);
	if (!existsSync(file)) throw new UsageError(`The script: ${JSON.stringify(file)} cannot be read: there is no such file.`);
	if (!statSync(file).isFile()) throw new UsageError(`The script: ${JSON.stringify(file)} is not a file.`);
	const { files } = readStubOptions(line);
	const present = connectionVariables.filter((name) => process.env[name]);
	if (present.length > 0) printError(`${present.join(", ")}: not used here; this run has no platform.`);
	const { DevSession } = await import("./dev-session.ts");
	const session = new DevSession({
		kind,
		file: resolve(file),
		readEnvironment: () => ({ ...withoutConnection(process.env), ...readStubOptions(line).environment }),
		stubFiles: [...files, ...filesOfEnvironment(process.env), ".env", "cronium.local.json"].map((name) => resolve(name)),
		clear: line.flag("clear"),
	});
	return line.flag("once") ? session.runOnce() : session.watch();
}

/** The options as settings of the stub, which are stronger than what is in the environment already; and the files that they name. */
function readStubOptions(line: CommandLine): { environment: Record<string, string>; files: string[] } {
	const environment: Record<string, string> = {};
	const files: string[] = [];
	const give = (name: string, option: string, argument: string): void => {
		if (argument === "-") throw notStandardInput(`--${option}`);
		// What is wrong is said now, and not by the script.
		const text = readJsonArgument(`--${option}`, argument);
		if (argument.startsWith("@")) {
			const file = resolve(argument.slice(1));
			files.push(file);
			environment[name] = `@${file}`;
		} else environment[name] = text;
	};
	const input = line.value("input");
	if (input !== undefined) give("CRONIUM_STUB_INPUT", "input", input);
	const event = line.value("event");
	if (event !== undefined) give("CRONIUM_STUB_EVENT", "event", event);
	const condition = line.value("condition");
	if (condition !== undefined) {
		if (condition !== "true" && condition !== "false")
			throw new UsageError(`--condition is ${JSON.stringify(condition)}; it must be true or false.`);
		environment.CRONIUM_STUB_CONDITION = condition;
	}
	const variables = line.values("var").map((text) => readVariable(text, files));
	if (variables.length > 0) environment.CRONIUM_STUB_VARIABLES = `{${variables.join(",")}}`;
	for (const [option, name] of [
		["state", "CRONIUM_STUB_STATE"],
		["fixture", "CRONIUM_STUB_FIXTURE"],
	] as const) {
		const file = line.value(option);
		if (file === undefined) continue;
		if (option === "fixture") {
			readJsonArgument("--fixture", `@${file}`);
			files.push(resolve(file));
		}
		environment[name] = resolve(file);
	}
	return { environment, files };
}

const notStandardInput = (option: string): UsageError =>
	new UsageError(`${option} cannot be standard input: it is read at every run.`);

/** Files that settings of the stub name, as they are set already. */
function filesOfEnvironment(environment: NodeJS.ProcessEnv): string[] {
	const { CRONIUM_STUB_FILE, CRONIUM_STUB_FIXTURE, CRONIUM_STUB_INPUT, CRONIUM_STUB_VARIABLES, CRONIUM_STUB_EVENT } = environment;
	const values = [CRONIUM_STUB_INPUT, CRONIUM_STUB_VARIABLES, CRONIUM_STUB_EVENT].map((value) =>
		value?.startsWith("@") ? value.slice(1) : undefined,
	);
	return [CRONIUM_STUB_FILE, CRONIUM_STUB_FIXTURE, ...values].filter((file) => file !== undefined && file !== "") as string[];
}

function readVariable(text: string, files: string[]): string {
	const equals = text.indexOf("=");
	if (equals < 1)
		throw new UsageError(`--var is ${JSON.stringify(text)}; it must be KEY=JSON, such as threshold=5000 or 'currency="EUR"'.`);
	const key = text.slice(0, equals);
	const value = text.slice(equals + 1);
	if (value === "-") throw notStandardInput(`--var ${key}`);
	if (value.startsWith("@")) files.push(value.slice(1));
	return `${JSON.stringify(key)}:${readJsonArgument(`--var ${key}`, value)}`;
}

/** A run of this command never reaches a platform, whatever the terminal is set up for. */
function withoutConnection(environment: NodeJS.ProcessEnv): Record<string, string> {
	const kept = Object.entries(environment).filter(([name]) => !connectionVariables.includes(name));
	return Object.fromEntries(kept) as Record<string, string>;
}
