import { existsSync, realpathSync } from "node:fs";
import type { ImageName } from "./images.ts";
import { imageReference } from "./images.ts";
import { addLibraries } from "./libraries.ts";
import { addPrograms, bashPrograms, commonPrograms } from "./programs.ts";
import { addPython } from "./python.ts";
import { RootTree } from "./root-tree.ts";
import { addSdk } from "./sdk-files.ts";
import type { Workplace } from "./workplace.ts";

const timeZones = "/usr/share/zoneinfo";

/** The locale of `LANG`, by the names that it has: without it a character is a byte. */
const locales = ["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];

/**
 * The root file system of an image, out of this machine's own programs and their libraries: what the Dockerfile makes out of a registry's. Nothing
 * that says whose machine it is comes along: no host names, users, certificates or settings.
 */
export async function createOfflineRoot(name: ImageName, workplace: Workplace): Promise<RootTree> {
	const tree = new RootTree();
	for (const directory of ["bin", "sbin", "lib", "lib64"]) {
		tree.addDirectory(`usr/${directory}`);
		tree.addLink(directory, `usr/${directory}`);
	}
	// Where an engine mounts something, and where a run works.
	for (const directory of ["dev", "proc", "sys", "run/cronium", "script"]) tree.addDirectory(directory);
	for (const directory of ["tmp", "work"]) tree.addSharedDirectory(directory);
	for (const [file, text] of Object.entries(systemFiles(name))) tree.addText(`etc/${file}`, text);

	for (const directory of locales.filter((directory) => existsSync(directory))) tree.addTree(directory.slice(1), directory);

	const files = [...addPrograms(tree, name === "bash" ? [...commonPrograms, ...bashPrograms] : commonPrograms)];
	if (name === "node") {
		const node = realpathSync(process.execPath);
		tree.addFile("usr/local/bin/node", node);
		files.push(node);
		await addSdk(tree, name, "node_modules/cronium", workplace);
	} else {
		if (name === "python") files.push(...(await addPython(tree, workplace)));
		else await addSdk(tree, name, "usr/local/bin/cronium.sh", workplace);
		if (existsSync(timeZones)) tree.addTree(timeZones.slice(1), timeZones, (path) => !/^(?:posix|right)(?:\/|$)/.test(path));
	}
	await addLibraries(tree, files);
	return tree;
}

const systemFiles = (name: ImageName): Readonly<Record<string, string>> => ({
	passwd: "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
	group: "root:x:0:\nnogroup:x:65534:\n",
	"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	"os-release": `NAME="Cronium"\nID=cronium\nPRETTY_NAME="${imageReference(name)}, made of the programs of another machine"\n`,
});
