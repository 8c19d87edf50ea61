import type { Entry, Key, Metadata, Variables } from "../contract/generated/types.ts";
import { requireKey } from "../contract/key.ts";
import type { Execution } from "../execution.ts";
import { layout } from "../layout.ts";
import type { Store, StoreEntry, StoreHead } from "../store/store.ts";
import { whenReady } from "./answer.ts";
import type { Journal } from "./journal.ts";
import { journalArgument, journalText } from "./journal-entry.ts";
import { operation } from "./scope.ts";
import { deleteVariable, incrementVariable, setVariable, type VariableWriter } from "./variable-effects.ts";
import { listKeys } from "./variable-pages.ts";

const get = operation("variables.get");
const getEntry = operation("variables.get-entry");
const set = operation("variables.set");
const remove = operation("variables.delete");
const list = operation("variables.list");
const increment = operation("variables.increment");

/** Whose variables, and where its calls are performed: by the journal of a run, or by what takes its place for the operator. */
export interface VariablesBinding {
	/** The id is the author of what is written; empty for the operator. */
	readonly execution: Pick<Execution, "id" | "namespace" | "limits">;
	readonly store: Store;
	readonly journal: Pick<Journal, "read" | "effect">;
}

/** The variables of one namespace. */
export function createVariables({ execution, store, journal }: VariablesBinding): Variables {
	const { namespace, limits, id } = execution;
	const writer: VariableWriter = { namespace, limits, author: id };
	const text = journalArgument;
	const find = (key: Key) => store.get(layout.variable(namespace, requireKey(key, limits)));
	const recorded = (entry: StoreEntry, key: Key) => journalText(entry.value, { key, version: entry.version });

	return {
		get: (key, call) => {
			let found: StoreEntry | undefined;
			return journal.read(
				get,
				`{"key":${text(key)}}`,
				call,
				() =>
					whenReady(find(key), (entry) => {
						found = entry;
						return entry?.value;
					}),
				() => (found ? recorded(found, key) : "null"),
			);
		},

		getEntry: (key, call) => {
			let found: StoreEntry | undefined;
			return journal.read<Entry | undefined>(
				getEntry,
				`{"key":${text(key)}}`,
				call,
				() =>
					whenReady(find(key), (entry) => {
						found = entry;
						return entry && { value: entry.value, metadata: metadataOf(entry) };
					}),
				(entry) => (found && entry ? `{"value":${recorded(found, key)},"metadata":${JSON.stringify(entry.metadata)}}` : "null"),
			);
		},

		set: (key, value, options, call) =>
			journal.effect(set, `{"key":${text(key)},"value":${text(value)},"options":${text(options)}}`, call, () =>
				setVariable(writer, key, value, options),
			),

		delete: (key, options, call) =>
			journal.effect(remove, `{"key":${text(key)},"options":${text(options)}}`, call, () => deleteVariable(writer, key, options)),

		list: (options, call) =>
			journal.read(
				list,
				`{"options":${text(options)}}`,
				call,
				() => listKeys(store, execution, options, metadataOf),
				(page) => JSON.stringify(page),
			),

		increment: (key, by, call) =>
			journal.effect(increment, `{"key":${text(key)},"by":${text(by)}}`, call, () => incrementVariable(writer, key, by)),
	};
}

function metadataOf(entry: StoreHead): Metadata {
	const updatedAt = new Date(entry.updatedAt).toISOString();
	return {
		version: entry.version,
		createdAt: entry.createdAt === entry.updatedAt ? updatedAt : new Date(entry.createdAt).toISOString(),
		updatedAt,
		updatedBy: entry.author === "" ? "operator" : entry.author,
		...(entry.expiresAt !== undefined && { expiresAt: new Date(entry.expiresAt).toISOString() }),
		size: entry.size,
	};
}
