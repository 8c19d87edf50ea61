import { accountOf, isNamespaceFull, requireRoom } from "./account.ts";
import { RuntimeError } from "./contract/errors.ts";
import { excerpt } from "./contract/excerpt.ts";
import type { Json } from "./contract/generated/types.ts";
import { changedLimits, defaultLimits } from "./contract/limits.ts";
import type { Execution, ExecutionStatus, Failure, FinalStatus, LogLine, Outcome, Usage } from "./execution.ts";
import type { LastAudit } from "./helpers/run-audit.ts";
import { layout } from "./layout.ts";
import type { Store, StoreAccount, StoreCheck, StoreEntry, StoreKey, StoreOperation, StoreTransaction } from "./store/store.ts";

/** What the store keeps of a run. Times are milliseconds since the Unix epoch. */
export interface ExecutionRecord extends Omit<Execution, "signal"> {
	readonly status: ExecutionStatus;
	readonly engine?: string;
	/** The SSH host that it ran on. */
	readonly host?: string;
	/** Absent when the host has never seen it: the run is external. */
	readonly script?: { readonly name: string; readonly sha256: string; readonly bytes: number };
	readonly createdAt: number;
	readonly endedAt?: number;
	readonly exitCode?: number;
	readonly usage?: Usage;
	readonly error?: Failure;
}

/** How a run ended, before it is written down. */
export interface Ending {
	readonly status: FinalStatus;
	readonly error?: Failure;
	/** The script's own, where it has one. */
	readonly exitCode?: number;
	readonly usage: Usage;
	/** When the run really started and had to end; a queued run starts later than its record said. */
	readonly startedAt: number;
	readonly deadlineAt: number;
	/** The rest of the journal, the output: what goes into the store together with the final status. */
	readonly operations: readonly StoreOperation[];
	readonly audit?: LastAudit;
}

/** The exit code of each final status, as shells expect them. */
const exitCodes: Readonly<Record<FinalStatus, number>> = { succeeded: 0, failed: 1, lost: 1, "timed-out": 124, cancelled: 130 };

const noUsage: Usage = { wallTimeMs: 0, cpuTimeMs: 0, memoryBytes: 0, hostCalls: 0, logBytes: 0 };

/**
 * The runs in a store: created → running → one final status. A run is live while `layout.live` exists; every effect and the
 * end check it in their own transaction, so a run ends exactly once and nothing takes effect afterwards.
 */
export class Executions {
	readonly #store: Store;

	constructor(store: Store) {
		this.#store = store;
	}

