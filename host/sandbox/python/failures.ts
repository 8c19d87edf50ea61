import type { Limits } from "../../contract/limits.ts";
import { requireFewValues } from "../../contract/shapes.ts";
import type { Failure } from "../../execution.ts";
import { describeTrap, limitFailure, type MemoryState } from "../guest-failures.ts";
import { RefusedImport } from "./imports.ts";
import { pythonStackBytes } from "./stacks.ts";

/** How a script of Python ended. */
export interface PythonEnd {
	readonly exitCode: number;
	readonly failure?: Failure;
}

/** More than `_cronium_main` says of any failure. */
const maxAnswerCharacters = 1024 * 1024;
/** An exit code and a record of six texts. */
const maxAnswerValues = 16;
/** Longer messages, names and stacks are cut: they are the guest's words. */
const maxTextCharacters = 16 * 1024;

/** Reads what `_cronium_main.run` has answered. It is worth what a script says, which may have replaced any part of it. */
export function describeAnswer(said: string, limits: Limits): PythonEnd {
	const answer = readAnswer(said);
	if (!answer)
		return {
			exitCode: 1,
			failure: { code: "script-error", message: "The script failed with an error that cannot be described." },
		};
	const { exitCode: given, failure } = answer;
	const exitCode = typeof given === "number" && Number.isInteger(given) ? given & 0xff : 1;
	if (typeof failure !== "object" || failure === null) return describeExitCode(exitCode);
	return { exitCode: exitCode === 0 ? 1 : exitCode, failure: readFailure(failure as Record<string, unknown>, exitCode, limits) };
}

/** The end of a script that has only an exit code to say. */
export function describeExitCode(exitCode: number): PythonEnd {
	if (exitCode === 0) return { exitCode };
	return { exitCode, failure: { code: "script-error", message: `The script ended with exit code ${exitCode}.` } };
}

/** The failure that an error thrown through the interpreter stands for; undefined when it is a fault of the host. */
export function describePythonTrap(error: unknown, state: { limits: Limits; memory: MemoryState }): Failure | undefined {
	if (error instanceof RefusedImport) return { code: "denied", message: error.message };
	// Only a script that has forged its way around CPython gets here: JavaScript is never between the engine and what waits.
	if (error instanceof Error && error.name === "SuspendError")
		return { code: "denied", message: "The script waited for the host from where it cannot be suspended." };
	const failure = describeTrap(error, state);
	if (failure?.code === "stack-exceeded") return { code: failure.code, message: nestedTooDeep };
	// CPython has functions that fail on purpose, and does what forged objects tell it.
	return failure?.code === "internal"
		? { code: "script-error", message: `The script made Python fail. ${failure.message}` }
		: failure;
}

const nestedTooDeep = `The script's calls are nested too deep, for Python's recursion limit or for its stack of ${pythonStackBytes} bytes.`;

function readFailure(
	{ kind, name, message, stack, code }: Readonly<Record<string, unknown>>,
	exitCode: number,
	limits: Limits,
): Failure {
	const said = typeof message === "string" ? cut(message) : "The script failed.";
	const kept = { ...(typeof stack === "string" && stack !== "" && { stack: cut(stack) }) };
	const named = { ...(typeof name === "string" && { name: cut(name) }) };
	switch (kind) {
		case "exit":
			return describeExitCode(exitCode).failure ?? { code: "script-error", message: said };
		case "memory":
			return { ...limitFailure(limits, "maxMemoryBytes"), ...kept };
		case "recursion":
			return { code: "stack-exceeded", message: nestedTooDeep, ...kept };
		case "syntax":
			return { code: "syntax-error", message: said, ...named, ...kept };
		case "import":
			return { code: "import-error", message: said, ...named, ...kept };
		case "never-settled":
			return { code: "never-settled", message: said, ...kept };
		default:
			return {
				code: "script-error",
				message: said,
				...named,
				...(typeof code === "string" && { errorCode: cut(code) }),
				...kept,
			};
	}
}

function readAnswer(said: string): Readonly<Record<string, unknown>> | undefined {
	if (said.length > maxAnswerCharacters) return undefined;
	try {
		requireFewValues("the end of a script", said, maxAnswerValues);
		const answer: unknown = JSON.parse(said);
		return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

const isControl = /[^\P{Cc}\n\t]/gu;

const cut = (text: string): string => text.slice(0, maxTextCharacters).toWellFormed().replace(isControl, " ");
