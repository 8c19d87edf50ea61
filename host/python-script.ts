import { posix } from "node:path";
import { RuntimeError } from "./contract/errors.ts";
import { excerpt } from "./contract/excerpt.ts";
import { utf8Length } from "./contract/json-text.ts";
import type { Limits } from "./contract/limits.ts";
import { maxNameBytes, requireFileName, requirePlacedFiles, scriptFileName } from "./placed-files.ts";
import type { ScriptSource } from "./run-options.ts";
import type { GuestFile } from "./sandbox/engine.ts";
import { isWheel } from "./sandbox/python/placed-files.ts";

/** A script in Python as the sandbox takes it. */
export interface PythonScript {
	readonly script: ScriptSource & { readonly language: "python" };
	readonly arguments: readonly string[];
	readonly files: readonly GuestFile[];
}

/** The record that ends an archive (APPNOTE 4.3.16), whose last field is a comment of up to 64 KiB. One that was cut has none. */
const zipEnd = Buffer.from("PK\x05\x06");
const maxZipEndBytes = 22 + 0xff_ff;

/** Checks what a script in Python is given for the sandbox. Throws `invalid` or `too-large`. */
export function requirePythonScript(
	script: PythonScript["script"],
	given: { readonly arguments?: unknown; readonly files?: unknown },
	limits: Limits,
): PythonScript {
	const { arguments: checked, files } = requirePlacedFiles(given, limits);
	requireFileName(posix.basename(pythonScriptPath(script.name)), files);
	return {
		script,
		arguments: checked,
		files: [...files].map(([path, contents]) => {
			const content = typeof contents === "string" ? Buffer.from(contents) : contents;
			if (isWheel(path)) requireWheel(path, content);
			return { path, content };
		}),
	};
}

/** Where the script is in the guest's directory of scripts. Stacks show it, so it is the author's own as far as that is a legal path. */
export function pythonScriptPath(name: string): string {
	const parents = name.split("/").slice(0, -1);
	const isLegal = parents.every((part) => part !== "" && part !== "." && part !== ".." && utf8Length(part) <= maxNameBytes);
	return posix.join(...(isLegal ? parents : []), scriptFileName(name, "python")).toWellFormed();
}

/** Throws for what is no wheel in pure Python, by its name (PEP 427) and its end. */
function requireWheel(path: string, content: Uint8Array): void {
	const name = posix.basename(path);
	const [, tags] = /^[^-]+-[^-]+(?:-\d[^-]*)?-([^-]+-[^-]+-[^-]+)\.whl$/.exec(name) ?? [];
	if (tags === undefined)
		throw new RuntimeError(
			"invalid",
			`The file ${excerpt(path)} has no name of a wheel; it must be as pip and build make it: NAME-VERSION-py3-none-any.whl.`,
		);
	if (!tags.endsWith("-none-any"))
		throw new RuntimeError(
			"invalid",
			`The wheel ${excerpt(name)} is for ${tags}: it has native code, which the sandbox cannot load. It takes wheels in pure Python (-none-any.whl); an image in container mode (--in container) may have the others.`,
		);
	const end = Buffer.from(content.buffer, content.byteOffset, content.byteLength).subarray(-maxZipEndBytes);
	if (!end.includes(zipEnd))
		throw new RuntimeError("invalid", `The wheel ${excerpt(name)} is no ZIP archive, or only a part of one.`);
}
