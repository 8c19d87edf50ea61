import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";

/** The user that the processes of a run are, in numbers that its container sees. */
export interface RunUser {
	readonly uid: number;
	readonly gid: number;
}

/** How the users of an engine's containers relate to those of the host. */
export interface UserMapping {
	/** This process may give files to others. */
	readonly isRoot: boolean;
	/** `shared`: all containers map to the same range. `own`: each has a range of its own. `none`: a user is the same user on the host. */
	readonly namespaces: "none" | "shared" | "own";
}

/** No accounts have these; what a shared range maps has room for them. */
const ranges = {
	shared: { first: 10_000, count: 50_000 },
	// Ids above what systemd gives to containers of its own, which nothing uses.
	none: { first: 1_900_000_000, count: 200_000_000 },
} as const;

/** Users of runs: each has one of its own where the host may give files to it, so that no run can open what is another's. */
export class RunUsers {
	readonly #mapping: UserMapping;
	readonly #taken = new Set<number>();

	constructor(mapping: UserMapping) {
		this.#mapping = mapping;
	}

	/** A user that no other container of this process has, until it is given back. */
	take(): RunUser & Disposable {
		const { isRoot, namespaces } = this.#mapping;
		if (!isRoot) {
			const user = { uid: process.getuid?.() ?? 1_000, gid: process.getgid?.() ?? 1_000 };
			return { ...user, [Symbol.dispose]: () => undefined };
		}
		if (namespaces === "own") return { uid: 1_000, gid: 1_000, [Symbol.dispose]: () => undefined };
		const { first, count } = ranges[namespaces];
		let id: number;
		do id = first + randomInt(count);
		while (this.#taken.has(id));
		this.#taken.add(id);
		return { uid: id, gid: id, [Symbol.dispose]: () => void this.#taken.delete(id) };
	}

	/** The group as the host's files have it, by the maps of a process in the container; undefined when files stay the host's own. */
	hostGroup({ gid }: RunUser, pid: number): number | undefined {
		return this.#mapping.isRoot ? mapId(readFileSync(`/proc/${pid}/gid_map`, "utf8"), gid) : undefined;
	}
}

/** What an id of a user namespace is outside of it, by the text of its map (user_namespaces(7)). Throws RangeError for one that is not mapped. */
export function mapId(map: string, id: number): number {
	for (const line of map.trim().split("\n")) {
		const [inside = 0, outside = 0, length = 0] = line.trim().split(/\s+/).map(Number);
		if (id >= inside && id < inside + length) return outside + (id - inside);
	}
	throw new RangeError(`The id ${id} is not mapped in ${JSON.stringify(map.trim())}.`);
}
