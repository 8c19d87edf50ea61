import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Memory of this process that is in RAM, in bytes. */
export interface ResidentMemory {
	readonly total: number;
	/** Heaps, stacks, WebAssembly: what nobody else can use. */
	readonly anonymous: number;
	/** Pages of mapped files, the store's among them: the kernel drops them when it needs the room. */
	readonly file: number;
}

/** Collects garbage where it may (`--expose-gc`) and lets what is released be released before it reads. */
export async function readResidentMemory(): Promise<ResidentMemory> {
	for (let round = 0; round < 3; round++) {
		globalThis.gc?.();
		await sleep(50);
	}
	if (process.platform !== "linux") {
		const total = process.memoryUsage.rss();
		return { total, anonymous: total, file: 0 };
	}
	return readStatus("self");
}

/** The same of the processes that this one has started, all together; what they have to collect they have not. Nothing where the system does not tell. */
export function readChildrensMemory(): ResidentMemory {
	const sum = { total: 0, anonymous: 0, file: 0 };
	if (process.platform !== "linux") return sum;
	for (const task of readdirSync("/proc/self/task"))
		for (const pid of readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean)) {
			const { total, anonymous, file } = readStatus(pid);
			sum.total += total;
			sum.anonymous += anonymous;
			sum.file += file;
		}
	return sum;
}

function readStatus(pid: string): ResidentMemory {
	const status = readFileSync(`/proc/${pid}/status`, "utf8");
	const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
	return { total: read("VmRSS"), anonymous: read("RssAnon"), file: read("RssFile") + read("RssShmem") };
}
