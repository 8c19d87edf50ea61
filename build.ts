/** Makes `dist/`: what is published. One bundle for each thread and for the command line: a tenth of the files means half of the start-up time. */
import { copyFile, rm } from "node:fs/promises";
import { build } from "esbuild";
import { programFiles } from "./host/program-files.ts";

const outdir = process.argv[2] ?? "dist";

await rm(outdir, { recursive: true, force: true });
await build({
	entryPoints: {
		index: "host/index.ts",
		cli: "host/cli/main.ts",
		"script-worker": "host/sandbox/worker.ts",
		"source-worker": "host/sandbox/source-worker.ts",
		"store-writer": "host/store/lmdb-writer.ts",
	},
	absWorkingDir: import.meta.dirname,
	outdir,
	chunkNames: "chunk-[hash]",
	bundle: true,
	splitting: true,
	format: "esm",
	platform: "node",
	target: "node24",
	packages: "external",
	logLevel: "warning",
});
await copyFile(programFiles.prelude, `${outdir}/prelude.js`);
