import { GuestEngine } from "../guest-engine.ts";
import { PythonGuest } from "./guest.ts";
import { KeptImage } from "./kept-image.ts";
import { toInstance } from "./run.ts";

/** Makes an engine of the image that `ensurePythonImage` has made, and found to be whole. Throws an Error when there is none. */
export function createPython(file: string): GuestEngine {
	return new PythonEngine(new KeptImage(file));
}

class PythonEngine extends GuestEngine {
	readonly #image: KeptImage;

	constructor(image: KeptImage) {
		const { minimumPages, pages, stackPointer, places, files } = image;
		const module = image.compile();
		super({ name: "python", module, minimumPages, image: { memory: [], pages, stackPointer, places } }, (maximumPages) =>
			toInstance(PythonGuest.create({ module, minimumPages, maximumPages, files }, image)),
		);
		this.#image = image;
	}

	override [Symbol.dispose](): void {
		super[Symbol.dispose]();
		this.#image[Symbol.dispose]();
	}
}
