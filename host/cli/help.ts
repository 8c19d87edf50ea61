import { type Command, type CommandGroup, exitCodes } from "./command.ts";

/** The page that `--help` prints for one command. */
export function describeCommand(command: Command): string {
	const sections = [`${command.name} ${command.operands}`.trim(), "", command.summary];
	if (command.details) sections.push("", command.details);
	if (command.options.length > 0) {
		const rows = command.options.map(({ name, value, repeats, description }): [string, string] => [
			`--${name}${value === undefined ? "" : ` ${value}`}${repeats ? " …" : ""}`,
			description,
		]);
		sections.push("", "Options", ...alignRows(rows));
	}
	if (command.examples.length > 0) sections.push("", "Examples", ...command.examples.map((example) => `  ${example}`));
	return `${sections.join("\n")}\n`;
}

/** The page for a group of commands. */
export function describeGroup(group: CommandGroup): string {
	const rows = Object.values(group.commands).map((command): [string, string] => [
		`${command.name.replace(/^cronium /, "")} ${command.operands}`.trim(),
		command.summary,
	]);
	return `${group.name} <command>\n\n${group.summary}\n\nCommands\n${alignRows(rows).join("\n")}\n\nMore: ${group.name} <command> --help\n`;
}

/** The page of the program. */
export function describeProgram(commands: readonly (readonly [string, string])[]): string {
	const codes = Object.entries(exitCodes).map(([meaning, code]): [string, string] => [
		String(code),
		exitMeanings[meaning as keyof typeof exitCodes],
	]);
	return `cronium <command>

Runs automation scripts in WebAssembly sandboxes, in containers and on SSH hosts, and looks at what they left.

Commands
${alignRows(commands).join("\n")}

Options
${alignRows([
	["--help", "Print help, of the program or of a command."],
	["--version", "Print the version."],
]).join("\n")}

Environment
${alignRows([
	["CRONIUM_DATA", "The data directory when --data is not given; else a directory of the user's."],
	["CRONIUM_CONTAINER_ENGINE", "The container engine when --container-engine is not given; else DOCKER_HOST, or a usual socket."],
	["NO_COLOR", "No colours, also on a terminal."],
]).join("\n")}

Exit codes
${alignRows(codes).join("\n")}

Examples
  cronium run examples/orders.ts --input @examples/orders.json
  cronium run hello.js --input '{"name":"Ada"}' --timeout 5s
  cronium executions list
`;
}

const exitMeanings: Readonly<Record<keyof typeof exitCodes, string>> = {
	succeeded: "It worked.",
	failed: "The script failed, what was asked for does not exist, or the audit log is not in order.",
	usage: "The command line is wrong; nothing was run.",
	timedOut: "The script ran over its time.",
	hostFailure: "The host failed: a data directory that cannot be used, a full disk.",
	cancelled: "Cancelled with Ctrl-C or a signal.",
};

/** Two columns, the second broken at 100 characters. */
function alignRows(rows: readonly (readonly [string, string])[]): string[] {
	const width = Math.max(...rows.map(([left]) => left.length)) + 2;
	return rows.map(([left, right]) => {
		const lines: string[] = [""];
		for (const word of right.split(" ")) {
			const last = lines.length - 1;
			if (`${lines[last]} ${word}`.length > 98 - width) lines.push(word);
			else lines[last] = `${lines[last]} ${word}`.trim();
		}
		return `  ${left.padEnd(width)}${lines.join(`\n${" ".repeat(width + 2)}`)}`;
	});
}
