import { ChainVerifier } from "./audit-verification.ts";
import { RuntimeError } from "./contract/errors.ts";
import { layout } from "./layout.ts";
import { type AuditRecord, openEntry } from "./store/audit-entry.ts";
import { readAuditKey } from "./store/audit-key.ts";
import type { Store, StoreEntry } from "./store/store.ts";

/** An entry of the audit log. */
export interface AuditEntry extends AuditRecord {
	/** The text that is stored, its code included. */
	readonly text: string;
}

export interface AuditFilter {
	/** Only entries of this run. */
	readonly execution?: string;
	/** Only entries of this type: `control`, `effect`, `denied`, `authentication-failure`, `chain`. */
	readonly type?: string;
	/** Only entries from this time on, in milliseconds since the Unix epoch. */
	readonly since?: number;
	/** At most so many, the newest. */
	readonly limit?: number;
}

/** Where a chain ended when it was looked at. */
export interface ChainCheckpoint {
	readonly host: string;
	readonly sequence: number;
	readonly mac: string;
	/** Entries of the chain. */
	readonly count: number;
}

/** Something that is wrong with the log. */
export interface AuditProblem {
	/** The chain; absent for what is in none. */
	readonly host?: string;
	/** The entry, of those that there should be. */
	readonly sequence?: number;
	readonly problem: string;
}

export interface AuditVerification {
	readonly chains: readonly ChainCheckpoint[];
	readonly problems: readonly AuditProblem[];
}

/** Reads the audit log of a data directory: the chains of all host processes that kept one. */
export class AuditTrail implements AsyncDisposable {
	readonly #store: Store;
	readonly #directory: string;

	/** Closes the store when it is disposed of. */
	constructor(store: Store, directory: string) {
		this.#store = store;
		this.#directory = directory;
	}

	/** Entries by time, the oldest first. */
	async list(filter: AuditFilter = {}): Promise<readonly AuditEntry[]> {
		const { execution, type, since, limit = Number.POSITIVE_INFINITY } = filter;
		const from = since === undefined ? "" : new Date(since).toISOString();
		let found: AuditEntry[] = [];
		for await (const entry of this.entries()) {
			if (entry.at < from) continue;
			if (execution !== undefined && entry.entry.execution !== execution) continue;
			if (type !== undefined && entry.entry.type !== type) continue;
			found.push(entry);
			if (found.length >= 2 * limit + 1_000) found = newest(found, limit);
		}
		return newest(found, limit);
	}

	/** Every entry, chain by chain. What cannot be read as an entry is left out: `verify` tells of it. */
	async *entries(): AsyncGenerator<AuditEntry> {
		for await (const { value } of this.#stored()) {
			const record = openEntry(value);
			if (!record) continue;
			const { host, sequence, at, previous, entry } = record;
			yield { host, sequence, at, previous, entry, text: value };
		}
	}

	/**
	 * Checks every entry's code, place and link to the one before it. That the end of a chain, or the newest chain, was cut off shows only against a
	 * checkpoint that was kept elsewhere. Rejects with `unavailable` when there are entries but no key to check them with.
	 */
	async verify(checkpoint: readonly ChainCheckpoint[] = []): Promise<AuditVerification> {
		const key = readAuditKey(this.#directory);
		const verifier = new ChainVerifier(key ?? Buffer.alloc(0), checkpoint);
		for await (const entry of this.#stored()) {
			if (!key)
				throw new RuntimeError(
					"unavailable",
					`There is an audit log, but its key (keys/audit.key in ${this.#directory}) is gone: nothing can be verified.`,
				);
			verifier.add(entry);
		}
		for (const expected of verifier.expected) {
			const entry = await this.#store.get(layout.auditEntry(expected.host, expected.sequence));
			verifier.require(expected, entry?.value);
		}
		return verifier.end();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#store.close();
	}

	async *#stored(): AsyncGenerator<StoreEntry> {
		let after: StoreEntry | undefined;
		for (;;) {
			const page = await this.#store.list({ prefix: layout.audit, limit: pageSize, ...(after && { after: after.key }) });
			yield* page;
			after = page.at(-1);
			if (page.length < pageSize) return;
		}
	}
}

const pageSize = 500;

function newest(entries: readonly AuditEntry[], limit: number): AuditEntry[] {
	const sorted = entries.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
	return limit === Number.POSITIVE_INFINITY ? sorted : sorted.slice(Math.max(0, sorted.length - limit));
}
