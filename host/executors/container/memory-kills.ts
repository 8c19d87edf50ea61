import { readFileSync } from "node:fs";

/** Where the kernel counts the processes of a group that it has killed because their memory was used up. */
export interface MemoryKills {
	readonly path: string;
}

/** Of the group that this process is in; undefined where it cannot be known, because it has ended or is on another machine. */
export function memoryKills(pid: number): MemoryKills | undefined {
	const groups = readIfThere(`/proc/${pid}/cgroup`);
	const first = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.+)$/m.exec(groups ?? "")?.[1];
	if (first !== undefined) return { path: `/sys/fs/cgroup/memory${first}/memory.oom_control` };
	const second = /^0::(.+)$/m.exec(groups ?? "")?.[1];
	return second === undefined ? undefined : { path: `/sys/fs/cgroup${second}/memory.events` };
}

/** Whether there has been one. The group is gone soon after its last process. */
export const hasKilled = ({ path }: MemoryKills): boolean => /^oom_kill [1-9]/m.test(readIfThere(path) ?? "");

function readIfThere(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return undefined;
	}
}
