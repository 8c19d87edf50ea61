import type { ExecutionRecord } from "./executions.ts";
import { type JournalEntry, type JournalText, readJournal, resolveValue } from "./helpers/journal-reader.ts";
import { layout } from "./layout.ts";
import type { Store } from "./store/store.ts";

/**
 * What a run found, as JSON: with it the stubs of the SDKs answer as the run was answered. Input and event are those of the run, the variables those
 * that it read, as they were before it changed them. A value that is not in the store any more is left out, and so are keys that it only listed.
 */
export async function recordFixture(store: Store, record: ExecutionRecord): Promise<string> {
	const entries = await readJournal(store, record.id);
	const variables = new Map<string, string | undefined>();
	for (const entry of entries) {
		const { key } = entry.arguments;
		// What the run has changed is its own doing.
		if (typeof key !== "string" || variables.has(key) || entry.error) continue;
		variables.set(key, await readBefore(store, record, entry));
	}
	const input = await store.get(layout.input(record.id));
	const [output] = await store.list({ prefix: layout.outputs(record.id), reverse: true, limit: 1 });
	const members = [...variables].flatMap(([key, text]) => (text === undefined ? [] : [`${JSON.stringify(key)}:${text}`]));
	return [
		`{"cronium":"fixture","format":1,"recordedAt":${JSON.stringify(new Date(record.endedAt ?? record.createdAt).toISOString())}`,
		...(input ? [`"input":${input.value}`] : []),
		`"event":${JSON.stringify(record.event)}`,
		`"variables":{${members.join(",")}}`,
		...(output ? [`"output":${output.value}`] : []),
	]
		.join(",")
		.concat("}");
}

/** The value that a variable had before the call; undefined when there was none, or when the call does not tell. */
async function readBefore(store: Store, { namespace, id }: ExecutionRecord, entry: JournalEntry): Promise<string | undefined> {
	const { operation, result, arguments: given } = entry;
	switch (operation) {
		case "variables.get":
			return readText(result as JournalText | null);
		case "variables.get-entry":
			return readText((result as { readonly value: JournalText } | null)?.value ?? null);
		case "variables.increment": {
			const before = Number(result) - Number(given.by ?? 1);
			return before === 0 ? undefined : String(before);
		}
		default:
			return undefined;
	}

	async function readText(text: JournalText | null): Promise<string | undefined> {
		if (text === null || typeof text === "string") return text ?? undefined;
		return await resolveValue(store, namespace, id, text);
	}
}
