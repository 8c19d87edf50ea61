import { type Command, type CommandGroup, exitCodes, readCommandLine, UsageError } from "./command.ts";
import { drain, print, printError, tolerateClosedPipes } from "./terminal.ts";

interface Entry {
	readonly summary: string;
	load(): Promise<{ readonly command: Command } | { readonly group: CommandGroup }>;
}

/** Modules are loaded only for the command that was named: start-up is what a user waits for. */
const commands: Readonly<Record<string, Entry>> = {
	run: { summary: "Run a script in the sandbox or in a container.", load: () => import("./run.ts") },
	dev: { summary: "Run a script with the SDKs' stub at every save.", load: () => import("./dev.ts") },
	variables: { summary: "Get, set, list and delete variables.", load: () => import("./variables.ts") },
	executions: { summary: "List runs, show one, show its journal.", load: () => import("./executions.ts") },
	serve: { summary: "Serve the runtime API and the control API.", load: () => import("./serve.ts") },
	sidecar: { summary: "Be the local door of one run, beside its container.", load: () => import("./sidecar.ts") },
	bundle: { summary: "Make one file of a script and what it imports.", load: () => import("./bundle-command.ts") },
	hosts: { summary: "Add, list, test and remove SSH hosts that scripts run on.", load: () => import("./hosts.ts") },
	images: { summary: "Build, list and remove the images of container mode.", load: () => import("./images.ts") },
	keys: { summary: "List and rotate keys, renew the operator's credential.", load: () => import("./keys.ts") },
	audit: { summary: "List, verify and export the audit log.", load: () => import("./audit.ts") },
	doctor: { summary: "Say whether scripts can run in containers here.", load: () => import("./doctor.ts") },
	limits: { summary: "Print every limit.", load: () => import("./limits.ts") },
};

/**
 * Runs one command line and sets the process's exit code. The process then ends by itself, when nothing is left to do: `process.exit` waits for
 * Node's compiler threads, which may wait for the heap of the thread that called it (nodejs/node#54918), and once in some hundred runs hangs for ever.
 */
export async function main(argv: readonly string[]): Promise<void> {
	tolerateClosedPipes();
	// Nothing left to wait for and no answer: without this the process would end as if all were well.
	const unanswered = (): void => {
		printError("The host stopped without an answer.");
		process.exitCode = exitCodes.hostFailure;
	};
	process.once("beforeExit", unanswered);
	let exitCode: number;
	try {
		exitCode = await dispatch(argv);
	} catch (cause) {
		exitCode = report(cause);
	}
	await drain();
	process.off("beforeExit", unanswered);
	if (exitCode !== exitCodes.succeeded) process.exitCode = exitCode;
	// What was left open (a pipe that somebody else holds, say) must not keep the process.
	setTimeout(() => process.exit(), lingerMs).unref();
}

const lingerMs = 1_000;

async function dispatch(argv: readonly string[]): Promise<number> {
	const [name, ...rest] = argv;
	if (name === undefined || name === "--help" || name === "-h" || name === "help")
		return await printHelp(name === "help" ? rest : []);
	if (name === "--version" || name === "-V") {
		print(`${(await import("../../package.json", { with: { type: "json" } })).default.version}\n`);
		return exitCodes.succeeded;
	}
	const loaded = await requireCommand(name).load();
	if ("command" in loaded) return await runCommand(loaded.command, rest);
	const [member, ...operands] = rest;
	if (member === undefined || member === "--help" || member === "-h") return await printHelp([name]);
	return await runCommand(requireMember(loaded.group, member), operands);
}

async function runCommand(command: Command, argv: readonly string[]): Promise<number> {
	const end = argv.indexOf("--");
	const options = end < 0 ? argv : argv.slice(0, end);
	if (options.includes("--help") || options.includes("-h")) {
		const { describeCommand } = await import("./help.ts");
		print(describeCommand(command));
		return exitCodes.succeeded;
	}
	return await command.run(readCommandLine(command, argv));
}

async function printHelp([name, member]: readonly string[]): Promise<number> {
	const { describeCommand, describeGroup, describeProgram } = await import("./help.ts");
	if (name === undefined) print(describeProgram(Object.entries(commands).map(([command, { summary }]) => [command, summary])));
	else {
		const loaded = await requireCommand(name).load();
		if ("command" in loaded) print(describeCommand(loaded.command));
		else print(member === undefined ? describeGroup(loaded.group) : describeCommand(requireMember(loaded.group, member)));
	}
	return exitCodes.succeeded;
}

function requireCommand(name: string): Entry {
	const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
	if (entry) return entry;
	throw new UsageError(`There is no command ${JSON.stringify(name)}; there are ${Object.keys(commands).join(", ")}.`);
}

function requireMember({ name, commands: members }: CommandGroup, member: string): Command {
	const command = Object.hasOwn(members, member) ? members[member] : undefined;
	if (command) return command;
	throw new UsageError(`There is no command ${JSON.stringify(member)} in ${name}; there are ${Object.keys(members).join(", ")}.`);
}

/** One line for whatever went wrong, and the exit code for it. */
function report(cause: unknown): number {
	if (cause instanceof UsageError) {
		printError(`${cause.message} Try --help.`);
		return exitCodes.usage;
	}
	const error = cause instanceof Error ? cause : new Error(String(cause));
	printError(error.message === "" ? error.name : error.message);
	const { code } = error as { code?: unknown };
	if (error.name !== "RuntimeError") return exitCodes.hostFailure;
	if (code === "invalid" || code === "too-large") return exitCodes.usage;
	return code === "not-found" || code === "conflict" ? exitCodes.failed : exitCodes.hostFailure;
}
