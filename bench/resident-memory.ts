import { readFileSync } from "node:fs";
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
	const status = readFileSync("/proc/self/status", "utf8");
	const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
	return { total: read("VmRSS"), anonymous: read("RssAnon"), file: read("RssFile") + read("RssShmem") };
}
