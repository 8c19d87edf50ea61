import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { scopes as everyScope } from "../../host/contract/generated/types.ts";
import type { ScriptDoors } from "../../host/executors/ssh/script-door.ts";
import type { Reach } from "../../host/executors/ssh/ssh-host.ts";
import { drainServer } from "../../host/http/server.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { formatJoinToken } from "../../sidecar/join-token.ts";
import { AgentServer } from "../../ssh-bridge/agent-server.ts";
import { createBridge } from "../../ssh-bridge/bridge.ts";
import { ServerCertificate } from "../../ssh-bridge/server-certificate.ts";
import { createTunnelDoors } from "../../ssh-bridge/tunnel-doors.ts";
import { createUrlDoors } from "../../ssh-bridge/url-doors.ts";
import { builtProgram } from "../built-program.ts";
import type { SshRuns } from "../ssh/ssh-runs.ts";

/** Doors of one kind, as a host that serves has them. */
export interface SshDoorServer extends ScriptDoors, AsyncDisposable {
	readonly internalErrors: readonly Error[];
}

/** Opens the doors at an address of this machine, and gives them to the host for its own runs. */
export async function openSshDoors(reach: Reach, runs: SshRuns, address = "127.0.0.1"): Promise<SshDoorServer> {
	await using opened = new AsyncDisposableStack();
	const internalErrors: Error[] = [];
	const doors = await openers[reach]({ ...runs, address }, opened, (error) => void internalErrors.push(error));
	const owned = opened.move();
	return {
		internalErrors,
		open: (run, place) => doors.open(run, place),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

type Opener = (
	runs: Pick<SshRuns, "host" | "dataDirectory" | "sshd"> & { readonly address: string },
	opened: AsyncDisposableStack,
	onInternalError: (error: Error) => void,
) => Promise<ScriptDoors>;

const openers: Readonly<Record<Reach, Opener>> = {
	async url({ host, dataDirectory, address }, opened, onInternalError) {
		const tokens = await host.tokens();
		const certificate = opened.use(await ServerCertificate.open(dataDirectory, [address]));
		const { tls } = certificate;
		const server = await createBridge({ ...(await basisOf(host)), tls, hasAddresses: true, onInternalError });
		opened.defer(() => drainServer(server, 100));
		const url = await server.listen({ host: address, port: 0 });
		const doors = createUrlDoors({ url, tokens, trusted: () => certificate.trusted });
		host.sshDoors.url = doors;
		return doors;
	},

	async tunnel({ host }, opened, onInternalError) {
		return opened.use(await createTunnelDoors({ ...(await basisOf(host)), onInternalError }));
	},

	async agent(runs, opened, onInternalError) {
		const { host, dataDirectory, address } = runs;
		const registry = await host.agents();
		const listen = { host: address, port: 0 };
		const server = opened.use(
			await AgentServer.listen({ ...(await basisOf(host)), dataDirectory, listen, registry, onInternalError }),
		);
		const { secret } = await registry.invite({ host: "web", scopes: everyScope, isApproved: true, lifetimeMs: 60_000 });
		const { trusted } = await new CertificateAuthority(dataDirectory).current();
		const agent = startAgent(runs, formatJoinToken({ address: server.address, trusted, secret }));
		opened.defer(() => agent.end());
		while (!server.find("web")) await agent.alive(20);
		host.sshDoors.agents = server;
		return server;
	},
};

async function basisOf(host: SshRuns["host"]) {
	const [tokens, traffic] = await Promise.all([host.tokens(), host.traffic()]);
	return { limits: host.limits, tokens, traffic, audit: host.audit, isReady: () => true };
}

/** The agent of the host, in the one file that is installed there, as the account that scripts run as. */
function startAgent({ sshd: { account } }: Pick<SshRuns, "sshd">, joinToken: string) {
	const state = join(account.home, "agent");
	const isRoot = process.getuid?.() === 0;
	mkdirSync(state, { mode: 0o700 });
	if (isRoot) chownSync(state, account.uid, account.uid);
	const child: ChildProcess = spawn(process.execPath, [join(builtProgram(), "dist/agent.js"), "--state", state, "--join", "-"], {
		cwd: account.home,
		env: { HOME: account.home },
		stdio: ["pipe", "ignore", "pipe"],
		...(isRoot && { uid: account.uid, gid: account.uid }),
	});
	let said = "";
	child.stderr?.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	child.stdin?.end(joinToken);
	return {
		/** Waits a little. Throws when the agent has ended. */
		async alive(ms: number): Promise<void> {
			await new Promise((resolve) => setTimeout(resolve, ms));
			if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The agent has ended: ${said}`);
		},
		async end(): Promise<void> {
			if (child.exitCode !== null || child.signalCode !== null) return;
			child.kill("SIGTERM");
			await once(child, "exit");
		},
	};
}
