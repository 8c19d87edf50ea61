import { readFileSync } from "node:fs";

/** How many files and sockets this process may have open; Infinity where the system does not say. */
export function maxOpenFiles(): number {
	return readLimit("Max open files") ?? Number.POSITIVE_INFINITY;
}

/**
 * How many connections a server may have, of so many that it is allowed: two servers leave a third of the descriptors to the store, and to the processes that run
 * scripts, which cannot be started without.
 */
export function connectionLimit(allowed: number): number {
	return Math.max(1, Math.min(allowed, Math.floor(maxOpenFiles() / 3)));
}

/** The stack of this process's main thread, and of one that it starts; undefined where the system does not say. */
export function maxStackBytes(): number | undefined {
	return readLimit("Max stack size");
}

function readLimit(name: string): number | undefined {
	let limits: string;
	try {
		limits = readFileSync("/proc/self/limits", "utf8");
	} catch {
		// Only Linux has it.
		return undefined;
	}
	// The limit in force is the first of two: "Max open files            1024                 524288               files".
	return Number(new RegExp(`^${name} +(\\d+)`, "m").exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}
