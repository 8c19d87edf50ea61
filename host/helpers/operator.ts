import { RuntimeError } from "../contract/errors.ts";
import type {
	CallContext,
	DeleteOptions,
	Entry,
	Json,
	Key,
	KeyPage,
	ListOptions,
	SetOptions,
	Version,
} from "../contract/generated/types.ts";
import type { Limits } from "../contract/limits.ts";
import type { Store } from "../store/store.ts";
import type { Journal } from "./journal.ts";
import { createVariables } from "./variables.ts";

/** The variables of a namespace as the operator sees them: the same rules as for scripts, without scopes and without a journal. */
export interface OperatorVariables {
	get(key: Key): Promise<Json | undefined>;
	getEntry(key: Key): Promise<Entry | undefined>;
	set(key: Key, value: Json, options?: SetOptions): Promise<Version>;
	delete(key: Key, options?: DeleteOptions): Promise<boolean>;
	list(options?: ListOptions): Promise<KeyPage>;
	increment(key: Key, by?: number): Promise<number>;
}

/** Binds the variables of a namespace to the operator. What it writes has `operator` as `updatedBy`. */
export function createOperatorVariables(store: Store, namespace: string, limits: Limits): OperatorVariables {
	const variables = createVariables({ execution: { namespace, limits, id: "" }, store, journal: unrecorded(store) });
	const call: CallContext = { callId: "operator" };
	return {
		get: async (key) => variables.get(key, call),
		getEntry: async (key) => variables.getEntry(key, call),
		set: async (key, value, options) => variables.set(key, value, options, call),
		delete: async (key, options) => variables.delete(key, options, call),
		list: async (options) => variables.list(options, call),
		increment: async (key, by) => variables.increment(key, by, call),
	};
}

/** Performs calls as the journal of a run does, but leaves no entries: the operator is not a run. */
function unrecorded(store: Store): Pick<Journal, "read" | "effect"> {
	return {
		read: (_operation, _arguments, _call, perform) => perform(),
		effect: async (_operation, _arguments, _call, prepare) => {
			const { checks, operations, committed, refused } = prepare(0);
			const result = await store.commit({ operations, ...(checks && { checks }) });
			if (result.committed) return committed(result);
			if (!refused) throw new RuntimeError("internal", `The store refused a transaction: ${result.reason}.`);
			return refused(result);
		},
	};
}
