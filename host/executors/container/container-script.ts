import { posix } from "node:path";
import { scriptFileName } from "../../container-files.ts";
import type { ScriptLanguage } from "../../script-language.ts";
import { containerPaths } from "./container-spec.ts";

/** What a container is to run. */
export interface ContainerScript {
	readonly language: ScriptLanguage;
	/** As its author calls it: `reports/orders.py`. */
	readonly name: string;
	/** TypeScript has no types any more. */
	readonly source: string;
	readonly arguments: readonly string[];
	/** Beside the script, by their paths relative to it. */
	readonly files: ReadonlyMap<string, string | Uint8Array>;
}

/** A script as a container gets it. */
export interface ContainerJob {
	/** By their paths in `/script`. */
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

/** Puts a script into the form that its image's interpreter takes. */
export function describeJob({ language, name, source, arguments: given, files }: ContainerScript): ContainerJob {
	const file = scriptFileName(name, language);
	const path = posix.join(containerPaths.script, file);
	const all = new Map([...files, [file, source]]);
	switch (language) {
		case "javascript":
		case "typescript":
			return {
				files: all.set(runnerName, javascriptRunner),
				command: ["node", posix.join(containerPaths.script, runnerName), path, ...given],
			};
		case "python":
			return { files: all, command: ["python3", path, ...given] };
		case "bash":
			return { files: all, command: ["bash", path, ...given] };
	}
}
