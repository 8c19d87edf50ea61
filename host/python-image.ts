import { join, resolve } from "node:path";
import { imagesDirectoryName } from "./store/data-directory.ts";

/** Where a data directory has the images of Python. Guests in processes of their own may read it, by this very path. */
export const pythonImages = (dataDirectory: string): string => join(resolve(dataDirectory), imagesDirectoryName);

/** The image of Python that the runs of one host begin from: made, or found, with the first of them. */
export class PythonImage {
	readonly #directory: string;
	#file: Promise<string> | undefined;

	constructor(directory: string) {
		this.#directory = directory;
	}

	/** Resolves to its file. Rejects for all who wait when it cannot be made; who comes then tries again. */
	ensure(): Promise<string> {
		this.#file ??= this.#make().catch((cause) => {
			this.#file = undefined;
			throw cause;
		});
		return this.#file;
	}

	async #make(): Promise<string> {
		const { ensurePythonImage } = await import("./sandbox/python/image.ts");
		return await ensurePythonImage(this.#directory);
	}
}
