import { collectGarbage } from "../collector.ts";
import { GuestEngine } from "../guest-engine.ts";
import { PythonGuest } from "./guest.ts";
import { KeptImage } from "./kept-image.ts";
import { toInstance } from "./run.ts";

/** Makes an engine of the image that `ensurePythonImage` has made, and found to be whole; `module` is its module, when it has been compiled before. Throws an Error when there is none. */
export function createPython(file: string, module?: WebAssembly.Module): GuestEngine {
	return new PythonEngine(new KeptImage(file), module);
}

/** The end of a run is on disk by then. */
const tidyMs = 5;

class PythonEngine extends GuestEngine {
	readonly #image: KeptImage;

	constructor(image: KeptImage, compiled: WebAssembly.Module | undefined) {
		const { minimumPages, pages, stackPointer, places, files } = image;
		const module = compiled ?? compile(image);
		super({ name: "python", module, minimumPages, image: { memory: [], pages, stackPointer, places } }, (maximumPages) =>
			toInstance(PythonGuest.create({ module, minimumPages, maximumPages, files }, image)),
		);
		this.#image = image;
	}

	/** Three milliseconds of copying, which a host with few processors would rather have after it has written down how the run has ended. */
	override tidy(): void {
		setTimeout(() => this.prepare(), tidyMs).unref();
	}

	override [Symbol.dispose](): void {
		super[Symbol.dispose]();
		this.#image[Symbol.dispose]();
	}
}

function compile(image: KeptImage): WebAssembly.Module {
	const module = image.compile();
	// Nine megabytes that V8 has read, and would leave lying for long.
	collectGarbage();
	return module;
}
