import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { UsageError } from "./command.ts";

/** The data directory: `--data`, else `CRONIUM_DATA`, else one of the user's own. */
export function resolveDataDirectory(option: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
	if (option === "") throw new UsageError("--data is empty; it must be the path of a directory.");
	const given = option ?? environment.CRONIUM_DATA;
	if (given) return resolve(given);
	if (process.platform === "win32") return join(environment.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "cronium");
	// The XDG base directory specification: a relative path is to be ignored.
	const { XDG_DATA_HOME: data } = environment;
	return join(data && isAbsolute(data) ? data : join(homedir(), ".local", "share"), "cronium");
}
