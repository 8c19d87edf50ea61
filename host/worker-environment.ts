import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";

/**
 * The environment of a worker thread: nothing of ours, only where compiled code is cached when this thread has such a cache. Without it every
 * worker of a clone would strip the types of its own modules again (65 ms measured).
 */
export function workerEnvironment(): Record<string, string> {
	const directory = getCompileCacheDir();
	// Node appends the directory of its version and user to what it was given; the worker's Node does so again.
	return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}
