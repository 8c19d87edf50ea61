import { closeSync, openSync, readSync } from "node:fs";
import { limitDefinitions } from "../contract/limits.ts";
import { UsageError } from "./command.ts";

/**
 * The JSON text of an argument: the argument itself, the contents of a file (`@file`), or standard input (`-`). The text is handed on as
 * it was written. Throws UsageError, naming `option`, for what is not JSON or cannot be read.
 */
export function readJsonArgument(option: string, argument: string): string {
	const fromFile = argument.startsWith("@");
	const source = argument === "-" ? "standard input" : fromFile ? argument.slice(1) : undefined;
	const text = source === undefined ? argument : readText(option, argument === "-" ? 0 : source, source);
	const problem = describeProblem(text);
	if (problem === undefined) return text.trim();
	const from = source === undefined ? "" : ` (from ${source})`;
	throw new UsageError(`${option}${from} is not JSON: ${problem}${source === undefined ? hint(argument) : ""}`);
}

/** The text of a UTF-8 file of at most `maximum` bytes. Throws UsageError, naming `option`. */
export function readText(
	option: string,
	file: string | number,
	shown: string,
	maximum: number = limitDefinitions.maxInputBytes.maximum,
): string {
	try {
		const bytes = readBytes(file, maximum);
		if (bytes === undefined) throw new UsageError(`${option}: ${shown} has more than ${maximum} bytes.`);
		// A byte order mark is left out: it is no part of the text.
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch (cause) {
		if (cause instanceof UsageError) throw cause;
		const { code } = cause as NodeJS.ErrnoException;
		if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") throw new UsageError(`${option}: ${shown} is not text in UTF-8.`);
		throw new UsageError(`${option}: ${shown} cannot be read: ${readErrors[code ?? ""] ?? code ?? String(cause)}.`);
	}
}

const readErrors: Readonly<Record<string, string>> = {
	ENOENT: "there is no such file",
	EACCES: "permission denied",
	EISDIR: "it is a directory",
	ENOTDIR: "part of its path is not a directory",
	ELOOP: "its links lead in a circle",
	ENAMETOOLONG: "its name is too long",
};

/** Nothing when there is more than `maximum`. Reads in pieces: a pipe or a device has no size to look at. */
function readBytes(file: string | number, maximum: number): Buffer | undefined {
	const descriptor = typeof file === "number" ? file : openSync(file, "r");
	try {
		const chunks: Buffer[] = [];
		let total = 0;
		for (;;) {
			const chunk = Buffer.allocUnsafe(64 * 1024);
			const length = readSome(descriptor, chunk);
			if (length === 0) return Buffer.concat(chunks, total);
			total += length;
			if (total > maximum) return undefined;
			chunks.push(chunk.subarray(0, length));
		}
	} finally {
		if (descriptor !== file) closeSync(descriptor);
	}
}

function readSome(descriptor: number, chunk: Buffer): number {
	for (;;) {
		try {
			return readSync(descriptor, chunk);
		} catch (cause) {
			const { code } = cause as NodeJS.ErrnoException;
			if (code === "EOF") return 0;
			// A terminal or a pipe that another process has set to non-blocking: nothing is there yet.
			if (code !== "EAGAIN") throw cause;
			Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
		}
	}
}

function describeProblem(text: string): string | undefined {
	if (text.trim() === "") return "it is empty.";
	try {
		JSON.parse(text);
		return undefined;
	} catch (cause) {
		return `${(cause as Error).message.split("\n", 1)[0]}.`;
	}
}

/** Shells take quotes away; most such arguments were meant as text. */
function hint(argument: string): string {
	return /^[{["]/.test(argument) ? "" : ` Text needs quotes of its own: '${JSON.stringify(argument.slice(0, 60))}'.`;
}
