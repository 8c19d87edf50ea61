import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { isElf } from "./libraries.ts";
import type { RootTree } from "./root-tree.ts";

/** A shell for the launcher, Bash, and the small programs that every script expects. */
export const commonPrograms = words(`
	sh bash
	base64 basename cat chgrp chmod chown cksum comm cp csplit cut date dd df dirname du echo env expand expr factor false fmt fold
	head id install join link ln ls md5sum mkdir mkfifo mktemp mv nl nohup nproc numfmt od paste pr printenv printf pwd readlink realpath
	rm rmdir seq sha1sum sha256sum sha512sum shuf sleep sort split stat sum sync tac tail tee test timeout touch tr true truncate tsort
	tty uname unexpand uniq unlink wc whoami yes
`);

/** What a script in Bash has instead of libraries. */
export const bashPrograms = words("curl jq grep sed awk find xargs tar gzip diff cmp");

/** Scripts on most machines, in one way or the other. */
const wrappers = { egrep: "grep -E", fgrep: "grep -F", gunzip: "gzip -d", zcat: "gzip -cd" } as const;

/** Adds the programs to `/usr/bin`, and answers which files of this machine they are. Throws with the names of all that are missing. */
export function addPrograms(tree: RootTree, names: readonly string[]): readonly string[] {
	const found = names.map((name) => [name, findProgram(name)] as const);
	const missing = found.flatMap(([name, file]) => (file === undefined ? [name] : []));
	if (missing.length > 0)
		throw new Error(
			`This machine does not have ${missing.join(", ")}, which the image needs: install ${missing.length > 1 ? "them" : "it"}.`,
		);
	const places = new Map<string, string>();
	for (const [name, file = ""] of found) {
		const other = places.get(file);
		// One program with several names, as BusyBox is.
		if (other !== undefined) tree.addLink(`usr/bin/${name}`, other);
		else tree.addFile(`usr/bin/${name}`, file);
		places.set(file, other ?? name);
	}
	for (const [name, command] of Object.entries(wrappers))
		if (names.includes(command.split(" ")[0] as string))
			tree.addText(`usr/bin/${name}`, `#!/bin/sh\nexec ${command} "$@"\n`, { isExecutable: true });
	return [...places.keys()];
}

/** The first on the path that is a program itself: a script in its place (of a version manager, say) leads to what the image does not have. */
export function findProgram(name: string): string | undefined {
	for (const directory of (process.env.PATH ?? "").split(delimiter)) {
		if (!directory.startsWith("/")) continue;
		try {
			const file = realpathSync(join(directory, name));
			accessSync(file, constants.X_OK);
			if (statSync(file).isFile() && isElf(file)) return file;
		} catch {
			// Not in this directory.
		}
	}
	return undefined;
}

function words(text: string): readonly string[] {
	return text.trim().split(/\s+/);
}
