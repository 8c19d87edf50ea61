import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ContainerEngine } from "./engine-client.ts";

export interface SweepPlan {
	/** Containers of other installations are not touched. */
	readonly installation: string;
	/** Where the containers have their directories. */
	readonly directory: string;
	/** Ids of hosts whose containers are in use. */
	readonly liveHosts: () => Promise<readonly string[]>;
}

/** The labels by which the containers of an installation are found. */
export const containerLabels = { installation: "cronium.installation", host: "cronium.host", slot: "cronium.slot" } as const;

/** Names a directory of a container by its host, so that it is known whose it is also when there is no container yet. */
export const slotName = (hostId: string, random: string): string => `${hostPart(hostId)}-${random}`;

const hostPart = (hostId: string): string => hostId.slice(0, 10);

/** Removes containers and directories of hosts that have died. What cannot be removed now is tried again at the next start. */
export async function sweepContainers(engine: ContainerEngine, plan: SweepPlan): Promise<void> {
	const { installation, directory } = plan;
	const containers = await engine.listContainers({ [containerLabels.installation]: installation });
	const names = listNames(directory);
	// After what there is was listed: a host that has started since is no dead one's, and makes itself known before it makes anything.
	const liveHosts = await plan.liveHosts();
	const dead = containers.filter(({ labels }) => !liveHosts.includes(labels[containerLabels.host] ?? ""));
	await Promise.allSettled(dead.map(({ id }) => engine.removeContainer(id)));
	const live = new Set(liveHosts.map(hostPart));
	for (const name of names)
		if (!live.has(name.split("-", 1)[0] as string)) rmSync(join(directory, name), { recursive: true, force: true });
}

function listNames(directory: string): readonly string[] {
	try {
		return readdirSync(directory).filter((name) => /^[0-9a-f]{10}-[0-9a-f]{8}$/.test(name));
	} catch {
		return [];
	}
}
