import { isBuiltin } from "node:module";
import { describeLimit, type LimitName, type Limits } from "../contract/limits.ts";
import { requireFewValues } from "../contract/shapes.ts";
import type { Failure, FailureCode } from "../execution.ts";
import { GuestOutOfMemory } from "./guest.ts";

/** What of a guest tells one kind of end from another. */
export interface MemoryState {
	readonly memoryBytes: number;
	readonly maxMemoryBytes: number;
	readonly stackIsExhausted: boolean;
}

const limitCodes = {
	maxWallTimeMs: "wall-time-exceeded",
	maxCpuTimeMs: "cpu-time-exceeded",
	maxMemoryBytes: "memory-exceeded",
	maxStackBytes: "stack-exceeded",
} as const satisfies Partial<Record<LimitName, FailureCode>>;

const limitMessages: Readonly<Record<keyof typeof limitCodes, (value: number) => string>> = {
	maxWallTimeMs: (value) => `The run took longer than ${value} milliseconds`,
	maxCpuTimeMs: (value) => `The script used more than ${value} milliseconds of processor time`,
	maxMemoryBytes: (value) => `The script needs more than ${value} bytes of memory`,
	maxStackBytes: (value) => `The script's calls are nested too deep for a stack of ${value} bytes`,
};

/** The failure of a run that went over the limit `name`. */
export function limitFailure(limits: Limits, name: keyof typeof limitCodes): Failure {
	return {
		code: limitCodes[name],
		message: `${limitMessages[name](limits[name])} (${name}).`,
		limit: describeLimit(limits, name),
	};
}

/** The failure of a script of which nothing is known but the exit code. */
export function exitFailure(exitCode: number): Failure | undefined {
	return exitCode === 0 ? undefined : { code: "script-error", message: `The script ended with exit code ${exitCode}.` };
}

/** The failure of a script that has thrown what nobody can describe. */
export const undescribed: Failure = {
	code: "script-error",
	message: "The script failed with an error that cannot be described.",
};

/** This much of the largest memory may be missing because it was too little for what was asked. */
const nearlyFullBytes = 1024 * 1024;

const isNearlyFull = ({ memoryBytes, maxMemoryBytes }: MemoryState): boolean => memoryBytes > maxMemoryBytes - nearlyFullBytes;

/** What the engines say when their stack or their memory is at its end; `quickjs-emscripten` has an older QuickJS. */
const overflowMessages = ["Maximum call stack size exceeded", "stack overflow"];
const memoryMessage = "out of memory";

/** What both engines say of a name that the module, whose inner name this is, does not export. */
const missingExportPattern = /^Could not find export '(.{1,200})' in module 'cronium:module'$/u;

/** What a guest says of an error that nothing has caught, cut. */
interface Described {
	readonly name?: string;
	readonly message: string;
	readonly stack?: string;
	readonly code?: string;
}

/** The failure that `said` (what the prelude's `describe` made of an uncaught value) stands for. */
export function describeFailure(
	said: string | undefined,
	{ scriptName, limits, memory }: { scriptName: string; limits: Limits; memory: MemoryState },
): Failure {
	const read = said === undefined ? undefined : readSaid(said);
	if (!read) return isNearlyFull(memory) ? limitFailure(limits, "maxMemoryBytes") : undescribed;
	const { name, message, stack, code } = describeSaid(read);
	const isEngineError = name === "InternalError" || name === "RangeError";
	const kept = { ...(stack !== undefined && { stack }) };
	if (isEngineError && message === memoryMessage) return { ...limitFailure(limits, "maxMemoryBytes"), ...kept };
	// Without room for an Error object QuickJS throws null, of which the prelude may have no room to say more than its type.
	if (name === undefined && isNearlyFull(memory) && /: (?:null|object)$/.test(message))
		return limitFailure(limits, "maxMemoryBytes");
	if (isEngineError && overflowMessages.includes(message)) return { ...limitFailure(limits, "maxStackBytes"), ...kept };
	if (name === "SyntaxError") {
		const missing = missingExportPattern.exec(message)?.[1];
		if (missing !== undefined)
			return { code: "import-error", message: `Module "cronium" has no export "${missing}".`, name, ...kept };
		const position = parsedPosition(stack, scriptName);
		if (position) return { code: "syntax-error", message: `${position}: ${message}`, name, ...kept };
	}
	return {
		code: "script-error",
		message,
		...(name !== undefined && { name }),
		...(name === "RuntimeError" && code !== undefined && { errorCode: code }),
		...kept,
	};
}

/**
 * The failure that an error thrown through the guest stands for; undefined when it is a fault of the host. The host's stack can be
 * exhausted before the guest's own check notices, and a guest without memory may trap.
 */
