import { RuntimeError } from "../contract/errors.ts";
import type { Helpers, Json } from "../contract/generated/types.ts";
import type { Execution, Failure, LogLine } from "../execution.ts";
import type { Opening } from "../executions.ts";
import { journalInlineBytes } from "../layout.ts";
import type { Store, StoreOperation } from "../store/store.ts";
import type { Binding } from "./binding.ts";
import { createCondition } from "./condition.ts";
import { createEvent } from "./event.ts";
import { createIo, returnedOutput } from "./io.ts";
import { Journal } from "./journal.ts";
import { errorOutcome, journalArgument } from "./journal-entry.ts";
import { createLog } from "./log.ts";
import { LogLines } from "./log-lines.ts";
import { withoutCredentials } from "./redaction.ts";
import { type LastAudit, RunAudit } from "./run-audit.ts";
import { createVariables } from "./variables.ts";

export interface HelperOptions {
	readonly store: Store;
	/** The input of the run as JSON text, if it has one. */
	readonly input: Json | undefined;
	/** What writes the run down, when nobody has: its first commit does it then. */
	readonly opening?: Opening | undefined;
	/** Whether its effects, requests and denials go into the audit log. */
	readonly audit?: boolean | undefined;
	/** Takes every line of the log as it is written. Must not throw. */
	readonly onLog: (line: LogLine) => void;
}

/** The contract bound to one run. Make it once for a run: the journal has one writer. */
export interface BoundHelpers {
	/** Errors that are known at once are thrown, others reject. */
	readonly helpers: Helpers;
	/** Takes what the script prints. False when nothing is taken any more. Never throws. */
	print(source: "stdout" | "stderr", text: string): boolean;
	/**
	 * Adds to the journal an effect that is not a helper of the contract, such as `sandbox.fetch`, once it is over: arguments and result as
	 * JSON values, or a RuntimeError as the result. Credentials in URLs and headers are removed, texts over `journalInlineBytes` become hashes.
	 * Does nothing after the end. Never throws.
	 */
	record(operation: string, parameters: Readonly<Record<string, unknown>>, result: unknown): void;
	/**
	 * Ends the run: writes out what was printed, waits for the calls under way, and takes `returned` as the last set-output. The host adds the
	 * operations to the transaction that ends the run. Afterwards every helper answers `cancelled`.
	 */
	settle(returned?: Json): Promise<Remainder>;
}

/** What is left to be stored when a script is over. Plain data: it crosses threads. */
export interface Remainder {
	/** The rest of the journal, and the output if the script returned one. */
	readonly operations: readonly StoreOperation[];
	/** For the audit log. */
	readonly audit?: LastAudit;
	/** Whether the run is in the store: false when no commit of its own has taken the opening along. */
	readonly opened: boolean;
	/** The output in force; absent when none was set. */
	readonly output?: Json;
	/** The condition in force; absent when it is unset. */
	readonly condition?: boolean;
	/** What the log lines have used of `maxLogBytes`. */
	readonly logBytes: number;
	/** Lines that were dropped because the log was full. */
	readonly droppedLogLines: number;
	/** Why a run whose script has finished did not succeed: the returned value cannot be the output, or the journal was full. */
	readonly failure?: Failure;
}

/** Binds the contract to one run. */
export function createHelpers(execution: Execution, options: HelperOptions): BoundHelpers {
	const { store, input, opening, onLog } = options;
	const journal = new Journal(execution, store, opening, options.audit ? new RunAudit(execution) : undefined);
	const lines = new LogLines(execution.limits, onLog);
	const binding: Binding = { execution, store, input, journal, lines, results: {} };
	let remainder: Promise<Remainder> | undefined;
	return {
		helpers: {
			io: createIo(binding),
			variables: createVariables(binding),
			condition: createCondition(binding),
			event: createEvent(binding),
			log: createLog(binding),
		},
		print: (source, text) => !remainder && lines.print(source, text),
		record: (operation, parameters, result) => {
			const outcome = result instanceof RuntimeError ? errorOutcome(result) : `"result":${recorded(result)}`;
			const request = operation === "sandbox.fetch" ? { url: parameters.url, denied: isDenied(result) } : undefined;
			journal.record(operation, recorded(parameters), outcome, request);
		},
		settle: (returned) => {
			remainder ??= settle(binding, returned);
			return remainder;
		},
	};
}

async function settle(binding: Binding, returned: Json | undefined): Promise<Remainder> {
	const { journal, lines, results } = binding;
	lines.flush();
	const { operations, problem, audit } = await journal.end(
		returned === undefined ? undefined : returnedOutput(binding, returned),
	);
	// After the calls that were under way: the returned value is the last.
	if (returned !== undefined && !problem) results.output = returned;
	const failure = journal.failure ?? (problem && outputFailure(problem));
	return {
		operations,
		...(audit && { audit }),
		opened: journal.opened,
		...results,
		logBytes: lines.bytes,
		droppedLogLines: lines.dropped,
		...(failure && { failure }),
	};
}

function outputFailure({ code, message, details: { limit } }: RuntimeError): Failure {
	if (code === "too-large") return { code: "output-exceeded", message, ...(limit && { limit }) };
	if (code === "invalid") return { code: "invalid-output", message, ...(limit && { limit }) };
	if (code === "internal") return { code: "internal", message };
	return { code: "script-error", name: "RuntimeError", errorCode: code, message };
}

/** Whether a result, or the error in it, says that the run may not do that. */
function isDenied(result: unknown): boolean {
	if (result instanceof RuntimeError) return result.code === "denied";
	return typeof result === "object" && result !== null && "error" in result && isDenied(result.error);
}

/** A recorded value as JSON, its long texts by hash. */
function recorded(value: unknown): string {
	try {
		return (
			JSON.stringify(withoutCredentials(value), (_, member) =>
				typeof member === "string" && member.length * 3 > journalInlineBytes ? JSON.parse(journalArgument(member)) : member,
			) ?? "null"
		);
	} catch {
		return "null";
	}
}
