import { posix } from "node:path";
import { scriptFileName } from "../placed-files.ts";
import type { ScriptLanguage } from "../script-language.ts";

/** What is to be run in a container or on an SSH host. */
export interface PlacedScript {
	readonly language: ScriptLanguage;
	/** As its author calls it: `reports/orders.py`. */
	readonly name: string;
	/** TypeScript has no types any more. */
	readonly source: string;
	readonly arguments: readonly string[];
	/** Beside the script, by their paths relative to it. */
	readonly files: ReadonlyMap<string, string | Uint8Array>;
}

/** A script as a container or an SSH host gets it. */
export interface ScriptJob {
	/** By their paths in the script's directory. */
	readonly files: ReadonlyMap<string, string | Uint8Array>;
	/** The program and its arguments. */
	readonly command: readonly string[];
}

/** Not a name that a script or a file of a run can have: names do not begin with a dot. */
const runnerName = ".cronium.mjs";

/** The sandbox's convention for Node: a default export is called with the input, and what it returns is the output. */
const javascriptRunner = `import { pathToFileURL } from "node:url";
process.argv.splice(1, 1);
const { default: main } = await import(pathToFileURL(process.argv[1]).href);
if (typeof main === "function") {
	const { getInput, setOutput } = await import("cronium");
	const output = await main(await getInput());
	if (output !== undefined) await setOutput(output);
} else if (main !== undefined) console.error("Warning: the default export is not a function and is ignored.");
`;

/** Puts a script into the form that its interpreter takes. `directory` is where its files are put. */
export function describeJob({ language, name, source, arguments: given, files }: PlacedScript, directory: string): ScriptJob {
	const file = scriptFileName(name, language);
	const path = posix.join(directory, file);
	switch (language) {
		case "javascript":
		case "typescript":
			return {
				files: new Map([...files, [file, source], [runnerName, javascriptRunner]]),
				command: ["node", posix.join(directory, runnerName), path, ...given],
			};
		case "python":
			return { files: new Map([...files, [file, source]]), command: ["python3", path, ...given] };
		case "bash":
			// Bash takes a carriage return for a part of the command.
			return { files: new Map([...files, [file, source.replaceAll("\r\n", "\n")]]), command: ["bash", path, ...given] };
	}
}
