import type { AuditLog } from "./audit.ts";
import { RuntimeError } from "./contract/errors.ts";
import type { Limits } from "./contract/limits.ts";
import type { ServedRuns } from "./executors/served-runs.ts";
import { SshExecutor } from "./executors/ssh/executor.ts";
import { hostsFile, SshHosts } from "./executors/ssh/hosts-file.ts";
import type { SshDoors } from "./executors/ssh/script-door.ts";
import type { SshHost } from "./executors/ssh/ssh-host.ts";
import type { Traffic } from "./http/traffic.ts";
import { installationId } from "./installation.ts";
import { liveHosts } from "./store/hosts.ts";
import type { ExecutionTokens } from "./tokens/execution-tokens.ts";

export interface SshModeOptions {
	readonly dataDirectory: string;
	readonly hostId: string;
	readonly limits: Limits;
	readonly served: ServedRuns;
	readonly loadTraffic: () => Promise<Traffic>;
	readonly loadTokens: () => Promise<ExecutionTokens>;
	readonly audit: AuditLog | undefined;
	/** Those that whoever serves has added. */
	readonly doors: SshDoors;
}

/** What runs scripts on SSH hosts, and the hosts that there are. */
export interface SshMode extends AsyncDisposable {
	readonly hosts: Pick<SshHosts, "find">;
	readonly executor: SshExecutor;
}

/** Puts it together. Connections and doors are opened with the first run. */
export async function createSshMode(options: SshModeOptions): Promise<SshMode> {
	const { dataDirectory, limits, loadTraffic, loadTokens, audit, ...basis } = options;
	const hosts = new SshHosts(hostsFile(dataDirectory));
	const executor = new SshExecutor({
		...basis,
		limits,
		installation: await installationId(dataDirectory),
		liveHosts: () => liveHosts(dataDirectory),
		findHost: (name) => findHost(hosts, name),
		openTunnel: async () => {
			const [{ createTunnelDoors }, traffic, tokens] = await Promise.all([
				import("../ssh-bridge/tunnel-doors.ts"),
				loadTraffic(),
				loadTokens(),
			]);
			return await createTunnelDoors({ limits, tokens, traffic, audit });
		},
	});
	return { hosts, executor, [Symbol.asyncDispose]: () => executor[Symbol.asyncDispose]() };
}

/** An entry that was removed, or cannot be read any more, is none. */
function findHost(hosts: SshHosts, name: string): SshHost | undefined {
	try {
		return hosts.find(name);
	} catch (cause) {
		if (cause instanceof RuntimeError) return undefined;
		throw cause;
	}
}
