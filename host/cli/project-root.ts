import { existsSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

/** The project a script belongs to: the nearest directory above it with a `package.json` or `.git`, else the script's own directory. */
export function findProjectRoot(file: string): string {
	const home = dirname(file);
	for (let directory = home; ; directory = dirname(directory)) {
		if (existsSync(join(directory, "package.json")) || existsSync(join(directory, ".git"))) return directory;
		if (dirname(directory) === directory) return home;
	}
}

/** The path of `file` relative to `root` with slashes, or nothing when it is not inside. Both are real paths. */
export function relativeToRoot(root: string, file: string): string | undefined {
	const path = relative(root, file);
	if (path === "" || path === ".." || path.startsWith(`..${sep}`) || path.startsWith(sep) || /^[a-z]:/i.test(path))
		return undefined;
	return path.replaceAll(sep, "/");
}
