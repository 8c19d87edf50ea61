import { join } from "node:path";
import { AuditTrail } from "../../host/audit-trail.ts";
import { layout } from "../../host/layout.ts";
import { storeFileName } from "../../host/store/data-directory.ts";
import { keyRoomBytes } from "../../host/store/key.ts";
import { openLmdbStore } from "../../host/store/lmdb-store.ts";
import { openLmdb } from "../../host/store/lmdb-tree.ts";
import { createRecord, readRecordValue } from "../../host/store/record.ts";
import type { StoreKey } from "../../host/store/store.ts";
import { type WritableTree, writeEntryKey } from "../../host/store/tree.ts";

export const maxStoreBytes = 64 * 1024 * 1024;

/** An id of a host process: 24 times the digit. */
export const hostId = (digit: string): string => digit.repeat(24);

/** Writes a chain of so many entries beside the one that begins it. */
export async function writeChain(directory: string, host: string, entries: number): Promise<void> {
	const store = await openLmdbStore({ directory, maxStoreBytes, audit: { hostId: host } });
	for (let number = 1; number <= entries; number++)
		await store.commit({ operations: [], audit: [JSON.stringify({ type: "control", action: `action-${number}`, actor: "me" })] });
	await store.close();
}

export async function withTrail<T>(directory: string, use: (trail: AuditTrail) => Promise<T>): Promise<T> {
	await using trail = new AuditTrail(await openLmdbStore({ directory, maxStoreBytes }), directory);
	return await use(trail);
}

/** What somebody can do to the file who has no key. */
export interface Tampering {
	read(key: StoreKey): string;
	write(key: StoreKey, text: string, expiresAt?: number): void;
	remove(key: StoreKey): void;
}

/** Changes the file behind the back of the store. */
export async function tamper(directory: string, change: (tampering: Tampering) => void): Promise<void> {
	const database = openLmdb(join(directory, storeFileName), { readOnly: false, mapBytes: 2 * maxStoreBytes + 64 * 1024 * 1024 });
	database.write((tree: WritableTree) => {
		change({
			read: (key) => tree.get(encode(key), readRecordValue) as string,
			write: (key, text, expiresAt = 0) => tree.put(encode(key), createRecord(text, Buffer.alloc(0), expiresAt)),
			remove: (key) => tree.remove(encode(key)),
		});
	});
	await database.close();
}

export const entryAt = (host: string, sequence: number): StoreKey => layout.auditEntry(host, sequence);

function encode(key: StoreKey): Buffer {
	const bytes = Buffer.alloc(keyRoomBytes);
	return bytes.subarray(0, writeEntryKey(key, bytes, 0));
}
