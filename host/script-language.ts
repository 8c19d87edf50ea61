import { extname } from "node:path";

/** Languages of scripts. */
export const scriptLanguages = ["javascript", "typescript", "python", "bash"] as const;
export type ScriptLanguage = (typeof scriptLanguages)[number];

/** Those that the sandbox runs; the others run in containers. */
export const sandboxLanguages: readonly ScriptLanguage[] = ["javascript", "typescript", "python"];

/** Those whose imports are bundled into one module. */
export const bundledLanguages: readonly ScriptLanguage[] = ["javascript", "typescript"];

const byExtension: ReadonlyMap<string, ScriptLanguage> = new Map([
	[".js", "javascript"],
	[".mjs", "javascript"],
	[".cjs", "javascript"],
	[".ts", "typescript"],
	[".mts", "typescript"],
	[".cts", "typescript"],
	[".py", "python"],
	[".sh", "bash"],
	[".bash", "bash"],
]);

/** What a first line `#!…` may name, by the interpreter's name without its version. */
const byInterpreter: ReadonlyMap<string, ScriptLanguage> = new Map([
	["node", "javascript"],
	["nodejs", "javascript"],
	["python", "python"],
	["bash", "bash"],
	["sh", "bash"],
	["dash", "bash"],
]);

/** The extensions that say what language a script is in. */
export const scriptExtensions: readonly string[] = [...byExtension.keys()];

/**
 * The language of a script that does not say: by its first line, when that is a `#!`, else by the name's extension. Undefined for another
 * interpreter or another extension; JavaScript without both.
 */
export function findLanguage(name: string, source: string): ScriptLanguage | undefined {
	const [, path = "", argument = ""] = /^\uFEFF?#![ \t]*([^\s]+)(?:[ \t]+(?:-S[ \t]+)?([^\s]+))?/.exec(source) ?? [];
	const extension = extname(name).toLowerCase();
	if (path === "") return extension === "" ? "javascript" : byExtension.get(extension);
	const interpreter = (/(?:^|\/)env$/.test(path) ? argument : path).replace(/^.*\//, "");
	const language = byInterpreter.get(interpreter.replace(/[\d.]+$/, ""));
	// TypeScript has no interpreter of its own.
	return language === "javascript" ? (byExtension.get(extension) ?? language) : language;
}