	/** Writes the run down. Durable when it resolves, so a host that dies from now on leaves a run that is found as lost. */
	async create(record: ExecutionRecord, input: Json | undefined, operations: readonly StoreOperation[]): Promise<void> {
		const { check, operations: first, account } = openRun("create", record, writeRecord(record), input);
		const transaction = { checks: [check], operations: [...operations, ...first], account };
		const result = requireRoom(await this.#store.commit(transaction), record);
		if (!result.committed) throw new RuntimeError("conflict", `There is an execution ${record.id} already.`);
	}

	/** Writes down that the run has started, unless its own first commit has. */
	async open(record: ExecutionRecord, { check, operations, account }: Opening): Promise<void> {
		requireRoom(await this.#store.commit({ checks: [check], operations, account }), record);
	}

	/**
	 * Ends the run, whatever it takes: what the run left (journal, output, log) is written with the status; when the store or the namespace has no room
	 * for that, the status alone goes into the space that is kept for it, and says so. `complete` is false then, and when someone else ended the run first.
	 * A run that may not have been written down yet comes with its opening: both are one transaction then.
	 *
	 * Rejects with `unavailable` when not even the status can be written: the run is found as lost later, or, when it was never written down,
	 * has left nothing.
	 */
	async end(
		record: ExecutionRecord,
		ending: Ending,
		opening?: Opening,
	): Promise<{ readonly record: ExecutionRecord; readonly complete: boolean }> {
		const ended = finish(record, ending);
		if (opening && (await this.#endAtOnce(record, ended, ending, opening))) return { record: ended, complete: true };
		try {
			const { operations, audit } = ending;
			const whole = endTransaction(ended, operations, audit && [...audit.waiting, ...audit.effects]);
			const result = requireRoom(await this.#store.commit(whole), record);
			return result.committed ? { record: ended, complete: true } : { record: await this.require(record.id), complete: false };
		} catch (cause) {
			if (!isRefusal(cause)) throw cause;
			const bare = withoutRest(record, ending, cause);
			const result = await this.#store.commit({ ...endTransaction(bare, [], ending.audit?.waiting), reserve: true });
			return { record: result.committed ? bare : await this.require(record.id), complete: false };
		}
	}

	/** Opens and ends the run in one transaction, and tells whether it did. Throws when the store is full and there is nothing of the run in it. */
	async #endAtOnce(record: ExecutionRecord, ended: ExecutionRecord, ending: Ending, opening: Opening): Promise<boolean> {
		try {
			const { operations, audit } = ending;
			const end = endTransaction(ended, operations, audit && [...audit.waiting, ...audit.effects]);
			const transaction = { ...end, checks: [opening.check], operations: [...opening.operations, ...end.operations] };
			return requireRoom(await this.#store.commit(transaction), ended).committed;
		} catch (cause) {
			if (!isRefusal(cause)) throw cause;
			if (isNamespaceFull(cause)) {
				// Every run gets its final status; what can be large, its input, is left out.
				const { check, operations, account } = openRun("create", record, writeRecord(record), undefined);
				await this.#store.commit({ checks: [check], operations, account, reserve: true });
			}
			// Each for itself may fit.
			else if (cause.code === "too-large") await this.open(record, opening);
			else if (!(await this.get(ended.id))) throw cause;
			return false;
		}
	}

	/** Appends log lines. They are read back in order by `logs`. Rejects with `unavailable` when the run is not under way. */
	async appendLogs(record: ExecutionRecord, lines: readonly LogLine[]): Promise<void> {
		const transaction: StoreTransaction = {
			checks: [{ key: layout.live(record.hostId, record.id), is: "present" }],
			operations: logOperations(record.id, lines),
			account: accountOf(record),
		};
		const result = requireRoom(await this.#store.commit(transaction), record);
		if (!result.committed) throw new RuntimeError("unavailable", `Execution ${record.id} is not under way.`);
	}

	async get(id: string): Promise<ExecutionRecord | undefined> {
		const entry = await this.#store.get(layout.execution(id));
		return entry && readRecord(entry.value);
	}

	async require(id: string): Promise<ExecutionRecord> {
		const record = await this.get(id);
		if (!record) throw new RuntimeError("not-found", `There is no execution ${excerpt(id)}.`);
		return record;
	}

	/** The newest runs first. */
	async list(filter: RunFilter = {}): Promise<ExecutionRecord[]> {
		const found: ExecutionRecord[] = [];
		let next = filter.before;
		do {
			const page = await this.page({
				...filter,
				...(next !== undefined && { before: next }),
				limit: (filter.limit ?? 50) - found.length,
			});
			found.push(...page.records);
			next = page.next;
		} while (next !== undefined && found.length < (filter.limit ?? 50));
		return found;
	}

	/**
	 * One page of the newest runs. It may have fewer than `limit`, because it looks through 1,000 runs at most: `next` is there when there may be
	 * more, and is the `before` of the next page.
	 */
	async page(filter: RunFilter): Promise<{ readonly records: ExecutionRecord[]; readonly next?: string }> {
		const limit = filter.limit ?? 50;
		const records: ExecutionRecord[] = [];
		if (limit <= 0) return { records };
		let looked = 0;
		for await (const id of runIds(this.#store, true, filter.before)) {
			const record = await this.get(id);
			looked += 1;
			if (record && matches(record, filter)) records.push(record);
			if (records.length >= limit || looked >= maxLooked) return { records, next: id };
		}
		return { records };
	}

	async output(id: string): Promise<Json | undefined> {
		const [last] = await this.#store.list({ prefix: layout.outputs(id), reverse: true, limit: 1 });
		return last?.value;
	}

	async condition(id: string): Promise<boolean | null> {
		const entry = await this.#store.get(layout.condition(id));
		return entry ? entry.value === "true" : null;
	}

	async logs(id: string): Promise<readonly LogLine[]> {
		const lines: LogLine[] = [];
		let after: StoreEntry | undefined;
		for (;;) {
			const page = await this.#store.list({ prefix: layout.logs(id), limit: 100, ...(after && { after: after.key }) });
			for (const entry of page) lines.push(...(JSON.parse(entry.value) as LogLine[]));
			after = page.at(-1);
			if (page.length < 100) return lines;
		}
	}

	/** The Outcome of a run that has ended, put together from the store. */
	async outcome(id: string): Promise<Outcome> {
		const record = await this.require(id);
		if (record.status === "created" || record.status === "running")
			throw new RuntimeError("unavailable", `Execution ${id} has not ended; it is ${record.status}.`);
		const outputText = await this.output(id);
		return describeOutcome({ ...record, status: record.status }, outputText, await this.condition(id), await this.logs(id));
	}

	/**
	 * Ends the runs of hosts that are gone as `lost`. A run counts as lost only when its own host does not answer any more.
	 * @returns the ids of the runs that were lost.
	 */
	async endLost(isHostAlive: (hostId: string) => Promise<boolean>): Promise<string[]> {
		const byHost = new Map<string, string[]>();
		let after: StoreEntry | undefined;
		for (;;) {
			const page = await this.#store.list({ prefix: layout.allLive, limit: 500, ...(after && { after: after.key }) });
			for (const { key } of page) {
				const [, hostId, id] = key as [string, string, string];
				const ids = byHost.get(hostId);
				if (ids) ids.push(id);
				else byHost.set(hostId, [id]);
			}
			after = page.at(-1);
			if (page.length < 500) break;
		}
		const lost: string[] = [];
		for (const [hostId, ids] of byHost) {
			if (await isHostAlive(hostId)) continue;
			for (const id of ids) {
				const record = await this.get(id);
				if (!record) continue;
				const { startedAt, deadlineAt } = record;
				const began = record.status === "created" ? "before the script began" : "while the script was running";
				const error: Failure = { code: "lost", message: `The host died ${began}.` };
				const { complete } = await this.end(record, {
					status: "lost",
					error,
					usage: noUsage,
					startedAt,
					deadlineAt,
					operations: [],
				});
				if (complete) lost.push(id);
			}
		}
		return lost;
	}
}

/** Which runs to list. */
export interface RunFilter {
	readonly namespace?: string;
	readonly status?: ExecutionStatus;
	/** 50 when not given. */
	readonly limit?: number;
	/** Only runs that were created before the one with this id. */
	readonly before?: string;
}

/** Runs that one page looks through: a filter that finds nothing must not keep the thread. */
const maxLooked = 1_000;

function matches({ namespace, status }: ExecutionRecord, filter: RunFilter): boolean {
	if (filter.namespace !== undefined && namespace !== filter.namespace) return false;
	return filter.status === undefined || status === filter.status;
}

/**
 * The ids of all runs, in the order of their creation or the other way round, from `from` on, which is left out. No read of the store is open
 * while the caller works.
 */
export async function* runIds(store: Store, reverse = false, from?: string): AsyncGenerator<string> {
	let after: StoreKey | undefined = from === undefined ? undefined : reverse ? layout.execution(from) : layout.endOfRun(from);
	for (;;) {
		const [head] = await store.heads({ prefix: layout.runs, limit: 1, reverse, ...(after && { after }) });
		const id = head?.key[1];
		if (typeof id !== "string") return;
		yield id;
		after = reverse ? layout.execution(id) : layout.endOfRun(id);
	}
}

function finish(record: ExecutionRecord, ending: Ending): ExecutionRecord {
	const { status, startedAt, deadlineAt, usage, error, exitCode = exitCodes[ending.status] } = ending;
	return { ...record, status, startedAt, deadlineAt, endedAt: Date.now(), exitCode, usage, ...(error && { error }) };
}

/** Whether the store had no room for a transaction. */
function isRefusal(cause: unknown): cause is RuntimeError {
	return cause instanceof RuntimeError && (cause.code === "unavailable" || cause.code === "too-large");
}

/** What writes down that a run is under way. Carried by the first transaction that the run makes: most runs need none for it alone. */
export interface Opening {
	/** Holds as long as nobody has written it. */
	readonly check: StoreCheck;
	readonly operations: readonly StoreOperation[];
	readonly account: StoreAccount;
	/** What is still to be written when the check does not hold. */
	readonly otherwise?: Opening;
}

/** `create`: there is nothing of the run in the store. `start`: its record waits there, and `record` says since when it runs. */
export type OpeningKind = "create" | "start";

/** `text` is what `writeRecord` made of the record. */
export function openRun(
	kind: OpeningKind,
	{ id, hostId, ...owner }: Pick<ExecutionRecord, "id" | "hostId" | "namespace" | "limits">,
	text: string,
	input: Json | undefined,
): Opening {
	const live = layout.live(hostId, id);
	const record: StoreOperation = { type: "set", key: layout.execution(id), value: text };
	const account = accountOf(owner);
	const start: Opening = { check: { key: live, is: "present" }, operations: [record], account };
	if (kind === "start") return start;
	const operations: StoreOperation[] = [record, { type: "set", key: live, value: "" }];
	if (input !== undefined) operations.push({ type: "set", key: layout.input(id), value: input });
	return { check: { key: layout.execution(id), is: "absent" }, operations, account, otherwise: start };
}

/** The record as it is stored. Limits that are the defaults are left out: they would be most of it. So is what is empty. */
export function writeRecord(record: ExecutionRecord): Json {
	const { limits, event, allowedHosts, ...rest } = record;
	const changed = changedLimits(limits);
	return JSON.stringify({
		...rest,
		...(Object.keys(changed).length > 0 && { limits: changed }),
		...(Object.keys(event).length > 0 && { event }),
		...(allowedHosts.length > 0 && { allowedHosts }),
	});
}

/** The record that `writeRecord` wrote. */
export function readRecord(text: Json): ExecutionRecord {
	const record = JSON.parse(text) as ExecutionRecord;
	return {
		...record,
		limits: { ...defaultLimits, ...record.limits },
		event: record.event ?? {},
		allowedHosts: record.allowedHosts ?? [],
	};
}

/** How the run ended, and why what it left is not in the store. */
function withoutRest(record: ExecutionRecord, ending: Ending, cause: RuntimeError): ExecutionRecord {
	const message = `What the run left could not be stored: ${cause.message}`;
	const { limit } = cause.details;
	const lost: Failure = isNamespaceFull(cause)
		? { code: "storage-exceeded", message, ...(limit && { limit }) }
		: { code: "internal", message };
	const status = ending.status === "succeeded" ? "failed" : ending.status;
	return finish(record, { ...ending, status, error: ending.error ?? lost });
}

function endTransaction(
	ended: ExecutionRecord,
	operations: readonly StoreOperation[],
	audit: readonly string[] = [],
): StoreTransaction {
	const live = layout.live(ended.hostId, ended.id);
	return {
		checks: [{ key: live, is: "present" }],
		operations: [
			...operations,
			{ type: "set", key: layout.execution(ended.id), value: writeRecord(ended) },
			{ type: "delete", key: live },
		],
		account: accountOf(ended),
		...(audit.length > 0 && { audit }),
	};
}

/** The store's operations that append log lines as one segment. */
export function logOperations(id: string, lines: readonly LogLine[]): StoreOperation[] {
	const first = lines[0];
	return first ? [{ type: "set", key: layout.logSegment(id, first.sequence), value: JSON.stringify(lines) }] : [];
}

/** Puts an Outcome together. `outputText` is absent when no output was set. */
export function describeOutcome(
	record: ExecutionRecord & { readonly status: FinalStatus },
	outputText: Json | undefined,
	condition: boolean | null,
	logs: readonly LogLine[],
): Outcome {
	return {
		executionId: record.id,
		status: record.status,
		exitCode: record.exitCode ?? exitCodes[record.status],
		...(outputText !== undefined && { output: JSON.parse(outputText), outputText }),
		condition,
		logs,
		usage: record.usage ?? noUsage,
		...(record.error && { error: record.error }),
	};
}
