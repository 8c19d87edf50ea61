import { EventEmitter } from "node:events";
import { utf8Length } from "./contract/json-text.ts";
import type { LogLine } from "./execution.ts";

/** The log lines of one run: hands them on live, and writes them to the store every `flushMs`, one segment at a time. */
export class RunLogs {
	readonly lines: LogLine[] = [];
	/** Emits `change` when there are new lines and when there will be no more. */
	readonly events = new EventEmitter<{ change: [] }>().setMaxListeners(0);
	readonly #flushMs: number;
	readonly #append: (lines: readonly LogLine[]) => Promise<void>;
	readonly #onLog: ((line: LogLine) => void) | undefined;
	/** How many lines are in the store. */
	#written = 0;
	#timer: NodeJS.Timeout | undefined;
	#writing: Promise<void> | undefined;
	#closed = false;

	/** `append` writes lines to the store. */
	constructor(
		flushMs: number,
		append: (lines: readonly LogLine[]) => Promise<void>,
		onLog: ((line: LogLine) => void) | undefined,
	) {
		this.#flushMs = flushMs;
		this.#append = append;
		this.#onLog = onLog;
	}

	/** Bytes of text, for a run whose worker could not say. */
	get bytes(): number {
		return this.lines.reduce((sum, { message, fields = "" }) => sum + utf8Length(message) + utf8Length(fields), 0);
	}

	readonly add = (lines: readonly LogLine[]): void => {
		for (const line of lines) {
			this.lines.push(line);
			try {
				this.#onLog?.(line);
			} catch {
				// The caller's listener is not allowed to harm the run.
			}
		}
		this.events.emit("change");
		this.#schedule();
	};

	/** Whether there will be no more lines. */
	get isClosed(): boolean {
		return this.#closed;
	}

	/** Stops writing; the lines that are not in the store, for the end of the run to write. */
	async close(): Promise<readonly LogLine[]> {
		this.#closed = true;
		this.events.emit("change");
		clearTimeout(this.#timer);
		await this.#writing;
		return this.lines.slice(this.#written);
	}

	#schedule(): void {
		if (this.#closed || this.#writing || this.#written === this.lines.length) return;
		this.#timer ??= setTimeout(() => {
			this.#timer = undefined;
			this.#writing = this.#write();
		}, this.#flushMs);
	}

	async #write(): Promise<void> {
		const lines = this.lines.slice(this.#written);
		try {
			await this.#append(lines);
			this.#written += lines.length;
		} catch {
			// A full store refuses them now; the next time, or the end of the run, tries again.
		}
		this.#writing = undefined;
		this.#schedule();
	}
}
