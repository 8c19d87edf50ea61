import { type ExecutionRecord, readRecord, runIds } from "../../host/executions.ts";
import { type JournalEntry, readJournal } from "../../host/helpers/journal-reader.ts";
import { layout } from "../../host/layout.ts";
import type { Store, StoreKey } from "../../host/store/store.ts";

/** What one run was promised; the store must have it. */
export interface Promised {
	readonly id: string;
	readonly namespace: string;
	/** The variable that only this run writes, 1, 2, 3, … */
	readonly series: string;
	/** The highest value whose write was acknowledged, 0 for none. */
	readonly acknowledged: number;
	/** The highest value that the script may have written. */
	readonly writes: number;
	/** The status that was reported to the caller; undefined when the host died before it could. */
	readonly status: string | undefined;
}

/** The journal's account of what a storm did. */
export interface AuditTotals {
	runs: number;
	journalEntries: number;
	effects: number;
}

/**
 * Checks what a store holds after its host is gone against what was promised, and the store against the journals. Returns what is wrong.
 *
 * `runs` are all runs whose end was reported; with `others` there may be more in the store: runs that their host's death cut off.
 */
export async function audit(
	store: Store,
	runs: Iterable<Promised>,
	{ counter, others }: { readonly counter: string; readonly others: boolean },
): Promise<{ readonly problems: readonly string[]; readonly totals: AuditTotals }> {
	const problems: string[] = [];
	const totals: AuditTotals = { runs: 0, journalEntries: 0, effects: 0 };
	const counted = new Map<string, number>();
	const audited = new Set<string>();

	const auditRun = async (record: ExecutionRecord, promised: Promised | undefined): Promise<void> => {
		audited.add(record.id);
		totals.runs += 1;
		const name = `run ${record.id} (${record.script?.name}, ${record.status})`;
		if (record.status === "created" || record.status === "running" || record.endedAt === undefined)
			problems.push(`${name} has no final status`);
		if (promised?.status !== undefined && promised.status !== record.status)
			problems.push(`${name} was reported as ${promised.status}`);
		const journal = await readWholeJournal(store, record.id);
		totals.journalEntries += journal.length;
		const gap = journal.findIndex(({ sequence }, index) => sequence !== index + 1);
		if (gap >= 0) problems.push(`${name} has a gap in its journal before entry ${journal[gap]?.sequence}`);
		let last: JournalEntry | undefined;
		for (const entry of journal) {
			if (entry.version === undefined) continue;
			totals.effects += 1;
			const { key } = entry.arguments;
			if (entry.operation === "variables.increment" && key === counter)
				counted.set(record.namespace, (counted.get(record.namespace) ?? 0) + ((entry.arguments.by as number | undefined) ?? 1));
			if (promised && entry.operation === "variables.set" && key === promised.series) last = entry;
		}
		if (!promised) return;
		const stored = await store.get(layout.variable(promised.namespace, promised.series));
		const value = stored ? Number(stored.value) : 0;
		if (!(value >= promised.acknowledged))
			problems.push(
				`${name}: ${promised.series} = ${promised.acknowledged} was acknowledged, the store has ${stored?.value ?? "nothing"}`,
			);
		if (!(value <= promised.writes))
			problems.push(`${name}: ${promised.series} is ${stored?.value}, the script writes no more than ${promised.writes}`);
		if (stored?.version !== last?.version || (last && last.arguments.value !== stored?.value))
			problems.push(
				`${name}: ${promised.series} is ${stored?.value} (${stored?.version}) in the store, ${last?.arguments.value} (${last?.version}) in the journal`,
			);
		if (stored && stored.author !== record.id) problems.push(`${name}: ${promised.series} was written by ${stored.author}`);
	};

	const promises = new Map<string, Promised>();
	for (const promised of runs) {
		if (promises.has(promised.id)) problems.push(`two runs have the id ${promised.id}`);
		promises.set(promised.id, promised);
	}
	for await (const id of runIds(store)) {
		const entry = await store.get(layout.execution(id));
		if (!entry) {
			problems.push(`run ${id} has left something, but has no record`);
			continue;
		}
		const record = readRecord(entry.value);
		const promised = promises.get(record.id);
		if (!promised && !others) problems.push(`run ${record.id} is in the store, but nobody was told of it`);
		await auditRun(record, promised);
	}
	for (const id of promises.keys()) if (!audited.has(id)) problems.push(`run ${id} is not in the store`);
	for await (const { key } of listAll(store, ["live"])) problems.push(`run ${key.at(-1)} may still have effects`);
	for (const [namespace, sum] of counted) {
		const stored = await store.get(layout.variable(namespace, counter));
		if (Number(stored?.value) !== sum)
			problems.push(`${counter} in ${namespace} is ${stored?.value}; the journals add up to ${sum}`);
	}
	return { problems, totals };
}

async function readWholeJournal(store: Store, id: string): Promise<readonly JournalEntry[]> {
	const all: JournalEntry[] = [];
	for (;;) {
		const page = await readJournal(store, id, { after: all.length, limit: 1_000 });
		all.push(...page);
		if (page.length < 1_000) return all;
	}
}

async function* listAll(store: Store, prefix: StoreKey) {
	let after: StoreKey | undefined;
	for (;;) {
		const page = await store.list({ prefix, limit: 200, ...(after && { after }) });
		yield* page;
		after = page.at(-1)?.key;
		if (page.length < 200) return;
	}
}
