import type { Failure, FailureCode } from "../execution.ts";
import type { GuestResult } from "./engine.ts";

/** All there are, as a table that does not compile without one of them. */
export const failureCodes: Readonly<Record<FailureCode, true>> = {
	"script-error": true,
	"syntax-error": true,
	"import-error": true,
	"never-settled": true,
	"invalid-output": true,
	"output-exceeded": true,
	"wall-time-exceeded": true,
	"cpu-time-exceeded": true,
	"memory-exceeded": true,
	"stack-exceeded": true,
	"host-calls-exceeded": true,
	"pending-calls-exceeded": true,
	"journal-exceeded": true,
	"storage-exceeded": true,
	cancelled: true,
	lost: true,
	"engine-unavailable": true,
	"image-unavailable": true,
	"host-unreachable": true,
	"host-key-refused": true,
	"host-login-refused": true,
	"host-unsuitable": true,
	"host-connection-lost": true,
	denied: true,
	internal: true,
};

/** What a failure may take: the prelude and the engine cut messages and stacks far below that. */
const maxReportCharacters = 1024 * 1024;
const maxExitCode = 255;

/** Reads what a guest process says of the end of its run. Throws an Error for what an honest one would not say. */
export function readGuestReport(text: string, returned: string | undefined): GuestResult {
	if (text.length > maxReportCharacters) throw new Error(`a result of ${text.length} characters`);
	const { failure, usage, exitCode } = object(JSON.parse(text));
	const { cpuTimeMs, memoryBytes, hostCalls } = object(usage);
	return {
		...(returned !== undefined && { returned }),
		...(failure !== undefined && { failure: readFailure(object(failure)) }),
		...(exitCode !== undefined && { exitCode: readExitCode(exitCode) }),
		usage: { cpuTimeMs: amount(cpuTimeMs), memoryBytes: amount(memoryBytes), hostCalls: amount(hostCalls) },
	};
}

function readFailure({ code, message, name, errorCode, limit, stack }: Readonly<Record<string, unknown>>): Failure {
	if (typeof code !== "string" || !Object.hasOwn(failureCodes, code)) throw new Error("a failure without a code");
	const found = limit === undefined ? undefined : object(limit);
	return {
		code: code as FailureCode,
		message: text(message),
		...(name !== undefined && { name: text(name) }),
		...(errorCode !== undefined && { errorCode: text(errorCode) }),
		...(found && { limit: { name: text(found.name), value: amount(found.value), unit: text(found.unit) } }),
		...(stack !== undefined && { stack: text(stack) }),
	};
}

function readExitCode(value: unknown): number {
	const code = amount(value);
	if (Number.isInteger(code) && code <= maxExitCode) return code;
	throw new Error("a result with an exit code that is none");
}

function object(value: unknown): Readonly<Record<string, unknown>> {
	if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("a result of another shape");
	return value as Record<string, unknown>;
}

function text(value: unknown): string {
	if (typeof value !== "string") throw new Error("a result of another shape");
	return value;
}

function amount(value: unknown): number {
	if (typeof value !== "number" || !Number.isFinite(value) || value < 0) throw new Error("a result with an amount that is none");
	return value;
}
