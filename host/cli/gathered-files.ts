import { readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { limitDefinitions } from "../contract/limits.ts";
import { maxFiles } from "../placed-files.ts";
import { relativeToRoot } from "./project-root.ts";

const maxBytes = limitDefinitions.maxFilesBytes.maximum;

/** Files of this machine that a script is to find beside itself, by the paths that they have there. What it refuses it throws as the error that it was given for that. */
export class GatheredFiles {
	readonly #files = new Map<string, Uint8Array>();
	readonly #refuse: (text: string) => Error;
	#bytes = 0;

	constructor(refuse: (text: string) => Error) {
		this.#refuse = refuse;
	}

	get files(): ReadonlyMap<string, Uint8Array> {
		return this.#files;
	}

	/** Reads a regular file, whose real path is inside `root` where one is given. */
	add(path: string, file: string, root?: string): Uint8Array {
		const shown = JSON.stringify(path);
		if (this.#files.has(path)) throw this.#refuse(`there are two files ${shown}.`);
		if (this.#files.size >= maxFiles) throw this.#refuse(`there are more than ${maxFiles} files, with ${shown}.`);
		const stats = this.#stat(path, file, root);
		// A pipe would be waited for.
		if (!stats.isFile()) throw this.#refuse(`${shown} is not a regular file.`);
		this.#require(path, stats.size);
		const bytes = this.#reading(path, () => readFileSync(file));
		// It may have grown meanwhile.
		this.#require(path, bytes.length);
		this.#bytes += bytes.length;
		this.#files.set(path, bytes);
		return bytes;
	}

	/** All that is in a directory, but what is hidden and what Python has compiled. Real paths are inside `root`. Returns the paths. */
	addDirectory(path: string, directory: string, root: string, above: readonly string[] = []): string[] {
		const real = this.#reading(path, () => realpathSync(directory));
		if (above.includes(real)) throw this.#refuse(`${JSON.stringify(path)} is a link to a directory that it is in.`);
		const names = this.#reading(path, () => readdirSync(directory)).filter(
			(name) => !name.startsWith(".") && name !== "__pycache__",
		);
		return names.sort().flatMap((name) => {
			const [inner, file] = [`${path}/${name}`, join(directory, name)];
			if (this.#stat(inner, file, root).isDirectory()) return this.addDirectory(inner, file, root, [...above, real]);
			this.add(inner, file, root);
			return [inner];
		});
	}

	#stat(path: string, file: string, root: string | undefined): Stats {
		const real = this.#reading(path, () => realpathSync(file));
		if (root !== undefined && real !== root && relativeToRoot(root, real) === undefined)
			throw this.#refuse(`${JSON.stringify(path)} leads out of ${JSON.stringify(root)}.`);
		return this.#reading(path, () => statSync(real));
	}

	#require(path: string, size: number): void {
		if (this.#bytes + size > maxBytes)
			throw this.#refuse(
				`the files have more than ${maxBytes} bytes, with ${JSON.stringify(path)}; the limit maxFilesBytes can be no higher.`,
			);
	}

	#reading<Value>(path: string, read: () => Value): Value {
		try {
			return read();
		} catch (cause) {
			throw this.#refuse(`${JSON.stringify(path)} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
		}
	}
}
