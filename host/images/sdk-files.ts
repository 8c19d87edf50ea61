import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { programFiles } from "../program-files.ts";
import type { ImageName } from "./images.ts";
import type { RootTree } from "./root-tree.ts";
import type { Workplace } from "./workplace.ts";

/** Where the files of an SDK are on this machine. */
export const sdkDirectory = (name: "js" | "python" | "bash"): string => join(fileURLToPath(programFiles.sdks), name);

/** Adds the SDK of an image's language: a package directory of Node or of Python, or `cronium.sh` itself. */
export async function addSdk(tree: RootTree, name: ImageName, path: string, workplace: Workplace): Promise<void> {
	if (name === "bash") tree.addFile(path, join(sdkDirectory("bash"), "cronium.sh"));
	else if (name === "python")
		tree.addTree(path, join(sdkDirectory("python"), "cronium"), (file) => !file.includes("__pycache__"));
	else {
		tree.addFile(`${path}/package.json`, join(sdkDirectory("js"), "package.json"));
		tree.addTree(`${path}/dist`, await findJavascriptSdk(workplace));
	}
}

/** Where the `dist/` of the JavaScript SDK is. A clone, which has none, makes it in the workplace. */
export async function findJavascriptSdk({ directory: work, signal }: Workplace): Promise<string> {
	const { sdkBuild } = programFiles;
	if (sdkBuild === undefined) return join(sdkDirectory("js"), "dist");
	const directory = join(work, "js-sdk");
	mkdirSync(directory, { recursive: true });
	await promisify(execFile)(process.execPath, [fileURLToPath(sdkBuild), directory], { signal });
	return directory;
}
