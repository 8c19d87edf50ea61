import type { Json } from "./contract/generated/types.ts";
import type { LogLine } from "./execution.ts";
import { type Ending, type ExecutionRecord, type Executions, type OpeningKind, openRun, writeRecord } from "./executions.ts";
import type { StoreOperation } from "./store/store.ts";

/** A run is written down by its host when it has waited for so long, and when its own first commit has not come so long after its start. */
const openAfterMs = 50;

/**
 * What the store knows of one run, as its host writes it. A run that need not be there before it starts is written down by the first
 * commit that its script causes, or with its end: one commit less, and nothing waits for it.
 */
export class RunRecord implements Disposable {
	readonly #executions: Executions;
	readonly #record: ExecutionRecord;
	readonly #input: Json | undefined;
	/** The record as text, since the run has started. */
	#running: Json | undefined;
	/** The text that the host has written, or found that a commit of the run had. */
	#written: Json | undefined;
	#opening: Promise<void> = Promise.resolve();
	#timer: NodeJS.Timeout;

	constructor(executions: Executions, record: ExecutionRecord, input: Json | undefined) {
		this.#executions = executions;
		this.#record = record;
		this.#input = input;
		this.#timer = this.#openSoon();
	}

	/** Writes the run down before its script starts, and `operations` with it. */
	async create(operations: readonly StoreOperation[]): Promise<void> {
		clearTimeout(this.#timer);
		const creating = this.#executions.create(this.#record, this.#input, operations).then(() => {
			this.#written = writeRecord(this.#record);
		});
		// What is written when it starts meanwhile comes behind it.
		this.#opening = creating.catch(() => undefined);
		await creating;
	}

	/** Says since when the run runs. Returns what its worker has to know to write that. */
	start(startedAt: number, deadlineAt: number): { readonly record: Json; readonly opening: OpeningKind } {
		this.#running = writeRecord({ ...this.#record, status: "running", startedAt, deadlineAt });
		clearTimeout(this.#timer);
		this.#timer = this.#openSoon();
		return { record: this.#running, opening: this.#kind };
	}

	/** Writes log lines of the run. */
	async appendLogs(lines: readonly LogLine[]): Promise<void> {
		await this.#open();
		await this.#executions.appendLogs(this.#record, lines);
	}

	/** Ends the run. `isOpened` says that a commit of its own has written it down; false as well when that is not known. */
	async end(ending: Ending, isOpened: boolean): ReturnType<Executions["end"]> {
		clearTimeout(this.#timer);
		await this.#opening;
		const isThere = isOpened || this.#written !== undefined;
		const opening = isThere ? undefined : openRun("create", this.#record, writeRecord(this.#record), this.#input);
		return this.#executions.end(this.#record, ending, opening);
	}

	/** Writes nothing more by itself. */
	[Symbol.dispose](): void {
		clearTimeout(this.#timer);
	}

	get #kind(): OpeningKind {
		return this.#written === undefined ? "create" : "start";
	}

	#openSoon(): NodeJS.Timeout {
		return setTimeout(() => void this.#open(), openAfterMs);
	}

	/** Writes what is to be known of the run now, once. Never rejects: what cannot be written now is written with the end. */
	#open(): Promise<void> {
		this.#opening = this.#opening
			.then(async () => {
				const text = this.#running ?? writeRecord(this.#record);
				if (text === this.#written) return;
				await this.#executions.open(this.#record, openRun(this.#kind, this.#record, text, this.#input));
				this.#written = text;
			})
			.catch(() => undefined);
		return this.#opening;
	}
}
