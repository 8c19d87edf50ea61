import { readFileSync } from "node:fs";

/** How many files and sockets this process may have open; Infinity where the system does not say. */
export function maxOpenFiles(): number {
	let limits: string;
	try {
		limits = readFileSync("/proc/self/limits", "utf8");
	} catch {
		// Only Linux has it.
		return Number.POSITIVE_INFINITY;
	}
	// The limit in force is the first of two: "Max open files            1024                 524288               files".
	return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}
