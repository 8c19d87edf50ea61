import { type Command, type CommandLine, exitCodes, requireOperands, UsageError } from "./command.ts";
import { endRequested } from "./end-signals.ts";
import { readSecret } from "./secret-file.ts";
import { printError } from "./terminal.ts";

export const command: Command = {
	name: "cronium agent",
	operands: "",
	summary: "Is the agent of an SSH host: gives the scripts that run there their helpers, over one connection to the bridge.",
	details: `It runs as the account that scripts run as. Without an identity in its directory it joins first, with the token that cronium agents invite has printed: a file that nobody
else can read, or standard input; never an argument or the environment, which others can see. A token can be used once. The key that it makes never leaves the directory. It ends
with SIGTERM or SIGINT. dist/agent.js of the package is this command in one file, for hosts that have Node (22.12 or newer) and nothing else.`,
	options: [
		{
			name: "state",
			value: "DIR",
			description: "Its directory, made when it is not there: its identity and the sockets of runs.",
		},
		{
			name: "join",
			value: "FILE",
			description: "The join token, a file of mode 0600; - is standard input. Not read when it has joined already.",
		},
	],
	examples: ["cronium agent --state ~/.cronium-agent --join -", "cronium agent --state /var/lib/cronium-agent"],
	run,
};

async function run(line: CommandLine): Promise<number> {
	requireOperands(line);
	const directory = line.value("state");
	if (directory === undefined) throw new UsageError("--state is missing.");
	const { AgentState } = await import("../../sidecar/agent-state.ts");
	await using state = await AgentState.open(directory);
	const { AgentProcess } = await import("../../sidecar/agent-process.ts");
	await using agent = await AgentProcess.open({
		state,
		identity: await findIdentity(state, line.value("join")),
		say: printError,
	});
	await Promise.race([agent.ended, endRequested()]);
	return exitCodes.succeeded;
}

type AgentState = import("../../sidecar/agent-state.ts").AgentState;

async function findIdentity(state: AgentState, joinFile: string | undefined) {
	const found = state.readIdentity();
	if (found && Date.now() < found.expiresAt) {
		if (joinFile !== undefined)
			printError(`This is agent ${found.agent} of the host ${found.host} already. To join anew, remove ${state.identityFile}.`);
		return found;
	}
	if (joinFile === undefined)
		throw new UsageError(
			`${found ? "The certificate of this agent has expired" : "This agent has not joined yet"}; --join needs a token of cronium agents invite.`,
		);
	const { readJoinToken } = await import("../../sidecar/join-token.ts");
	const { join } = await import("../../sidecar/agent-identity.ts");
	const identity = await join(readJoinToken(await readSecret("--join", joinFile)));
	state.writeIdentity(identity);
	printError(`joined as agent ${identity.agent} of the host ${identity.host}`);
	return identity;
}
