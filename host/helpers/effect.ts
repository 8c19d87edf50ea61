import type { Answered } from "../account.ts";
import { RuntimeError } from "../contract/errors.ts";
import type { StoreCheck, StoreOperation } from "../store/store.ts";

/** What a call changes. */
export interface Effect<T> {
	readonly checks?: readonly StoreCheck[];
	readonly operations: readonly StoreOperation[];
	/** The name of what it changes, for the audit log. */
	readonly key?: string;
	/** The result as JSON, when it is known before the commit and is not the version. */
	readonly result?: string;
	/** The result as JSON, when only the commit can tell: a later segment carries it. */
	readonly completion?: (commit: Committed) => string;
	/** What the caller gets. */
	readonly committed: (commit: Committed) => T;
	/** What the caller gets when one of `checks` did not hold or an increment failed: returned or thrown. */
	readonly refused: (refusal: Refused) => T;
	/** For `refused` that returns: the result as JSON. */
	readonly refusedResult?: string;
}

export type Committed = Extract<Answered, { committed: true }>;
export type Refused = Extract<Answered, { committed: false }>;

/** For effects without checks of their own and without increments. */
export function unrefusable({ reason }: Refused): never {
	throw new RuntimeError("internal", `The store refused a transaction that has nothing to refuse: ${reason}.`);
}