export function describeTrap(error: unknown, { limits, memory }: { limits: Limits; memory: MemoryState }): Failure | undefined {
	if (error instanceof GuestOutOfMemory) return limitFailure(limits, "maxMemoryBytes");
	if (error instanceof RangeError && error.message === "Maximum call stack size exceeded")
		return limitFailure(limits, "maxStackBytes");
	if (!(error instanceof WebAssembly.RuntimeError)) return undefined;
	if (memory.stackIsExhausted) return limitFailure(limits, "maxStackBytes");
	if (isNearlyFull(memory)) return limitFailure(limits, "maxMemoryBytes");
	return { code: "internal", message: `The engine failed: ${error.message}.` };
}

/** The end of a frame, from its row on; read from the end, because what is before it is as long as the guest wants it. */
const positionPattern = /^:(\d{1,10}):(\d{1,10})\)?$/;
/** The longest text that the pattern fits. */
const maxPositionCharacters = 23;
const isControl = /\p{Cc}/gu;

/** `stack` without the frames of other files than the script's; lines that are no frames (`caused by …`) stay. */
export function ownFrames(stack: string, scriptName: string): string {
	const lines: string[] = [];
	for (const line of stack.split("\n")) {
		const trimmed = line.trim();
		if (!trimmed.startsWith("at ")) {
			if (trimmed !== "") lines.push(trimmed.replace(isControl, " "));
			continue;
		}
		const frame = readFrame(trimmed, scriptName);
		if (frame !== undefined) lines.push(frame);
	}
	return lines.join("\n");
}

/** A frame of the file `scriptName` as it is shown; undefined for other files. Takes time by the length of the line and no more. */
function readFrame(line: string, scriptName: string): string | undefined {
	const column = line.lastIndexOf(":");
	const row = line.lastIndexOf(":", column - 1);
	if (row < 0 || line.length - row > maxPositionCharacters) return undefined;
	const [, rowNumber, columnNumber] = positionPattern.exec(line.slice(row)) ?? [];
	if (columnNumber === undefined) return undefined;
	const place = `${scriptName}:${rowNumber}:${columnNumber}`;
	const before = line.slice("at ".length, row);
	if (before === scriptName) return `at ${place}`;
	if (!before.endsWith(` (${scriptName}`)) return undefined;
	const called = before.slice(0, -` (${scriptName}`.length);
	return called === "<anonymous>" || called === "" ? `at ${place}` : `at ${called.replace(isControl, " ")} (${place})`;
}

/** Why a script cannot import `specifier`. */
export function refusedImport(specifier: string): string {
	const shown = JSON.stringify(specifier.length > 200 ? `${specifier.slice(0, 200)}…` : specifier);
	if (isBuiltin(specifier))
		return (
			`Cannot import ${shown}: modules of Node.js do not exist in the sandbox, which has "cronium" and the web's global ` +
			"functions. A script that needs it runs in container mode."
		);
	return (
		`Cannot import ${shown}: the sandbox has only the module "cronium". ` +
		"Files and packages have to be bundled into the script before it runs, as `cronium run` does."
	);
}

/** Where the parser stopped: it adds a frame without a function. */
function parsedPosition(stack: string | undefined, scriptName: string): string | undefined {
	const first = stack?.slice(0, stack.indexOf("\n") < 0 ? undefined : stack.indexOf("\n")).trim();
	const prefix = `at ${scriptName}:`;
	return first?.startsWith(prefix) && /^\d+:\d+$/.test(first.slice(prefix.length)) ? first.slice(3) : undefined;
}

/** More than any guest's own code says of an error: its texts are cut to 8 Ki characters each, and a character is at most six of JSON. */
const maxSaidCharacters = 1024 * 1024;
/** Records of a few texts. */
const maxSaidValues = 16;
/** Longer messages, names and stacks are cut: they are the guest's words. */
const maxTextCharacters = 16 * 1024;

/** The record of JSON that a guest has made, which may have replaced any part of what makes it; undefined when it is none. */
export function readSaid(said: string): Readonly<Record<string, unknown>> | undefined {
	if (said.length > maxSaidCharacters) return undefined;
	try {
		requireFewValues("what a guest says", said, maxSaidValues);
		const read: unknown = JSON.parse(said);
		return typeof read === "object" && read !== null ? (read as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

/** The texts of an error in what a guest has said. */
export function describeSaid({ name, message, stack, code }: Readonly<Record<string, unknown>>): Described {
	return {
		message: typeof message === "string" ? cut(message) : "The script failed.",
		...(typeof name === "string" && { name: cut(name) }),
		...(typeof stack === "string" && { stack: cut(stack) }),
		...(typeof code === "string" && { code: cut(code) }),
	};
}

const cut = (text: string): string => text.slice(0, maxTextCharacters).toWellFormed();
