import type { Json, Level } from "../contract/generated/types.ts";
import { utf8Length } from "../contract/json-text.ts";
import type { Limits } from "../contract/limits.ts";
import type { LogLine } from "../execution.ts";

type Printed = Extract<LogLine["source"], "stdout" | "stderr">;

/**
 * The log lines of one run: numbered, cut to `maxLogLineBytes`, and counted. Once a line would go over `maxLogBytes`, one marker is left
 * and every later line is dropped and counted. A line counts its text and 64 bytes for what is stored around it: empty lines are not free.
 */
export class LogLines {
	readonly #limits: Limits;
	readonly #onLog: (line: LogLine) => void;
	#sequence = 0;
	#bytes = 0;
	#dropped = 0;
	#full = false;
	readonly #partial: Record<Printed, PartialLine> = { stdout: new PartialLine(), stderr: new PartialLine() };

	constructor(limits: Limits, onLog: (line: LogLine) => void) {
		this.#limits = limits;
		this.#onLog = onLog;
	}

	/** What was counted against `maxLogBytes`. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Lines that were dropped because the log was full. */
	get dropped(): number {
		return this.#dropped;
	}

	/** Returns the sequence of the line, or undefined when it was dropped. */
	write(level: Level, source: LogLine["source"], text: string, fields?: Json): number | undefined {
		if (this.#full) {
			this.#dropped++;
			return undefined;
		}
		const message = cut(text.toWellFormed(), this.#limits.maxLogLineBytes);
		const bytes = lineBytes + utf8Length(message) + (fields === undefined ? 0 : utf8Length(fields));
		if (this.#bytes + bytes > this.#limits.maxLogBytes) {
			this.#full = true;
			this.#dropped++;
			const { maxLogBytes } = this.#limits;
			this.#emit("warn", "system", `The log is full: the limit maxLogBytes is ${maxLogBytes} bytes. Later lines are dropped.`);
			return undefined;
		}
		this.#bytes += bytes;
		return this.#emit(level, source, message, fields);
	}

	/** Takes what a script printed; a line is written when its end comes. False when the log is full, and takes nothing more. */
	print(source: Printed, text: string): boolean {
		const partial = this.#partial[source];
		let start = 0;
		for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
			partial.add(text, start, end, this.#limits.maxLogLineBytes);
			this.#writePrinted(source, partial.take());
			start = end + 1;
		}
		partial.add(text, start, text.length, this.#limits.maxLogLineBytes);
		return !this.#full;
	}

	/** Writes the lines that have no end yet. */
	flush(): void {
		for (const source of ["stdout", "stderr"] as const)
			if (!this.#partial[source].isEmpty) this.#writePrinted(source, this.#partial[source].take());
	}

	#writePrinted(source: Printed, text: string): void {
		this.write(source === "stdout" ? "info" : "warn", source, text.endsWith("\r") ? text.slice(0, -1) : text);
	}

	#emit(level: Level, source: LogLine["source"], message: string, fields?: Json): number {
		const sequence = ++this.#sequence;
		const at = new Date().toISOString();
		this.#onLog(
			fields === undefined ? { sequence, at, level, source, message } : { sequence, at, level, source, message, fields },
		);
		return sequence;
	}
}

const lineBytes = 64;

/** A line that has no end yet. It never holds much more than a line may have; what is over is counted only. */
class PartialLine {
	#text = "";
	#omitted = 0;

	get isEmpty(): boolean {
		return this.#text === "" && this.#omitted === 0;
	}

	add(text: string, start: number, end: number, maxBytes: number): void {
		// One unit more than may stay, so that the line is known to be too long.
		const room = Math.max(0, maxBytes + 1 - this.#text.length);
		const taken = Math.min(end - start, room);
		if (taken > 0) this.#text += text.slice(start, start + taken);
		this.#omitted += end - start - taken;
	}

	take(): string {
		const text = this.#text;
		this.#text = "";
		this.#omitted = 0;
		return text;
	}
}

/** Cuts a line to its limit, on the border of a character, and says so. */
function cut(text: string, maxBytes: number): string {
	if (text.length * 3 <= maxBytes || utf8Length(text) <= maxBytes) return text;
	const note = ` [cut: the limit maxLogLineBytes is ${maxBytes} bytes]`;
	const { read } = new TextEncoder().encodeInto(text, new Uint8Array(Math.max(0, maxBytes - note.length)));
	return text.slice(0, read) + note;
}
