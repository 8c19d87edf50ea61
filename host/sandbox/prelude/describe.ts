// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template to a call of String.prototype.concat, which scripts can replace.

import { inspect } from "./inspect.ts";
import {
	arrayJoin,
	hasInstance,
	hasOwn,
	IntrinsicError,
	isArray,
	stringIncludes,
	stringIndexOf,
	stringifyJson,
	stringSlice,
	stringToWellFormed,
} from "./primordials.ts";

/** The name that esbuild and the engines give the file of the prelude: its frames are not the script's. */
const ownFile = "cronium:prelude";
const maxMessageCharacters = 8 * 1024;
const maxFrames = 32;
const maxCauses = 8;

export interface Description {
	readonly name?: string;
	readonly message: string;
	/** Frames of the script's own files, one a line; then `caused by …` with its frames. */
	readonly stack?: string;
	/** The code of a RuntimeError, or of anything else that has a textual one. */
	readonly code?: string;
}

/** What is known of anything that was thrown. Never throws, whatever getters and proxies do, and is bounded in length. */
export function describe(thrown: unknown): Description {
	if (!isError(thrown)) return { message: cut("A value that is not an Error was thrown: " + describeValue(thrown)) };
	const name = nameOf(thrown);
	const code = text(thrown, "code");
	const stack = describeStack(thrown);
	return {
		name,
		message: cut(text(thrown, "message") || name),
		...(stack !== "" && { stack }),
		...(code !== undefined && { code: cut(code) }),
	};
}

/** `describe` as JSON text, for the host. */
export function describeAsText(thrown: unknown): string {
	return stringifyJson(describe(thrown));
}

/** The frames of `stack` (as QuickJS writes them) that are not the prelude's or the engine's. */
export function ownFrames(stack: string): string {
	const kept: string[] = [];
	let from = 0;
	while (from < stack.length && kept.length < maxFrames) {
		let to = stringIndexOf(stack, "\n", from);
		if (to < 0) to = stack.length;
		const line = stringSlice(stack, from, to);
		from = to + 1;
		if (!stringIncludes(line, "    at ") || stringIncludes(line, "(" + ownFile) || stringIncludes(line, "(native)")) continue;
		kept[kept.length] = stringSlice(line, stringIndexOf(line, "at "));
	}
	return arrayJoin(kept, "\n");
}

function describeStack(error: object): string {
	let result = framesOf(error);
	const seen: unknown[] = [error];
	const add = (relation: string, other: unknown): void => {
		if (seen.length > maxCauses) return;
		for (let index = 0; index < seen.length; index++) if (seen[index] === other) return;
		seen[seen.length] = other;
		const said = isError(other) ? nameOf(other) + ": " + (text(other, "message") ?? "") : describeValue(other);
		const frames = isError(other) ? framesOf(other) : "";
		result += (result === "" ? "" : "\n") + relation + " " + cut(said) + (frames === "" ? "" : "\n" + frames);
		if (isError(other)) addRelated(other);
	};
	const addRelated = (from: object): void => {
		if (has(from, "cause")) add("caused by", read(from, "cause"));
		const errors = has(from, "errors") ? read(from, "errors") : undefined;
		try {
			if (isArray(errors))
				for (let index = 0; index < errors.length && seen.length <= maxCauses; index++) add("with", errors[index]);
		} catch {
			// A proxy for an array may refuse; what was gathered so far stays.
		}
	};
	addRelated(error);
	return result;
}

function isError(value: unknown): value is object {
	try {
		return typeof value === "object" && value !== null && hasInstance(IntrinsicError, value);
	} catch {
		return false;
	}
}

function framesOf(error: object): string {
	const stack = read(error, "stack");
	return typeof stack === "string" ? cut(ownFrames(stack)) : "";
}

function nameOf(error: object): string {
	const own = text(error, "name") || "Error";
	if (own !== "Error") return cut(own);
	// A class that extends Error without setting `name` is still better known by its own.
	const maker = read(error, "constructor");
	const name = typeof maker === "function" ? text(maker, "name") : undefined;
	return cut(name || own);
}

function describeValue(value: unknown): string {
	try {
		return cut(inspect(value));
	} catch {
		return typeof value;
	}
}

function text(holder: object, name: string): string | undefined {
	const value = read(holder, name);
	return typeof value === "string" ? value : undefined;
}

function read(holder: object, name: string): unknown {
	try {
		return (holder as Record<string, unknown>)[name];
	} catch {
		return undefined;
	}
}

function has(holder: object, name: string): boolean {
	try {
		return hasOwn(holder, name);
	} catch {
		return false;
	}
}

function cut(value: string): string {
	const whole = stringToWellFormed(value);
	return whole.length <= maxMessageCharacters ? whole : stringSlice(whole, 0, maxMessageCharacters) + "… (cut)";
}
