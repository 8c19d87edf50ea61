/** The thread that makes Python's memory image, and ends. */
import { workerData } from "node:worker_threads";
import { modes, writeEngine } from "../image-file.ts";
import { rewriteModule } from "../wasm-module.ts";
import { pythonExports } from "./exports.ts";
import { PythonGuest } from "./guest.ts";
import type { ImageOrder } from "./image.ts";
import { readPythonFiles, readReviewed } from "./parts.ts";

/** Enough for the start, whatever the limits of the runs that follow. */
const bootPages = 2048;
/** Data and stack of the module, and some heap: the module asks for much more, which would be cleared before every run. */
const minimumPages = 256;

const { file, key } = workerData as ImageOrder;
const binary = rewriteModule(readReviewed("pyodide/pyodide.asm.wasm"), {
	exports: pythonExports,
	memoryImport: ["env", "memory"],
	minimumPages,
}).bytes;
const files = readPythonFiles();
const image = PythonGuest.boot({ module: new WebAssembly.Module(binary), minimumPages, maximumPages: bootPages, files });
writeEngine(file, key, { binary, minimumPages, image, files }, modes.data.file);
