import type { Limits } from "../../contract/limits.ts";
import type { Failure } from "../../execution.ts";
import {
	describeSaid,
	describeTrap,
	exitFailure,
	limitFailure,
	type MemoryState,
	readSaid,
	undescribed,
} from "../guest-failures.ts";
import { RefusedImport } from "./imports.ts";
import { pythonStackBytes } from "./stacks.ts";

/** How a script of Python ended. */
export interface PythonEnd {
	readonly exitCode: number;
	readonly failure?: Failure;
}

/** Reads what `_cronium_main.run` has answered. It is worth what a script says, which may have replaced any part of it. */
export function describeAnswer(said: string, limits: Limits): PythonEnd {
	const answer = readSaid(said);
	if (!answer) return { exitCode: 1, failure: undescribed };
	const { exitCode: given, failure } = answer;
	const exitCode = typeof given === "number" && Number.isInteger(given) ? given & 0xff : 1;
	if (typeof failure !== "object" || failure === null) return describeExitCode(exitCode);
	return { exitCode: exitCode === 0 ? 1 : exitCode, failure: readFailure(failure as Record<string, unknown>, exitCode, limits) };
}

/** The end of a script that has only an exit code to say. */
export function describeExitCode(exitCode: number): PythonEnd {
	const failure = exitFailure(exitCode);
	return { exitCode, ...(failure && { failure }) };
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

function readFailure(said: Readonly<Record<string, unknown>>, exitCode: number, limits: Limits): Failure {
	const { name, message, stack, code } = describeSaid(said);
	const kept = { ...(stack && { stack }) };
	const named = { ...(name !== undefined && { name }) };
	switch (said.kind) {
		case "exit":
			return exitFailure(exitCode) ?? { code: "script-error", message };
		case "memory":
			return { ...limitFailure(limits, "maxMemoryBytes"), ...kept };
		case "recursion":
			return { code: "stack-exceeded", message: nestedTooDeep, ...kept };
		case "syntax":
			return { code: "syntax-error", message, ...named, ...kept };
		case "import":
			return { code: "import-error", message, ...named, ...kept };
		case "never-settled":
			return { code: "never-settled", message, ...kept };
		default:
			return { code: "script-error", message, ...named, ...(code !== undefined && { errorCode: code }), ...kept };
	}
}
