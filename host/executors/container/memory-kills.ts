import { join } from "node:path";
import { controlGroup } from "./control-groups.ts";
import { readIfThere } from "./engine-files.ts";

/** Where the kernel counts the processes of a group that it has killed because their memory was used up. */
export interface MemoryKills {
	readonly path: string;
}

/** Of the group that this process is in; undefined where it cannot be known, because it has ended or is on another machine. */
export function memoryKills(pid: number): MemoryKills | undefined {
	const first = controlGroup(pid, "memory");
	if (first !== undefined) return { path: join(first, "memory.oom_control") };
	const second = controlGroup(pid, "");
	return second === undefined ? undefined : { path: join(second, "memory.events") };
}

/** Whether there has been one. The group is gone soon after its last process. */
export const hasKilled = ({ path }: MemoryKills): boolean => /^oom_kill [1-9]/m.test(readIfThere(path) ?? "");
