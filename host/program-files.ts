import { fileURLToPath } from "node:url";

/**
 * The files of the program that are opened by name: the threads' entries, the guest's prelude, and the memory images that come of it. A clone runs
 * its sources, and keeps the images that it makes; what is published is bundled, all bundles beside each other, with the images (`build.ts`).
 */
const isSource = import.meta.url.endsWith(".ts");
const locate = (source: string, built: string): URL => new URL(isSource ? source : built, import.meta.url);

export const programFiles = {
	scriptWorker: locate("./sandbox/worker.ts", "./script-worker.js"),
	sourceWorker: locate("./sandbox/source-worker.ts", "./source-worker.js"),
	storeWriter: locate("./store/lmdb-writer.ts", "./store-writer.js"),
	prelude: locate("./sandbox/generated/prelude.js", "./prelude.js"),
	images: { directory: fileURLToPath(locate("../node_modules/.cache/cronium/", "./")), isKept: isSource },
} as const;
