import type { Helpers, Json } from "../contract/generated/types.ts";
import type { Execution, LogLine } from "../execution.ts";
import { type OpeningKind, openRun, readRecord } from "../executions.ts";
import { type BoundHelpers, createHelpers } from "../helpers/helpers.ts";
import type { Store } from "../store/store.ts";

/** A run whose script runs outside of this process, while it is under way: what a door serves. */
export interface ServedRun {
	readonly execution: Execution;
	readonly helpers: Helpers;
	/** Calls that a door has taken for the run. */
	calls: number;
	/** Aborted when the run is over, before anything else of its end happens. */
	readonly ended: AbortSignal;
}

/** What is known of such a run when it starts. */
export interface ServedPlan {
	readonly input: Json | undefined;
	readonly signal: AbortSignal;
	readonly onLog: (lines: readonly LogLine[]) => void;
	/** Fixes the run's clock. */
	readonly start: () => { readonly record: Json; readonly opening: OpeningKind | undefined; readonly audit: boolean };
}

/** A served run in the hands of whoever ends it. */
export interface OpenedRun extends Pick<BoundHelpers, "print" | "settle"> {
	readonly run: ServedRun;
	/** No door serves it from now on. */
	close(): void;
}

const hasEnded = "The run has ended.";

/** The runs whose scripts run elsewhere, by id. Their helpers are in this thread, because no guest code is. */
export class ServedRuns {
	readonly #store: Store;
	readonly #runs = new Map<string, ServedRun>();

	constructor(store: Store) {
		this.#store = store;
	}

	/** The run, while it is under way. */
	get(id: string): ServedRun | undefined {
		return this.#runs.get(id);
	}

	/** Starts the run's clock, and binds its helpers. */
	open({ input, signal, onLog, start }: ServedPlan): OpenedRun {
		const { record: text, opening, audit } = start();
		const record = readRecord(text);
		const bound = createHelpers(
			{ ...record, signal },
			{
				store: this.#store,
				input,
				opening: opening && openRun(opening, record, text, input),
				audit,
				onLog: (line) => onLog([line]),
			},
		);
		const ended = new AbortController();
		const run: ServedRun = { execution: { ...record, signal }, helpers: bound.helpers, calls: 0, ended: ended.signal };
		this.#runs.set(record.id, run);
		return {
			run,
			print: bound.print,
			settle: bound.settle,
			close: () => {
				this.#runs.delete(record.id);
				// Without a reason one is made, with its stack.
				ended.abort(hasEnded);
			},
		};
	}
}
