/**
 * The files of the program that are opened by name: the threads' entries and the guest's prelude. A clone runs its sources; what is published is
 * bundled, all bundles beside each other (`build.ts`).
 */
const isSource = import.meta.url.endsWith(".ts");
const locate = (source: string, built: string): URL => new URL(isSource ? source : built, import.meta.url);

export const programFiles = {
	scriptWorker: locate("./sandbox/worker.ts", "./script-worker.js"),
	sourceWorker: locate("./sandbox/source-worker.ts", "./source-worker.js"),
	storeWriter: locate("./store/lmdb-writer.ts", "./store-writer.js"),
	prelude: locate("./sandbox/generated/prelude.js", "./prelude.js"),
} as const;
