import { GuestEngine, type PreparedEngine } from "../guest-engine.ts";
import { readEngine } from "../image-file.ts";
import { PythonGuest } from "./guest.ts";
import { toInstance } from "./run.ts";

/** Reads the image that `ensurePythonImage` has made, and found to be whole. Throws an Error when there is none. */
export function preparePython(file: string): PreparedEngine {
	const kept = readEngine(file);
	if (!kept) throw new Error(`Python's image cannot be read: ${file}.`);
	const { binary, minimumPages, image, files } = kept;
	return { name: "python", module: new WebAssembly.Module(binary), minimumPages, image, ...(files && { files }) };
}

export function createPython(prepared: PreparedEngine): GuestEngine {
	const { module, minimumPages, image, files = [] } = prepared;
	return new GuestEngine(prepared, (maximumPages) =>
		toInstance(PythonGuest.create({ module, minimumPages, maximumPages, files }, image)),
	);
}
