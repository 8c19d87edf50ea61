import type { Scope } from "../contract/generated/types.ts";
import { type Command, type CommandGroup, exitCodes, requireOperands, UsageError } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption, openHost } from "./options.ts";
import { readDuration } from "./quantity.ts";
import { formatTable, print, printError } from "./terminal.ts";

const defaultLifetimeMs = 10 * 60_000;
const maxLifetimeMs = 24 * 60 * 60_000;

const invite: Command = {
	name: "cronium agents invite",
	operands: "<host>",
	summary: "Makes a token with which one agent of an SSH host can join, once. It is printed here and kept nowhere.",
	details: `The token is a secret: give it to cronium agent --join as a file or by standard input. It names the bridge and the authority of its certificate, so that the agent talks
to nobody else. Who joins gets nothing before cronium agents approve, unless --approved is given: then whoever has the token is trusted.`,
	options: [
		dataOption,
		{
			name: "scope",
			value: "SCOPE",
			repeats: true,
			description: "What scripts may do through the agent: variables:write, …; everything when not given.",
		},
		{ name: "expires", value: "DURATION", description: "How long it can be used, at most 24h; 10m when not given." },
		{ name: "approved", description: "Approve whoever joins with it." },
		{
			name: "address",
			value: "ADDRESS",
			description: "Where the agent reaches the bridge, HOST:PORT; where the directory was served last when not given.",
		},
	],
	examples: [
		"cronium agents invite web-1 > join.token",
		"cronium agents invite web-1 --scope input:read --scope variables:write --expires 5m",
	],
	async run(line) {
		const [host] = requireOperands(line, "<host>");
		const { scopes: every } = await import("../contract/generated/types.ts");
		const given = line.values("scope");
		const unknown = given.find((scope) => !every.includes(scope as Scope));
		if (unknown !== undefined)
			throw new UsageError(`--scope is ${JSON.stringify(unknown)}; it must be one of ${every.join(", ")}.`);
		const lifetimeMs = readDuration("--expires", line.value("expires") ?? `${defaultLifetimeMs}ms`);
		if (lifetimeMs < 1_000 || lifetimeMs > maxLifetimeMs)
			throw new UsageError(`--expires is ${line.value("expires")}; it must be from 1s to 24h.`);
		const { readAddress } = await import("../../sidecar/sidecar-credentials.ts");
		const { formatJoinToken } = await import("../../sidecar/join-token.ts");
		const { CertificateAuthority } = await import("../../sidecar/certificate-authority.ts");
		const { hostsFile, SshHosts } = await import("../executors/ssh/hosts-file.ts");
		const dataDirectory = resolveDataDirectory(line.value("data"));
		await using opened = await openHost(line, { audit: true });
		const registry = await opened.agents();
		const address = line.value("address") ?? (await registry.address());
		if (address === undefined)
			throw new UsageError(
				"This directory was not served with --agent-listen yet; --address has to say where the agent reaches the bridge.",
			);
		readAddress(address);
		const { trusted } = await new CertificateAuthority(dataDirectory).current();
		const isApproved = line.flag("approved");
		const isHost = new SshHosts(hostsFile(dataDirectory)).list().some(({ name }) => name === host);
		const { secret } = await registry.invite({
			host,
			scopes: given.length > 0 ? (given as Scope[]) : every,
			isApproved,
			lifetimeMs,
		});
		print(`${formatJoinToken({ address, trusted, secret })}\n`);
		if (!isHost) printError(`There is no SSH host "${host}" yet: its agent has no runs until \`cronium hosts add\` adds it.`);
		return exitCodes.succeeded;
	},
};

const list: Command = {
	name: "cronium agents list",
	operands: "",
	summary: "Lists the agents of SSH hosts, and the invitations that nobody has used yet.",
	options: [dataOption, jsonOption("Print a JSON array.")],
	examples: ["cronium agents list"],
	async run(line) {
		requireOperands(line);
		await using opened = await openHost(line);
		const registry = await opened.agents();
		const agents = (await registry.list()).map(({ joinedAt, ...agent }) => ({
			...agent,
			joinedAt: new Date(joinedAt).toISOString(),
		}));
		const invitations = (await registry.invitations()).map(({ expiresAt, isApproved, ...invitation }) => ({
			...invitation,
			state: "invited",
			isApproved,
			expiresAt: new Date(expiresAt).toISOString(),
		}));
		if (line.flag("json")) printJson(stringify([...agents, ...invitations]));
		else
			print(
				formatTable(
					["ID", "HOST", "STATE", "SINCE", "FROM"],
					[
						...agents.map(({ id, host, state, joinedAt, address }) => [id, host, state, joinedAt, address]),
						...invitations.map(({ id, host, expiresAt }) => [id, host, "invited", `until ${expiresAt}`, ""]),
					],
				),
			);
		return exitCodes.succeeded;
	},
};

const approve: Command = {
	name: "cronium agents approve",
	operands: "<agent>",
	summary:
		"Approves an agent that has joined: its id, or the name of its host. A host that serves the directory takes it within a second.",
	details: "A host has one approved agent. Another one can be approved when the first is revoked.",
	options: [dataOption],
	examples: ["cronium agents approve web-1"],
	async run(line) {
		const [name] = requireOperands(line, "<agent>");
		await using opened = await openHost(line, { audit: true });
		const { id, host } = await (await opened.agents()).approve(name);
		printError(`agent ${id} of the host ${host} is approved`);
		return exitCodes.succeeded;
	},
};

const revoke: Command = {
	name: "cronium agents revoke",
	operands: "<agent>",
	summary: "Revokes an agent, or an invitation: its id, or the name of the agent's host. Its connection is cut within a second.",
	details: "What is revoked cannot be approved again: the host is invited anew.",
	options: [dataOption],
	examples: ["cronium agents revoke web-1"],
	async run(line) {
		const [name] = requireOperands(line, "<agent>");
		await using opened = await openHost(line, { audit: true });
		const registry = await opened.agents();
		if (await registry.withdraw(name)) {
			printError(`the invitation ${name} is withdrawn`);
			return exitCodes.succeeded;
		}
		const { id, host } = await registry.revoke(name);
		printError(`agent ${id} of the host ${host} is revoked`);
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium agents",
	summary: "Agents of SSH hosts.",
	commands: { invite, list, approve, revoke },
};
