import { realpathSync, statSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { UsageError } from "./command.ts";
import { GatheredFiles } from "./gathered-files.ts";

/** What `--with` gives a script in Python: wheels, modules, and packages as directories, each beside the script under its own name. */
export function readWithFiles(given: readonly string[]): ReadonlyMap<string, Uint8Array> {
	const gathered = new GatheredFiles((text) => new UsageError(`--with: ${text}`));
	for (const one of given) {
		const path = resolve(one);
		const name = basename(path);
		const extension = extname(name).toLowerCase();
		if (isDirectory(one) && name !== "") gathered.addDirectory(name, path, realpathSync(path));
		else if (extension === ".whl" || extension === ".py") gathered.add(name, path);
		else
			throw new UsageError(
				`--with: ${JSON.stringify(one)} is no wheel (.whl), module (.py) or directory of a package; --file gives a script other files.`,
			);
	}
	return gathered.files;
}

function isDirectory(path: string): boolean {
	try {
		return statSync(path).isDirectory();
	} catch (cause) {
		throw new UsageError(`--with: ${JSON.stringify(path)} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
	}
}
