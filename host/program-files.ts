import { fileURLToPath } from "node:url";

/**
 * The files of the program that are opened by name: the threads' entries, the guest's prelude, and the memory images that come of it. A clone runs
 * its sources, and keeps the images that it makes; what is published is bundled, all bundles beside each other, with the images (`build.ts`).
 */
const isSource = import.meta.url.endsWith(".ts");
const locate = (source: string, built: string): URL => new URL(isSource ? source : built, import.meta.url);

export const programFiles = {
	/** Where all of them are. */
	directory: locate("./", "./"),
	scriptWorker: locate("./sandbox/worker.ts", "./script-worker.js"),
	guestProcess: locate("./sandbox/guest-process.ts", "./guest-process.js"),
	sourceWorker: locate("./sandbox/source-worker.ts", "./source-worker.js"),
	storeWriter: locate("./store/lmdb-writer.ts", "./store-writer.js"),
	devRunner: locate("./cli/dev-runner.ts", "./dev-runner.js"),
	/** Makes the memory image of Python. */
	pythonImageMaker: locate("./sandbox/python/image-maker.ts", "./python-image-maker.js"),
	/** What runs scripts in Python, itself in Python. */
	pythonGuest: locate("./sandbox/python/guest/", "./python-guest/"),
	/** The SDKs, which are beside the program. */
	sdks: locate("../guest-sdks/", "../guest-sdks/"),
	/** Makes the JavaScript SDK's `dist/`, which a clone does not have. */
	sdkBuild: isSource ? new URL("../guest-sdks/js/build.ts", import.meta.url) : undefined,
	/** What container images are made from, beside the SDKs. */
	dockerfiles: locate("../images/", "../images/"),
	/** The JavaScript SDK's modules, by the names that scripts import. */
	javascriptSdk: {
		cronium: locate("../guest-sdks/js/src/index.ts", "../guest-sdks/js/dist/index.js").href,
		"cronium/sync": locate("../guest-sdks/js/src/sync.ts", "../guest-sdks/js/dist/sync.js").href,
	},
	prelude: locate("./sandbox/generated/prelude.js", "./prelude.js"),
	images: { directory: fileURLToPath(locate("../node_modules/.cache/cronium/", "./")), isKept: isSource },
} as const;
