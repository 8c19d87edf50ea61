import { isIP } from "node:net";
import type { AuditLog } from "./audit.ts";
import { RuntimeError } from "./contract/errors.ts";
import type { Limits } from "./contract/limits.ts";
import { readEngineAddress } from "./executors/container/engine-address.ts";
import { EngineError } from "./executors/container/engine-error.ts";
import { ContainerExecutor } from "./executors/container/executor.ts";
import { requireGuaranteeNames } from "./executors/container/isolation.ts";
import { type ContainerSettings, openEngine } from "./executors/container/opened-engine.ts";
import { mountedSocket } from "./executors/container/run-door.ts";
import type { ServedRuns } from "./executors/served-runs.ts";
import type { Traffic } from "./http/traffic.ts";
import { liveHosts } from "./store/hosts.ts";

export interface ContainerModeOptions {
	readonly dataDirectory: string;
	readonly hostId: string;
	readonly limits: Limits;
	readonly served: ServedRuns;
	readonly loadTraffic: () => Promise<Traffic>;
	readonly audit: AuditLog | undefined;
	readonly settings: ContainerSettings;
}

/**
 * Throws `invalid` for settings that no engine can make good: a host that has been told something impossible is not to find it out with its first run. What
 * the environment says of the engine is not looked at here, because it is there for other programs, too.
 */
export function requireContainerSettings({ engine, allowMissing = [] }: ContainerSettings): void {
	requireGuaranteeNames(allowMissing);
	if (engine === undefined) return;
	try {
		readEngineAddress(engine);
	} catch (cause) {
		if (!(cause instanceof EngineError)) throw cause;
		throw new RuntimeError("invalid", cause.message, {}, { cause });
	}
}

/** Puts together what runs scripts in containers. Engine and doors are opened with the first run. */
export function createContainerExecutor({
	settings,
	served,
	loadTraffic,
	audit,
	...basis
}: ContainerModeOptions): ContainerExecutor {
	const { dataDirectory, limits } = basis;
	return new ContainerExecutor({
		limits,
		served,
		openEngine: (choice) => openEngine({ ...settings, ...basis, ...choice, liveHosts: () => liveHosts(dataDirectory) }),
		openDoors: async () => {
			const [{ createRunDoors }, traffic] = await Promise.all([import("../sidecar/run-doors.ts"), loadTraffic()]);
			const { tcp } = settings;
			const address = tcp && { host: tcp.host, port: tcp.port, names: [tcp.name] };
			const doors = await createRunDoors({ dataDirectory, limits, traffic, audit, ...(address && { tcp: address }) });
			if (!tcp) return { doors, environment: { CRONIUM_SOCKET: mountedSocket }, network: "none" };
			return {
				doors,
				environment: { CRONIUM_API_URL: `https://${isIP(tcp.name) === 6 ? `[${tcp.name}]` : tcp.name}:${doors.port}` },
				network: tcp.network,
			};
		},
	});
}
