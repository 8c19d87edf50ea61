import { posix } from "node:path";
import { RuntimeError } from "./contract/errors.ts";
import { excerpt } from "./contract/excerpt.ts";
import { utf8Length } from "./contract/json-text.ts";
import { describeLimit, type Limits } from "./contract/limits.ts";
import { record, string } from "./contract/shapes.ts";
import type { ScriptLanguage } from "./script-language.ts";

/** What a script that is put somewhere as a file is called with, and finds beside itself. */
export interface PlacedFiles {
	readonly arguments: readonly string[];
	readonly files: ReadonlyMap<string, string | Uint8Array>;
}

export const maxFiles = 1_000;
const maxArguments = 1_000;
/** What the system takes as one argument (MAX_ARG_STRLEN of Linux). */
const maxArgumentBytes = 128 * 1024 - 1;
/** All of them together: half of what the system takes for a program's arguments and environment. */
const maxArgumentsBytes = 1024 * 1024;
const maxPathCharacters = 1_024;
/** The directories that a run's files are in have to be made, and are more than the files when each has a deep path of its own. */
const maxPathParts = 32;
/** What file systems take as a name. */
export const maxNameBytes = 255;

/** Checks the files and arguments of a run. Throws `invalid` or `too-large`, naming the one that is wrong. */
export function requirePlacedFiles(
	{ arguments: givenArguments = [], files: givenFiles = {} }: { readonly arguments?: unknown; readonly files?: unknown },
	limits: Limits,
): PlacedFiles {
	if (!Array.isArray(givenArguments)) throw new RuntimeError("invalid", "arguments must be an array of texts.");
	if (givenArguments.length > maxArguments)
		throw new RuntimeError("too-large", `There are ${givenArguments.length} arguments; the limit is ${maxArguments}.`);
	const checked = givenArguments.map((argument, index) => requireArgument(argument, index));
	const entries = Object.entries(record(givenFiles, "files"));
	if (entries.length > maxFiles)
		throw new RuntimeError("too-large", `There are ${entries.length} files; the limit is ${maxFiles}.`);
	const files = new Map(entries.map(([path, contents]) => [requirePath(path), requireContents(path, contents)]));
	for (const path of files.keys()) {
		const parts = path.split("/");
		const parent = parts.slice(0, -1).findIndex((_, index) => files.has(parts.slice(0, index + 1).join("/")));
		if (parent >= 0)
			throw new RuntimeError(
				"invalid",
				`The file ${excerpt(parts.slice(0, parent + 1).join("/"))} is a directory, too: ${excerpt(path)}.`,
			);
	}
	let bytes = 0;
	for (const argument of checked) bytes += utf8Length(argument);
	if (bytes > maxArgumentsBytes)
		throw new RuntimeError("too-large", `The arguments have ${bytes} bytes together; the limit is ${maxArgumentsBytes}.`);
	for (const [path, contents] of files)
		bytes += utf8Length(path) + (typeof contents === "string" ? utf8Length(contents) : contents.length);
	if (bytes > limits.maxFilesBytes) {
		const limit = describeLimit(limits, "maxFilesBytes");
		throw new RuntimeError(
			"too-large",
			`The files and arguments have ${bytes} bytes; the limit maxFilesBytes is ${limit.value}.`,
			{ limit },
		);
	}
	return { arguments: checked, files };
}

const extensions: Readonly<Record<ScriptLanguage, string>> = {
	javascript: ".mjs",
	typescript: ".mjs",
	python: ".py",
	bash: ".sh",
};

/** The last part of the script's name, as a file that its interpreter takes for what it is. */
export function scriptFileName(name: string, language: ScriptLanguage): string {
	const base = posix.basename(name).replace(/^\.+/, "").toWellFormed() || "script";
	// One module, whatever its author called it.
	const isModule = language === "javascript" || language === "typescript";
	const stem = isModule ? base.replace(/\.[cm]?[jt]s$/i, "") : base;
	const isComplete = isModule ? stem.endsWith(extensions[language]) : posix.extname(base) !== "";
	if (isComplete && utf8Length(stem) <= maxNameBytes) return stem;
	let characters = [...stem];
	const bytesLeft = maxNameBytes - extensions[language].length;
	while (utf8Length(characters.join("")) > bytesLeft) characters = characters.slice(0, -1);
	return characters.join("") + extensions[language];
}

/** Throws `invalid` for a file in the place that the script itself has. */
export function requireFileName(name: string, files: PlacedFiles["files"]): void {
	for (const path of files.keys())
		if (path.split("/", 1)[0] === name)
			throw new RuntimeError(
				"invalid",
				`The file ${excerpt(path)} would be in the place of the script, which is ${excerpt(name)}.`,
			);
}

function requireArgument(given: unknown, index: number): string {
	const argument = string(given, `arguments[${index}]`);
	if (argument.includes("\0"))
		throw new RuntimeError("invalid", `arguments[${index}] has a NUL character, which no argument can have.`);
	const bytes = utf8Length(argument);
	if (bytes > maxArgumentBytes)
		throw new RuntimeError("too-large", `arguments[${index}] has ${bytes} bytes; the limit is ${maxArgumentBytes}.`);
	return argument;
}

/** A path that stays in the directory of the script, and hides nothing in it: no part may begin with a dot. */
function requirePath(path: string): string {
	const parts = path.split("/");
	const isLegal =
		path.length <= maxPathCharacters &&
		parts.length <= maxPathParts &&
		path.isWellFormed() &&
		!/\p{Cc}/u.test(path) &&
		parts.every((part) => part !== "" && !part.startsWith(".") && utf8Length(part) <= maxNameBytes);
	if (isLegal) return path;
	throw new RuntimeError(
		"invalid",
		`The file ${excerpt(path)} has no legal path; it must be relative, of at most ${maxPathCharacters} characters and ${maxPathParts} parts, without control characters, and no part of it may be empty, begin with a dot or have over ${maxNameBytes} bytes.`,
	);
}

function requireContents(path: string, contents: unknown): string | Uint8Array {
	if (typeof contents === "string" || contents instanceof Uint8Array) return contents;
	throw new RuntimeError("invalid", `The contents of the file ${excerpt(path)} must be a text or bytes.`);
}
