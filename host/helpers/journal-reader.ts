import { RuntimeError } from "../contract/errors.ts";
import { excerpt } from "../contract/excerpt.ts";
import { operations } from "../contract/generated/operations.ts";
import type { ErrorCode, Json, Problem, Timestamp, Version } from "../contract/generated/types.ts";
import { layout } from "../layout.ts";
import type { Store, StoreEntry } from "../store/store.ts";
import { fingerprint, type ValuePlace } from "./journal-entry.ts";

/** A value that is too large for the journal: where it is, and how to know it. Without a place: a value that a refused call had. */
export type ValueReference = (ValuePlace | object) & { readonly sha256: string; readonly size: number };

/** A JSON text in the journal: itself, or a reference to it. */
export type JournalText = Json | ValueReference;

/** One call of a helper. */
export interface JournalEntry {
	/** 1 for the first call of the run. */
	readonly sequence: number;
	/** The id in the operations table (`variables.set`), or the name of something that is not a helper (`sandbox.fetch`). */
	readonly operation: string;
	readonly callId: string;
	readonly traceparent?: string;
	readonly idempotencyKey?: string;
	readonly at: Timestamp;
	/** By name; a value (a JSON text) as JournalText, everything else as JSON. */
	readonly arguments: Readonly<Record<string, unknown>>;
	/**
	 * JSON, with values (JSON texts) as JournalText; `null` for nothing or missing. Absent when the call failed, or when the run ended before
	 * the call was answered.
	 */
	readonly result?: unknown;
	readonly error?: Problem & { readonly code: ErrorCode };
	/** The version of everything that this call wrote. Present exactly when it took effect. */
	readonly version?: Version;
	/** The entry whose outcome this one repeats: it had the same idempotency key. */
	readonly repeats?: number;
}

export interface JournalRange {
	/** Only entries behind this sequence. */
	readonly after?: number;
	/** At most this many entries: all of them when not given. */
	readonly limit?: number;
}

/**
 * The durable journal of a run, in order and without a gap. Throws `internal` when the stored journal is damaged.
 *
 * @example
 * for (const entry of await readJournal(store, executionId)) console.log(entry.sequence, entry.operation);
 */
export async function readJournal(store: Store, executionId: string, range: JournalRange = {}): Promise<readonly JournalEntry[]> {
	const { after = 0, limit = Number.POSITIVE_INFINITY } = range;
	const entries: JournalEntry[] = [];
	const open = new Map<number, number>();
	let previous = await segmentBefore(store, executionId, after + 1);
	for (;;) {
		const segments = await store.list({
			prefix: layout.journal(executionId),
			...(previous !== undefined && { after: layout.journalSegment(executionId, previous) }),
			limit: segmentsAtOnce,
		});
		for (const segment of segments) {
			previous = segment.key.at(-1) as number;
			for (const record of parseSegment(segment)) {
				if (record.completes !== undefined) {
					const index = open.get(record.completes);
					if (index === undefined) continue;
					open.delete(record.completes);
					entries[index] = { ...(entries[index] as JournalEntry), ...outcomeOf(record) };
				} else if (record.sequence > after && entries.length < limit) {
					if (entries.length > 0 && record.sequence !== (entries.at(-1) as JournalEntry).sequence + 1)
						throw damaged(executionId, `entry ${record.sequence} does not follow its predecessor`);
					const entry = toEntry(record, segment.version);
					if (!("result" in entry || "error" in entry || "repeats" in entry)) open.set(entry.sequence, entries.length);
					entries.push(entry);
				}
			}
		}
		// Outcomes that follow later are looked for up to the end.
		if (segments.length < segmentsAtOnce || (entries.length >= limit && open.size === 0)) return entries;
	}
}

/**
 * The value that a reference of a run's journal stands for, wherever it is by now; undefined when it is kept nowhere (a call that was refused
 * had it, or its run was swept). Throws `internal` when what is stored is not what was recorded.
 */
export async function resolveValue(
	store: Store,
	namespace: string,
	executionId: string,
	reference: ValueReference,
): Promise<Json | undefined> {
	const entry = await findValue(store, namespace, executionId, reference);
	if (!entry) return undefined;
	const found = fingerprint(entry.value);
	if (found.sha256 !== reference.sha256)
		throw damaged(executionId, `a value has the hash ${found.sha256} in the store and ${reference.sha256} in the journal`);
	return entry.value;
}

async function findValue(
	store: Store,
	namespace: string,
	executionId: string,
	reference: ValueReference,
): Promise<StoreEntry | undefined> {
	if ("input" in reference) return store.get(layout.input(executionId));
	if ("output" in reference) return store.get(layout.output(executionId, reference.output));
	if (!("key" in reference)) return undefined;
	const { key, version } = reference;
	// In this order: what is replaced after the first look is archived in the same transaction.
	const current = await store.get(layout.variable(namespace, key), { expired: true });
	if (current?.version === version) return current;
	return store.get([...layout.formerVariables(namespace, key), version]);
}

/** The first sequence of the last segment that begins before `sequence`, less one segment: where to list from. */
async function segmentBefore(store: Store, executionId: string, sequence: number): Promise<number | undefined> {
	const before = await store.list({
		prefix: layout.journal(executionId),
		after: layout.journalSegment(executionId, sequence + 1),
		reverse: true,
		limit: 2,
	});
	return before[1]?.key.at(-1) as number | undefined;
}

/** The stored form; see `journal-entry.ts`. */
interface StoredRecord {
	readonly completes?: number;
	readonly sequence: number;
	readonly operation: string;
	readonly callId: string;
	readonly traceparent?: string;
	readonly idempotencyKey?: string;
	readonly at: number;
	readonly arguments: Record<string, unknown>;
	readonly effect?: true;
	readonly result?: unknown;
	readonly error?: Problem & { readonly code: ErrorCode };
	readonly repeats?: number;
}

function parseSegment(segment: StoreEntry): readonly StoredRecord[] {
	try {
		return JSON.parse(segment.value) as StoredRecord[];
	} catch {
		throw damaged(String(segment.key[1]), `segment ${segment.key.at(-1)} is not JSON`);
	}
}

function toEntry(record: StoredRecord, version: Version): JournalEntry {
	const { effect, completes: _, at, ...rest } = record;
	const entry = { ...rest, at: new Date(at).toISOString() };
	if (!effect) return entry;
	const effective = { ...entry, version, arguments: withPlaces(record, version) };
	// The version is what `set` returns.
	return record.operation === "variables.set" ? { ...effective, result: version } : effective;
}

/** Large arguments of a call that took effect are where the call put them. */
function withPlaces(record: StoredRecord, version: Version): Readonly<Record<string, unknown>> {
	const { value, key } = record.arguments;
	if (typeof value !== "object" || value === null || !isValue(record.operation, "value")) return record.arguments;
	const place = record.operation === "io.set-output" ? { output: record.sequence } : { key, version };
	return { ...record.arguments, value: { ...place, ...value } };
}

const isValue = (operation: string, parameter: string): boolean =>
	operations.some(
		({ id, parameters }) => id === operation && parameters.some(({ name, kind }) => name === parameter && kind === "json"),
	);

function outcomeOf(record: StoredRecord): Pick<StoredRecord, "result" | "error"> {
	return record.error ? { error: record.error } : { result: record.result };
}

function damaged(executionId: string, what: string): RuntimeError {
	return new RuntimeError("internal", `The journal of run ${excerpt(executionId)} is damaged: ${what}.`);
}

const segmentsAtOnce = 8;
