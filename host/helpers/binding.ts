import type { Json } from "../contract/generated/types.ts";
import type { Execution } from "../execution.ts";
import type { Store } from "../store/store.ts";
import type { Journal } from "./journal.ts";
import type { LogLines } from "./log-lines.ts";

/** What the helpers of one run are bound to. */
export interface Binding {
	readonly execution: Execution;
	readonly store: Store;
	readonly input: Json | undefined;
	readonly journal: Journal;
	readonly lines: LogLines;
	/** What the run has set so far; only what was committed. */
	readonly results: { output?: Json; condition?: boolean };
}
