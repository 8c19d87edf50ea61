import type { Failure, LogLine, Outcome } from "../execution.ts";
import type { BundleError } from "./bundle-error.ts";
import { exitCodes } from "./command.ts";
import { RawJson, stringify } from "./json-print.ts";
import { describeDuration } from "./quantity.ts";
import { escapeText, paint, printError } from "./terminal.ts";

const levelStyles = { debug: "dim", info: "blue", warn: "yellow", error: "red" } as const;

/** One log line on standard error, with its host where there are several. What the script printed stands as it is; a structured line has its level before it and its fields behind. */
export function printLog({ level, source, message, fields }: LogLine, host?: string): void {
	const { stderr } = process;
	const from = host === undefined ? "" : `${paint(stderr, "bold", `${host}:`)} `;
	// A message of several lines must not pass for several messages.
	const text = escapeText(message, { lines: true }).replaceAll("\n", "\n  ");
	if (source === "stdout" || source === "stderr") {
		stderr.write(`${from}${text}\n`);
		return;
	}
	const details = fields === undefined || fields === "{}" ? "" : ` ${paint(stderr, "dim", escapeText(fields))}`;
	stderr.write(`${from}${paint(stderr, levelStyles[level], level.padEnd(5))} ${text}${details}\n`);
}

/** Says on standard error why a run did not succeed; on a terminal also how long it took and where to look. */
export function printEnd({ status, error, usage, executionId }: Outcome, host?: string): void {
	const from = host === undefined ? "" : `${host}: `;
	if (error) printError([from + describeFailure(error), ...readFrames(error)].join("\n"));
	const { stderr } = process;
	if (stderr.isTTY)
		stderr.write(
			`${paint(stderr, "dim", `${from}${status} after ${describeDuration(usage.wallTimeMs)}, execution ${executionId}`)}\n`,
		);
}

function describeFailure({ name, message, limit }: Failure): string {
	const text = name !== undefined && !message.startsWith(name) ? `${name}: ${message}` : message;
	if (limit === undefined || text.includes(limit.name)) return text;
	return `${text.replace(/\.$/, "")} (${limit.name}).`;
}

/** The frames without the indentation that all of them have: in Python what is behind one says something. */
function readFrames({ stack = "" }: Failure): string[] {
	const frames = stack.split("\n").filter((frame) => frame.trim() !== "");
	const indentation = frames.reduce((least, frame) => Math.min(least, frame.search(/\S/)), Number.POSITIVE_INFINITY);
	return frames.map((frame) => frame.slice(indentation).trimEnd());
}

/** All of an outcome, with its host where there are several. */
export function describeOutcome({ output: _, outputText, logs, ...outcome }: Outcome, host?: string): string {
	const { executionId, status, exitCode, ...rest } = outcome;
	return stringify({
		...(host !== undefined && { host }),
		executionId,
		status,
		exitCode,
		...(outputText !== undefined && { output: new RawJson(outputText) }),
		...rest,
		logs: logs.map(({ fields, ...log }) => ({ ...log, ...(fields !== undefined && { fields: new RawJson(fields) }) })),
	});
}

/** The outcome of a run that was not started: it has no execution. */
export function describeUnstarted({ code, message }: BundleError): string {
	return stringify({
		executionId: null,
		status: "failed",
		exitCode: exitCodes.failed,
		condition: null,
		logs: [],
		error: { code, message },
	});
}
