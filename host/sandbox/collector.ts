import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Runs the collector of this thread, all of it: memory that nobody refers to any more goes back to the system. */
export function collectGarbage(): void {
	collect ??= globalThis.gc ?? exposeCollector();
	collect();
}

/** Node has no call for it. V8 gives one to contexts that are made while its flag is set; so only this module gets it. */
function exposeCollector(): () => void {
	setFlagsFromString("--expose-gc");
	try {
		return runInNewContext("gc") as () => void;
	} finally {
		setFlagsFromString("--no-expose-gc");
	}
}
