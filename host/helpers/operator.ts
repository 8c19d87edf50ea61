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
import { layout } from "../layout.ts";
import type { Store, StoreOperation } from "../store/store.ts";
import type { Effect } from "./effect.ts";
import type { Journal } from "./journal.ts";
import { deleteVariable } from "./variable-effects.ts";
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
		delete: async (key, options) =>
			remove(store, deleteVariable({ namespace, limits, author: "" }, key, options), namespace, key),
		list: async (options) => variables.list(options, call),
		increment: async (key, by) => variables.increment(key, by, call),
	};
}

/**
 * What the operator deletes is gone: former values too, also for journals that refer to them. So personal data can be removed, and a full
 * store can be emptied.
 */
async function remove(store: Store, effect: Effect<boolean>, namespace: string, key: Key): Promise<boolean> {
	const operations: StoreOperation[] = [
		{ type: "delete", key: layout.variable(namespace, key) },
		{ type: "delete-prefix", prefix: layout.formerVariables(namespace, key) },
	];
	return perform(store, { ...effect, operations });
}

async function perform<T>(store: Store, { checks = [], operations, committed, refused }: Effect<T>): Promise<T> {
	const result = await store.commit({ checks, operations });
	return result.committed ? committed(result) : refused(result);
}

/** Performs calls as the journal of a run does, but leaves no entries: the operator is not a run. */
function unrecorded(store: Store): Pick<Journal, "read" | "effect"> {
	return {
		read: (_operation, _arguments, _call, perform) => perform(),
		effect: async (_operation, _arguments, _call, prepare) => perform(store, prepare(0)),
	};
}
