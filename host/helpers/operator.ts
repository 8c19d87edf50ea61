import { accountOf, requireRoom } from "../account.ts";
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

export interface OperatorBinding {
	readonly store: Store;
	readonly namespace: string;
	readonly limits: Limits;
	/** Who the audit log says it was; what is read is not told. */
	readonly actor: string;
}

/** Binds the variables of a namespace to the operator. What it writes has `operator` as `updatedBy`. */
export function createOperatorVariables(binding: OperatorBinding): OperatorVariables {
	const { store, namespace, limits } = binding;
	const variables = createVariables({ execution: { namespace, limits, id: "" }, store, journal: unrecorded(binding) });
	const call: CallContext = { callId: "operator" };
	return {
		get: async (key) => variables.get(key, call),
		getEntry: async (key) => variables.getEntry(key, call),
		set: async (key, value, options) => variables.set(key, value, options, call),
		delete: async (key, options) => remove(binding, deleteVariable({ namespace, limits, author: "" }, key, options), key),
		list: async (options) => variables.list(options, call),
		increment: async (key, by) => variables.increment(key, by, call),
	};
}

/**
 * What the operator deletes is gone: former values too, also for journals that refer to them. So personal data can be removed, and a full
 * store can be emptied.
 */
async function remove(binding: OperatorBinding, effect: Effect<boolean>, key: Key): Promise<boolean> {
	const { namespace } = binding;
	const operations: StoreOperation[] = [
		{ type: "delete", key: layout.variable(namespace, key) },
		{ type: "delete-prefix", prefix: layout.formerVariables(namespace, key) },
	];
	return perform(binding, "variables.delete", { ...effect, operations });
}

async function perform<T>(binding: OperatorBinding, action: string, effect: Effect<T>): Promise<T> {
	const { checks = [], operations, key, committed, refused } = effect;
	const { store, namespace, actor } = binding;
	const audit = [JSON.stringify({ type: "control", action, actor, namespace, key })];
	const result = requireRoom(await store.commit({ checks, operations, account: accountOf(binding), audit }), binding);
	return result.committed ? committed(result) : refused(result);
}

/** Performs calls as the journal of a run does, but leaves no entries: the operator is not a run. */
function unrecorded(binding: OperatorBinding): Pick<Journal, "read" | "effect"> {
	return {
		read: (_operation, _arguments, _call, perform) => perform(),
		effect: async ({ id }, _arguments, _call, prepare) => perform(binding, id, prepare(0)),
	};
}
