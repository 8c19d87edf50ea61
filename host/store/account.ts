import type { MessageAccount } from "./message-reader.ts";
import { createRecord, type RecordHeader, readRecordHeader, readRecordValue, stampRecord } from "./record.ts";
import type { WritableTree } from "./tree.ts";

/** What an entry takes beside its key and its record, so that many small ones are not free. */
const entryBytes = 64;
const nobody = Buffer.alloc(0);

/** What an entry counts as: its key as the tree has it, its record (value, author and 27 bytes), and 64 bytes. */
export function storedBytes(key: Buffer, recordBytes: number): number {
	return key.length + recordBytes + entryBytes;
}

/** An account as a transaction finds it. */
export class Balance {
	readonly stored: number;
	readonly #tree: WritableTree;
	readonly #account: MessageAccount;
	readonly #old: RecordHeader | undefined;

	constructor(tree: WritableTree, account: MessageAccount) {
		this.#tree = tree;
		this.#account = account;
		const found = tree.get(account.key, (record) => ({
			header: readRecordHeader(record),
			stored: Number(readRecordValue(record)),
		}));
		this.#old = found?.header;
		this.stored = found !== undefined && Number.isFinite(found.stored) ? found.stored : 0;
	}

	/** Whether the account has no room for so much more. */
	refuses(addedBytes: number): boolean {
		return addedBytes > 0 && this.stored + addedBytes > this.#account.maxBytes;
	}

	add(bytes: number, version: number, now: number): void {
		const record = createRecord(String(Math.max(0, this.stored + bytes)), nobody, 0);
		stampRecord(record, version, this.#old?.createdAt ?? now, now);
		this.#tree.put(this.#account.key, record);
	}
}
