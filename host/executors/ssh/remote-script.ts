import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { findJavascriptSdk, sdkDirectory } from "../../images/sdk-files.ts";
import { withWorkplace } from "../../images/workplace.ts";
import type { ScriptLanguage } from "../../script-language.ts";
import { describeJob, type PlacedScript } from "../script-job.ts";
import type { LaunchPlan } from "./launcher.ts";
import { packZip } from "./zip-archive.ts";

/** The SDKs that hosts are given. TypeScript has become JavaScript before. */
export type SdkName = "javascript" | "python" | "bash";

export const sdkName = (language: ScriptLanguage): SdkName => (language === "typescript" ? "javascript" : language);

/** What every directory of a run has: where the script and its files are, where it works, and where its temporary files go. */
export const runDirectories = ["script", "work", "tmp"] as const;

/** An SDK by the paths of its files in the directory of a run, where the language looks for it, or is told to. */
export const loadSdk: (name: SdkName) => Promise<ReadonlyMap<string, Buffer>> = once(async (name) => {
	switch (name) {
		case "bash":
			return new Map([["sdk/cronium.sh", await readFile(join(sdkDirectory("bash"), "cronium.sh"))]]);
		case "python": {
			const directory = join(sdkDirectory("python"), "cronium");
			const names = (await readdir(directory)).filter((file) => file.endsWith(".py") || file === "py.typed").sort();
			const modules = names.map(async (file) => [`cronium/${file}`, await readFile(join(directory, file))] as const);
			return new Map([["sdk/cronium.zip", packZip(new Map(await Promise.all(modules)))]]);
		}
		case "javascript":
			return await withWorkplace(AbortSignal.timeout(buildTimeoutMs), async (workplace) => {
				const built = await findJavascriptSdk(workplace);
				const names = (await readdir(built)).filter((file) => /\.c?js$/.test(file));
				const files = [
					[join(sdkDirectory("js"), "package.json"), "package.json"],
					...names.map((file) => [join(built, file), `dist/${file}`]),
				] as const;
				const read = files.map(async ([file, path]) => [`node_modules/cronium/${path}`, await readFile(file as string)] as const);
				return new Map(await Promise.all(read));
			});
	}
});

/** Puts a script into the form that the launcher takes, in a directory that has the SDK of its language. */
export function describeLaunch(
	script: PlacedScript,
	directory: string,
): Pick<LaunchPlan, "needed" | "environment" | "searched" | "files" | "command"> {
	const { files, command } = describeJob(script, posix.join(directory, "script"));
	const name = sdkName(script.language);
	return {
		// The SDK calls it, and a script that does not use the SDK does without.
		needed: [command[0] as string, ...(name === "bash" && usesSdk(script) ? ["curl"] : [])],
		environment: {
			TMPDIR: posix.join(directory, "tmp"),
			// What is printed is in the log when it is printed.
			PYTHONUNBUFFERED: "1",
			PYTHONDONTWRITEBYTECODE: "1",
		},
		searched: searchedForSdk(name, directory),
		files: new Map([...files].map(([path, contents]) => [`script/${path}`, contents])),
		command,
	};
}

function searchedForSdk(name: SdkName, directory: string): LaunchPlan["searched"] {
	// Node looks in the directories above the script.
	if (name === "javascript") return undefined;
	if (name === "python") return { variable: "PYTHONPATH", path: posix.join(directory, "sdk/cronium.zip") };
	return { variable: "PATH", path: posix.join(directory, "sdk") };
}

const usesSdk = ({ source, files }: PlacedScript): boolean =>
	[source, ...files.values()].some((text) => Buffer.from(text as Uint8Array).includes("cronium.sh"));

/** A clone takes a second to build it. */
const buildTimeoutMs = 60_000;

/** What was loaded is kept: it is a part of the program, and the same for every run. */
function once<Key, Value>(load: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
	const loaded = new Map<Key, Promise<Value>>();
	return (key) => {
		let loading = loaded.get(key);
		if (!loading) {
			loading = load(key);
			loading.catch(() => loaded.delete(key));
			loaded.set(key, loading);
		}
		return loading;
	};
}
