/** Writes the memory image of every engine beside the program: the last step of a build, run with what it has built. */
import { programFiles } from "../program-files.ts";
import { javascriptEngines } from "./engine.ts";
import { createEngine } from "./engines.ts";

for (const name of javascriptEngines) await createEngine(name, { images: { ...programFiles.images, isKept: true } });
