/** The thread that parses untrusted text: types are stripped and source maps are read here and nowhere else. It has no rights and no secrets. */
import { stripTypeScriptTypes } from "node:module";
import { parentPort } from "node:worker_threads";
import { findOrigins } from "./source-map.ts";

export type SourceJob =
	/** Loads the parser. */
	| { readonly type: "warm" }
	| { readonly type: "strip"; readonly source: string }
	| { readonly type: "map"; readonly stack: string; readonly sourceMap: string };

export type SourceAnswer =
	| { readonly type: "stripped"; readonly source: string }
	/** The source does not parse, or is more than types. `line` and `column` count from 1. */
	| { readonly type: "refused"; readonly message: string; readonly line?: number; readonly column?: number }
	| { readonly type: "mapped"; readonly stack: string };

const maxFrames = 200;
const maxNameCharacters = 200;

const port = parentPort;
if (!port) throw new Error("source-worker.ts runs as a worker thread only");
// Node says once per thread that stripping is experimental; people who run scripts cannot act on it.
process.removeAllListeners("warning");

port.on("message", (job: SourceJob) => {
	if (job.type === "warm") {
		stripTypeScriptTypes("");
		return;
	}
	// Whatever is not an answer ends this thread: its parser may be broken for good.
	port.postMessage(job.type === "strip" ? strip(job.source) : { type: "mapped", stack: map(job.stack, job.sourceMap) });
});

function strip(source: string): SourceAnswer {
	try {
		return { type: "stripped", source: stripTypeScriptTypes(source, { mode: "strip" }) };
	} catch (error) {
		const code = error instanceof Error && "code" in error ? error.code : undefined;
		if (code !== "ERR_INVALID_TYPESCRIPT_SYNTAX" && code !== "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") throw error;
		const { message, stack } = error as Error;
		return { type: "refused", message: message.slice(0, 500), ...readPlace(stack ?? "", source) };
	}
}

/**
 * Node gives the place only as the head of the stack: `file:line`, some lines of source, and carets under the place. The carets count what a
 * terminal would show (tabs as four, wide characters as two), so there is a column only where that is the same.
 */
function readPlace(stack: string, source: string): { line?: number; column?: number } {
	const [head = "", ...excerpt] = (stack.split("\n\n", 1)[0] ?? "").split("\n");
	const line = Number(/:(\d+)$/.exec(head)?.[1] ?? Number.NaN);
	if (Number.isNaN(line)) return {};
	const column = excerpt.find((text) => /^ *\^+ *$/.test(text))?.indexOf("^");
	const printable = /^[ -~]*\r?$/.test(source.split("\n", line)[line - 1] ?? "");
	return { line, ...(column !== undefined && printable && { column: column + 1 }) };
}

function map(stack: string, sourceMap: string): string {
	const frames = stack.split("\n").slice(0, maxFrames);
	const places = frames.map((frame) => /^(\s*at (?:.* )?\(?)([^()]*):(\d{1,9}):(\d{1,9})(\)?)$/.exec(frame));
	const origins = findOrigins(
		sourceMap,
		places.map((place) => ({ line: Number(place?.[3] ?? 0) - 1, column: Number(place?.[4] ?? 0) - 1 })),
	);
	return frames
		.map((frame, index) => {
			const [place, origin] = [places[index], origins[index]];
			if (!place || !origin) return frame;
			return `${place[1]}${describeFile(origin.source)}:${origin.line + 1}:${origin.column + 1}${place[5]}`;
		})
		.join("\n");
}

/** A name from a map is whatever its maker wrote: kept short, in one line, and never a path of this machine. */
function describeFile(name: string): string {
	const printable = name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}()]/gu, "?");
	const segments = printable.split(/[\\/]/).filter((segment) => segment !== "" && segment !== "." && segment !== "..");
	const relative = /^(?:[\\/]|[a-z][a-z0-9+.-]*:)/i.test(printable) ? segments.slice(-1) : segments;
	return relative.join("/").slice(-maxNameCharacters);
}
