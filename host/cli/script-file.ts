import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { limitDefinitions } from "../contract/limits.ts";
import type { ScriptSource } from "../run-options.ts";
import { bundledLanguages, findLanguage, type ScriptLanguage, scriptExtensions } from "../script-language.ts";
import type { BundleTarget } from "./bundle.ts";
import { UsageError } from "./command.ts";
import { readText } from "./json-argument.ts";
import { findProjectRoot, relativeToRoot } from "./project-root.ts";

/** A script file that has been found and read. */
export interface ScriptFile {
	/** Its real path. */
	readonly path: string;
	/** The real path of its project. */
	readonly root: string;
	/** Its path relative to the project, as stacks show it. */
	readonly name: string;
	readonly language: ScriptLanguage;
	readonly source: string;
}

/** Finds and reads the script. Throws UsageError when there is none, or when it is in another language. */
export function readScriptFile(file: string, rootOption?: string): ScriptFile {
	const shown = JSON.stringify(file);
	const source = readText("The script", file, shown, limitDefinitions.maxSourceBytes.maximum);
	const language = findLanguage(file, source);
	if (!language)
		throw new UsageError(
			`${shown} is in no language that is known; it is known by an extension (${scriptExtensions.join(", ")}), or by a first line such as #!/usr/bin/env python3.`,
		);
	const path = realpathSync(file);
	const root = rootOption === undefined ? findProjectRoot(path) : requireDirectory(rootOption);
	const name = relativeToRoot(root, path);
	if (name === undefined) throw new UsageError(`The script is not inside ${JSON.stringify(rootOption ?? root)} (--root).`);
	return { path, root, name, language, source };
}

/** What a run is given of a script file. */
export interface PreparedScript {
	readonly script: ScriptSource;
	/** Modules in Python that it imports, by their paths relative to it. */
	readonly files: ReadonlyMap<string, Uint8Array>;
	readonly warnings: readonly string[];
}

/**
 * Makes one module of a script in JavaScript or TypeScript, and finds the modules of one in Python for the sandbox. A file that imports nothing but `cronium` needs no bundler: JavaScript is taken as it is, and TypeScript costs
 * one short process: 15 ms, where the bundler takes 50 (measured, cold). Throws BundleError.
 */
export async function prepareScriptFile(file: ScriptFile, target: BundleTarget = "sandbox"): Promise<PreparedScript> {
	const { name, language, source } = file;
	const files = new Map<string, Uint8Array>();
	if (!bundledLanguages.includes(language)) {
		const isGuest = language === "python" && target === "sandbox";
		const modules = isGuest ? (await import("./python-modules.ts")).findLocalModules(file) : files;
		return { script: { name, language, source }, files: modules, warnings: [] };
	}
	if (importsMore(source)) {
		const { bundle } = await import("./bundle.ts");
		const { warnings, ...bundled } = await bundle(file.path, file.root, target);
		return { script: { name, language: "javascript", ...bundled }, files, warnings };
	}
	if (language === "javascript") return { script: { name, language, source }, files, warnings: [] };
	const { transform } = await import("./transform.ts");
	const transformed = await transform(name, source);
	return {
		// What esbuild does not take goes to the host as it is, which says what is wrong with it and writes the run down.
		script: transformed ? { name, language: "javascript", ...transformed } : { name, language, source },
		files,
		warnings: [],
	};
}

/**
 * Whether the source may import something besides `cronium`. Errs on the side of yes: every import has one of these words in it, and so have
 * comments and texts that import nothing.
 */
export function importsMore(source: string): boolean {
	if (/\brequire\b|\bmodule\s*\.\s*exports\b|\bexports\s*\./.test(source)) return true;
	let known = 0;
	for (const { index } of source.matchAll(/\bfrom\s{0,20}["']cronium["']/g)) {
		const head = source.slice(Math.max(0, index - 2_000), index);
		if (/\bimport\s[\w\s{},*$]*$/.test(head.slice(Math.max(0, head.lastIndexOf("import"))))) known += 1;
	}
	const count = (pattern: RegExp): number => source.match(pattern)?.length ?? 0;
	return count(/\bimport\b/g) > known || count(/\bfrom\s{0,20}["']/g) > known || /\bfrom\s*\/[/*]|\bfrom\s{21}/.test(source);
}

function requireDirectory(directory: string): string {
	try {
		if (statSync(directory).isDirectory()) return realpathSync(resolve(directory));
	} catch {
		// Said below.
	}
	throw new UsageError(`--root is ${JSON.stringify(directory)}; there is no such directory.`);
}
