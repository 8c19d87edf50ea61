import { posix } from "node:path";
import type { Script } from "../engine.ts";
import type { GuestFiles } from "./files.ts";

/** Where a run finds its script and what lies beside it. */
export const scriptDirectory = "/script";

/** What `_cronium_main.run` is told of a run. */
export interface PythonOrder {
	/** The script's path in its directory, as its author knows it. */
	readonly name: string;
	readonly arguments: readonly string[];
	/** Paths of wheels in the directory. */
	readonly wheels: readonly string[];
}

/** Whether Python imports from a file of a run. */
export const isWheel = (path: string): boolean => /\.whl$/i.test(path);

/** Puts the script and its files, whose paths the host has checked, into the guest's file system. */
export function placeFiles({ name, source, files = [], arguments: given = [] }: Script, guest: GuestFiles): PythonOrder {
	const beside = (file: string): string => posix.join(posix.dirname(name), file);
	for (const { path: file, content } of files) guest.put(`${scriptDirectory}/${beside(file)}`, content);
	guest.put(`${scriptDirectory}/${name}`, Buffer.from(source.toWellFormed(), "utf8"));
	const wheels = files.map(({ path: file }) => beside(file)).filter((file) => isWheel(file));
	return { name, arguments: given.map((one) => one.toWellFormed()), wheels };
}
