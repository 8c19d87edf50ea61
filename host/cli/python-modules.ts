import { statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BundleError } from "./bundle-error.ts";
import { GatheredFiles } from "./gathered-files.ts";
import { findPythonImports } from "./python-imports.ts";
import type { ScriptFile } from "./script-file.ts";

/**
 * The modules of the project that a script in Python imports, and those that these import: where Python looks for them, which is the directory of the
 * script. Of a package all files. Throws BundleError for what leads out of the project and for what is too much.
 */
export function findLocalModules({ path, root, name, source }: ScriptFile): ReadonlyMap<string, Uint8Array> {
	const modules = new LocalModules(dirname(path), root, basename(path), name);
	modules.addImportsOf(source, []);
	return modules.files;
}

class LocalModules {
	readonly #home: string;
	readonly #root: string;
	readonly #script: string;
	readonly #gathered: GatheredFiles;
	readonly #packages = new Set<string>();

	constructor(home: string, root: string, script: string, shown: string) {
		this.#home = home;
		this.#root = root;
		this.#script = script;
		this.#gathered = new GatheredFiles((text) => new BundleError("import-error", `The modules of ${shown}: ${text}`));
	}

	get files(): ReadonlyMap<string, Uint8Array> {
		return this.#gathered.files;
	}

	/** What a source imports that is in the package `parents`, below the directory of the script. */
	addImportsOf(source: string, parents: readonly string[]): void {
		const pending = [{ source, parents }];
		for (let next = pending.pop(); next; next = pending.pop())
			for (const { level, module, names } of findPythonImports(next.source)) {
				// Above the directory of the script there are no packages.
				if (level > next.parents.length + 1) continue;
				const from = level === 0 ? module : [...next.parents.slice(0, next.parents.length - level + 1), ...module];
				for (const parts of [from, ...names.map((name) => [...from, name])])
					for (const file of this.#add(parts))
						pending.push({ source: new TextDecoder().decode(this.files.get(file)), parents: file.split("/").slice(0, -1) });
			}
	}

	/** The files in Python that come with a module, and were not there yet. */
	#add(parts: readonly string[]): string[] {
		for (const [index] of parts.entries()) {
			const path = parts.slice(0, index + 1).join("/");
			if (this.#packages.has(path)) return [];
			// As Python decides between them.
			if (this.#isFile(`${path}/__init__.py`)) {
				this.#packages.add(path);
				return this.#gathered.addDirectory(path, join(this.#home, path), this.#root).filter((file) => file.endsWith(".py"));
			}
			const file = `${path}.py`;
			if (this.#isFile(file)) {
				// The script itself is there without being asked for.
				if (file === this.#script || this.files.has(file)) return [];
				this.#gathered.add(file, join(this.#home, file), this.#root);
				return [file];
			}
		}
		return [];
	}

	#isFile(path: string): boolean {
		return statSync(join(this.#home, path), { throwIfNoEntry: false })?.isFile() ?? false;
	}
}
