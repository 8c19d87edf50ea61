import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** The machine that the numbers hold for. */
export interface Machine {
	readonly cpu: string;
	readonly cores: number;
	readonly memoryGiB: number;
	readonly system: string;
	readonly node: string;
	readonly v8: string;
}

export function describeMachine(): Machine {
	return {
		cpu: cpus()[0]?.model.trim() ?? "unknown",
		cores: availableParallelism(),
		memoryGiB: Math.round(totalmem() / 2 ** 30),
		system: `${process.platform} ${release()} ${process.arch}`,
		node: process.version,
		v8: process.versions.v8,
	};
}

/** What others do with the machine while this process is idle. */
export interface Load {
	/** Runnable threads, averaged over 1, 5 and 15 minutes. */
	readonly average: readonly number[];
	/** Share of all cores that was busy while we looked, 0 to 1. */
	readonly busy: number;
	/** Share of time that a hypervisor gave to others while we looked, 0 to 1. */
	readonly stolen: number;
}

/** Looks at the machine for `forMs`. */
export async function observeLoad(forMs: number): Promise<Load> {
	const before = readTimes();
	await sleep(forMs);
	const after = readTimes();
	const total = after.total - before.total || 1;
	return {
		average: loadavg(),
		busy: 1 - (after.idle - before.idle) / total,
		stolen: (after.stolen - before.stolen) / total,
	};
}

/** Whether absolute figures taken under this load say little. */
export function isLoaded(load: Load): boolean {
	return load.busy > 0.15 || load.stolen > 0.05;
}

interface Times {
	readonly idle: number;
	readonly stolen: number;
	readonly total: number;
}

function readTimes(): Times {
	if (process.platform === "linux") {
		// cpu user nice system idle iowait irq softirq steal …; guest times are part of user and nice already.
		const [user, nice, system, idle, wait, irq, softirq, steal] = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "")
			.split(/\s+/)
			.slice(1, 9)
			.map(Number) as [number, number, number, number, number, number, number, number];
		return { idle: idle + wait, stolen: steal, total: user + nice + system + idle + wait + irq + softirq + steal };
	}
	let idle = 0;
	let total = 0;
	for (const { times } of cpus()) {
		idle += times.idle;
		total += times.user + times.nice + times.sys + times.idle + times.irq;
	}
	return { idle, stolen: 0, total };
}
