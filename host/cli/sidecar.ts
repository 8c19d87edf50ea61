import { type Command, type CommandLine, exitCodes, requireOperands, UsageError } from "./command.ts";
import { endRequested } from "./end-signals.ts";
import { readSecret } from "./secret-file.ts";
import { printError } from "./terminal.ts";

export const command: Command = {
	name: "cronium sidecar",
	operands: "",
	summary: "Is the local door of one run, beside its container, and forwards to a host.",
	details: `The credentials are what POST /control/v1/runs/{id}/sidecar answers: a file that nobody else can read, or standard input; never an argument or the
environment, which others can see. In the directory it makes the socket and the files that the container's CRONIUM_ variables name. It ends with its run, and with
SIGTERM or SIGINT.`,
	options: [
		{ name: "credentials", value: "FILE", description: "The credentials (JSON), a file of mode 0600; - is standard input." },
		{ name: "directory", value: "DIR", description: "Where the socket and the container's credentials are made." },
		{ name: "group", value: "GID", description: "The group that may use them; nobody but this user when not given." },
	],
	examples: [
		"cronium sidecar --credentials /run/secrets/sidecar.json --directory /run/cronium",
		"cronium sidecar --credentials - --directory /run/cronium --group 10001",
	],
	run,
};

async function run(line: CommandLine): Promise<number> {
	requireOperands(line);
	const file = line.value("credentials");
	const directory = line.value("directory");
	if (file === undefined) throw new UsageError("--credentials is missing.");
	if (directory === undefined) throw new UsageError("--directory is missing.");
	const group = line.value("group");
	if (group !== undefined && !/^\d{1,9}$/.test(group))
		throw new UsageError(`--group is ${JSON.stringify(group)}; it must be the number of a group.`);
	const text = await readSecret("--credentials", file);
	const { readSidecarCredentials } = await import("../../sidecar/sidecar-credentials.ts");
	const credentials = readSidecarCredentials(text);
	const { SidecarProcess } = await import("../../sidecar/sidecar-process.ts");
	await using sidecar = await SidecarProcess.open({
		credentials,
		directory,
		...(group !== undefined && { groupId: Number(group) }),
	});
	printError(`run ${credentials.run} on unix:${sidecar.socketPath}`);
	await Promise.race([sidecar.ended, endRequested()]);
	return exitCodes.succeeded;
}
