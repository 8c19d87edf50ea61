import { ownFrames } from "./describe.ts";

/** `TypeError: message` and the frames of the script's own files, as V8 begins its stacks. */
export function stackText(error: Error): string {
	let stack: unknown;
	try {
		stack = error.stack;
	} catch {
		// A getter that throws: as if there were none.
	}
	const title = titleOf(error);
	if (typeof stack !== "string" || stack === "") return title;
	// QuickJS gives frames only. A stack that someone has set is shown as it is.
	if (!stack.startsWith("    at ")) return stack;
	const frames = ownFrames(stack);
	return frames === "" ? title : `${title}\n    ${frames.replaceAll("\n", "\n    ")}`;
}

const titleOf = (error: Error): string => Error.prototype.toString.call(error);

/** What stands for the error itself; `keys` loses what the text already tells and gains what is hidden but wanted. */
export function formatError(error: Error, className: string | null, prefix: string, keys: PropertyKey[]): string {
	let text: string;
	try {
		text = stackText(error);
	} catch {
		return Object.prototype.toString.call(error);
	}
	hideKey(keys, "stack", true);
	for (const name of ["message", "name"] as const) {
		const value = readSafely(error, name);
		hideKey(keys, name, typeof value !== "string" || text.includes(value));
	}
	if (Object.hasOwn(error, "cause") && !keys.includes("cause")) keys.push("cause");
	if (Object.hasOwn(error, "errors") && Array.isArray(readSafely(error, "errors")) && !keys.includes("errors"))
		keys.push("errors");

	const name = readSafely(error, "name") ?? "Error";
	if (typeof name === "string") text = nameClass(text, name, className, prefix);
	const message = readSafely(error, "message");
	const from = typeof message === "string" && message !== "" ? text.indexOf(message) + message.length : 0;
	return text.includes("\n    at", Math.max(from, 0)) ? text : `[${text}]`;
}

/** Says the class when the name does not: `class HttpError extends Error {}` begins its stack with "Error". */
function nameClass(text: string, name: string, className: string | null, prefix: string): string {
	const length = name.length;
	const standsAlone = text.length === length || text[length] === ":" || text[length] === "\n";
	if (className !== null && !(name.endsWith("Error") && text.startsWith(name) && standsAlone)) return text;
	if (name === prefix) return text;
	if (className === null) {
		const start = /^([A-Z][a-z_ A-Z0-9[\]()-]+)(?::|\n {4}at)/.exec(text) ?? /^([a-z_A-Z0-9-]*Error)$/.exec(text);
		const shown = start?.[1] ?? "";
		return shown === "" ? `${prefix}: ${text}` : `${prefix}${text.slice(shown.length)}`;
	}
	return prefix.includes(name) ? `${prefix}${text.slice(length)}` : `${prefix} [${name}]${text.slice(length)}`;
}

function hideKey(keys: PropertyKey[], key: string, isTold: boolean): void {
	const index = isTold ? keys.indexOf(key) : -1;
	if (index >= 0) keys.splice(index, 1);
}

function readSafely(holder: object, name: string): unknown {
	try {
		return (holder as Record<string, unknown>)[name];
	} catch {
		return undefined;
	}
}
