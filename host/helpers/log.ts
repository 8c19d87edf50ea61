import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import type { Json, Level, Log } from "../contract/generated/types.ts";
import { requireJson, utf8Length } from "../contract/json-text.ts";
import { kindOf } from "../contract/key.ts";
import type { Limits } from "../contract/limits.ts";
import type { Binding } from "./binding.ts";
import { journalArgument, journalFingerprint } from "./journal-entry.ts";
import type { LogLines } from "./log-lines.ts";
import { operation } from "./scope.ts";

const write = operation("log.write");
const levels: ReadonlySet<Level> = new Set(["debug", "info", "warn", "error"]);

/**
 * The log of one run. The journal has the level of a call and, as its result, `{ line }`, the sequence of the log line that it wrote, or
 * `{ dropped: true }`: the text is in the log.
 */
export function createLog({ execution, journal, lines }: Binding): Log {
	const { limits } = execution;
	return {
		write: (level, message, fields, call) => {
			const levelText = journalArgument(level);
			// A repetition must be told from another call.
			const argumentsText =
				call.idempotencyKey === undefined
					? `{"level":${levelText}}`
					: `{"level":${levelText},"message":${journalFingerprint(message)},"fields":${journalFingerprint(fields)}}`;
			let line: number | undefined;
			return journal.read<void>(
				write,
				argumentsText,
				call,
				() => {
					requireLine(level, message);
					line = writeLine(lines, limits, level, message, fields);
				},
				() => (line === undefined ? '{"dropped":true}' : `{"line":${line}}`),
			);
		},
	};
}

function requireLine(level: unknown, message: unknown): void {
	if (!levels.has(level as Level)) {
		const found = typeof level === "string" ? excerpt(level) : kindOf(level);
		throw new RuntimeError("invalid", `level must be "debug", "info", "warn" or "error"; it is ${found}.`);
	}
	if (typeof message !== "string") throw new RuntimeError("invalid", `message must be a text; it is ${kindOf(message)}.`);
}

function writeLine(
	lines: LogLines,
	limits: Limits,
	level: Level,
	message: string,
	fields: Json | undefined | null,
): number | undefined {
	if (fields === undefined || fields === null) return lines.write(level, "log", message);
	if (typeof fields !== "string") throw new RuntimeError("invalid", `fields must be a JSON text; it is ${kindOf(fields)}.`);
	const bytes = utf8Length(fields);
	const { maxLogLineBytes } = limits;
	if (utf8Length(message) + bytes > maxLogLineBytes)
		return lines.write(
			level,
			"log",
			`${message} [fields of ${bytes} bytes left out: the limit maxLogLineBytes is ${maxLogLineBytes} bytes]`,
		);
	requireJson(fields, limits, { name: "fields", maxBytesLimit: "maxLogLineBytes" });
	if (!startsObject.test(fields)) throw new RuntimeError("invalid", `fields must be a JSON object; it is ${excerpt(fields)}.`);
	return lines.write(level, "log", message, fields);
}

const startsObject = /^[ \t\r\n]*\{/;
