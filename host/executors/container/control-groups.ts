import { join } from "node:path";
import { readIfThere } from "./engine-files.ts";

/**
 * The directory in which this machine's kernel has the control group of a process: that of the controller with version 1 of control groups, and with version 2,
 * for which the controller is "", the one there is. Undefined where there is none, because the process has ended, or is on another machine.
 */
export function controlGroup(pid: number, controller: string): string | undefined {
	for (const line of (readIfThere(`/proc/${pid}/cgroup`) ?? "").split("\n")) {
		const [, controllers, path] = /^\d+:([^:]*):(.+)$/.exec(line) ?? [];
		if (path !== undefined && controllers?.split(",").includes(controller)) return join("/sys/fs/cgroup", controller, path);
	}
	return undefined;
}
