import { randomBytes } from "node:crypto";
import { posix } from "node:path";

/** How the directories of a data directory's hosts begin, on every SSH host. */
export const directoryFamily = (installation: string): string => `cronium-${installation.slice(0, 8)}-`;

/** The name of the directory that one connection has on its SSH host. Short: paths of sockets are in it. */
export const directoryName = (installation: string, hostId: string): string =>
	`${directoryFamily(installation)}${hostPart(hostId)}-${randomBytes(4).toString("hex")}`;

const hostPart = (hostId: string): string => hostId.slice(0, 10);

export interface LeftBehindPlan {
	/** Directories that there are on the host. */
	readonly paths: readonly string[];
	readonly hostId: string;
	/** Names of those that this host uses. */
	readonly used: ReadonlySet<string>;
	/** Ids of the hosts of the data directory that live, asked for after the directories were listed. */
	readonly liveHosts: readonly string[];
}

/** Of directories on an SSH host those that nobody uses any more: of hosts that have died, and of this one's connections that broke. */
export function leftBehind({ paths, hostId, used, liveHosts }: LeftBehindPlan): readonly string[] {
	const live = new Set(liveHosts.map(hostPart));
	return [...new Set(paths)].filter((path) => {
		const name = posix.basename(path);
		const [, owner] = /^cronium-[0-9a-f]{8}-([0-9a-f]{10})-[0-9a-f]{8}$/.exec(name) ?? [];
		if (owner === undefined) return false;
		return owner === hostPart(hostId) ? !used.has(name) : !live.has(owner);
	});
}
