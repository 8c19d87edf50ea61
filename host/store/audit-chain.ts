import { RuntimeError } from "../contract/errors.ts";
import { layout } from "../layout.ts";
import { type AuditRecord, auditKeyId, openEntry, sealEntry } from "./audit-entry.ts";
import { keyRoomBytes, readKey } from "./key.ts";
import { createRecord, readRecordValue, stampRecord } from "./record.ts";
import type { StoreKey } from "./store.ts";
import { endOf, type Tree, type WritableTree, writeEntryKey } from "./tree.ts";

/** A store's part of the audit log. */
export interface AuditChainOptions {
	/** The host process whose chain it is. No other process writes to it. */
	readonly hostId: string;
	readonly key: Buffer;
}

/** The last entry of a chain. */
export interface ChainEnd {
	readonly host: string;
	readonly sequence: number;
	readonly mac: string;
}

/**
 * The chain of one host process: gives entries their sequence, time and code, and puts them into the tree. What is appended after `begin` counts
 * only from `keep` on: between the two the tree's own transaction may come to nothing.
 */
export class AuditChain {
	readonly #hostId: string;
	readonly #key: Buffer;
	#kept: Pick<ChainEnd, "sequence" | "mac"> | undefined;
	#last: Pick<ChainEnd, "sequence" | "mac"> | undefined;

	constructor({ hostId, key }: AuditChainOptions) {
		this.#hostId = hostId;
		this.#key = key;
	}

	begin(): void {
		this.#last = this.#kept;
	}

	keep(): void {
		this.#kept = this.#last;
	}

	/** Part of the transaction that gets this version. The first entry of a chain, which says where it began, comes by itself. */
	append(tree: WritableTree, entries: readonly AuditRecord["entry"][], version: number, now: number): void {
		if (!this.#last && entries.length > 0) this.#put(tree, { type: "chain", ...this.#origin(tree) }, version, now);
		for (const entry of entries) this.#put(tree, entry, version, now);
	}

	#put(tree: WritableTree, entry: AuditRecord["entry"], version: number, now: number): void {
		const sequence = (this.#last?.sequence ?? 0) + 1;
		const at = new Date(now).toISOString();
		const { text, mac } = sealEntry(this.#key, {
			host: this.#hostId,
			sequence,
			at,
			previous: this.#last?.mac ?? null,
			entry,
		});
		const record = createRecord(text, nobody, 0);
		stampRecord(record, version, now, now);
		tree.put(encodeKey(layout.auditEntry(this.#hostId, sequence)), record);
		this.#last = { sequence, mac };
	}

	#origin(tree: Tree): object {
		let newest: (ChainEnd & { readonly at: string }) | undefined;
		for (const end of chainEnds(tree)) if (end.host !== this.#hostId && (!newest || end.at > newest.at)) newest = end;
		const { host, sequence, mac } = newest ?? {};
		return { keyId: auditKeyId(this.#key), process: process.pid, ...(newest && { follows: { host, sequence, mac } }) };
	}
}

/** The entries of a message as values. Throws `invalid` for what is not the text of a JSON object. */
export function parseAuditEntries(texts: readonly string[]): AuditRecord["entry"][] {
	return texts.map((text) => {
		let entry: unknown;
		try {
			entry = JSON.parse(text);
		} catch {}
		if (typeof entry === "object" && entry !== null && !Array.isArray(entry)) return entry as AuditRecord["entry"];
		throw new RuntimeError("invalid", "An audit entry must be the text of a JSON object.");
	});
}

/** The last entries of all chains. What cannot be read is left out: `cronium audit verify` finds it. */
function* chainEnds(tree: Tree): Generator<ChainEnd & { readonly at: string }> {
	let start = encodeKey(layout.audit);
	const end = endOf(start);
	for (;;) {
		let host: unknown;
		tree.scanKeys({ start, end }, (key) => {
			host = readKey(key, 1, key.length)[1];
			return false;
		});
		if (host === undefined) return;
		const chain = encodeKey([...layout.audit, host as string | number]);
		let last: string | undefined;
		tree.scan({ start: chain, end: endOf(chain), reverse: true }, (_, record) => {
			last = readRecordValue(record);
			return false;
		});
		const record = last === undefined ? undefined : openEntry(last);
		if (record) yield { host: record.host, sequence: record.sequence, mac: record.mac, at: record.at };
		start = endOf(chain);
	}
}

const nobody = Buffer.alloc(0);

function encodeKey(key: StoreKey): Buffer {
	const bytes = Buffer.allocUnsafe(keyRoomBytes);
	return Buffer.from(bytes.subarray(0, writeEntryKey(key, bytes, 0)));
}
