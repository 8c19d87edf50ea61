import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What a leak would make grow. */
export interface ProcessFacts {
	/** Live objects of the main thread, in bytes. */
	readonly heapBytes: number;
	/** Memory that is in RAM and backed by no file: all heaps, stacks and WebAssembly memories. Without the store's mapped pages. */
	readonly anonymousBytes: number;
	readonly threads: number;
	/** Open files, sockets and pipes. */
	readonly descriptors: number;
	/** Those that are open, or mapped, below the directory that was asked about. */
	readonly descriptorsInDirectory: number;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Reads what Linux tells of this process; `undefined` elsewhere. */
export function readProcessFacts(directory: string): ProcessFacts | undefined {
	if (process.platform !== "linux") return undefined;
	collectGarbage();
	const status = readFileSync("/proc/self/status", "utf8");
	const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
	const targets = readdirSync("/proc/self/fd").map((descriptor) => {
		try {
			return readlinkSync(`/proc/self/fd/${descriptor}`);
		} catch {
			// The one that the directory itself was read through.
			return undefined;
		}
	});
	const open = targets.filter((target) => target !== undefined);
	return {
		heapBytes: process.memoryUsage().heapUsed,
		anonymousBytes: field("RssAnon") * 1024,
		threads: field("Threads"),
		descriptors: open.length,
		descriptorsInDirectory: open.filter((target) => target.startsWith(directory)).length,
	};
}
