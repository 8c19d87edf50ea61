import { readdirSync, readFileSync } from "node:fs";

/** Processes below `parent` that run scripts, as Linux tells; those that have ended and wait to be collected left out. */
export function guestProcesses(parent: number): number[] {
	return readdirSync("/proc").flatMap((name) => {
		const pid = Number(name);
		return Number.isInteger(pid) && parentOf(pid) === parent && commandOf(pid).includes("guest-process") ? [pid] : [];
	});
}

/** Whether a process is there and has not ended. */
export function isRunning(pid: number): boolean {
	return parentOf(pid) !== undefined;
}

export function commandOf(pid: number): string {
	return readProcess(pid, "cmdline").replaceAll("\0", " ");
}

export function environmentOf(pid: number): string {
	return readProcess(pid, "environ");
}

function parentOf(pid: number): number | undefined {
	const stat = readProcess(pid, "stat");
	const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return stat === "" || state === "Z" ? undefined : Number(parent);
}

function readProcess(pid: number, file: string): string {
	try {
		return readFileSync(`/proc/${pid}/${file}`, "latin1");
	} catch {
		return "";
	}
}
