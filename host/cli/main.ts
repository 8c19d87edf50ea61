import { type Command, type CommandGroup, exitCodes, UsageError } from "./command.ts";
import { runCommand, runProgram } from "./program.ts";
import { print } from "./terminal.ts";

interface Entry {
	readonly summary: string;
	load(): Promise<{ readonly command: Command } | { readonly group: CommandGroup }>;
}

/** Modules are loaded only for the command that was named: start-up is what a user waits for. */
const commands: Readonly<Record<string, Entry>> = {
	run: { summary: "Run a script in the sandbox, in a container or on SSH hosts.", load: () => import("./run.ts") },
	dev: { summary: "Run a script with the SDKs' stub at every save.", load: () => import("./dev.ts") },
	variables: { summary: "Get, set, list and delete variables.", load: () => import("./variables.ts") },
	executions: { summary: "List runs, show one, show its journal.", load: () => import("./executions.ts") },
	serve: { summary: "Serve the runtime API and the control API.", load: () => import("./serve.ts") },
	sidecar: { summary: "Be the local door of one run, beside its container.", load: () => import("./sidecar.ts") },
	agent: { summary: "Be the agent of an SSH host.", load: () => import("./agent.ts") },
	agents: { summary: "Invite, list, approve and revoke agents of SSH hosts.", load: () => import("./agents.ts") },
	bundle: { summary: "Make one file of a script and what it imports.", load: () => import("./bundle-command.ts") },
	hosts: { summary: "Add, list, test and remove SSH hosts that scripts run on.", load: () => import("./hosts.ts") },
	images: { summary: "Build, list and remove the images of container mode.", load: () => import("./images.ts") },
	keys: { summary: "List and rotate keys, renew the operator's credential.", load: () => import("./keys.ts") },
	audit: { summary: "List, verify and export the audit log.", load: () => import("./audit.ts") },
	doctor: { summary: "Say whether scripts can run in containers here.", load: () => import("./doctor.ts") },
	limits: { summary: "Print every limit.", load: () => import("./limits.ts") },
};

/** Runs one command line and sets the process's exit code. */
export const main = (argv: readonly string[]): Promise<void> => runProgram(() => dispatch(argv));

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
