import { readKey } from "./key.ts";
import type { StoreKey } from "./store.ts";
import { changeKey, decodeUint48, encodeUint48, metaKeys, type Tree, uint48Bytes, type WritableTree } from "./tree.ts";

/** Transactions that the log keeps at least, unless the store was opened with another number. */
export const defaultKeptChanges = 4_096;

/** A transaction that changes more keys is logged without them: whoever catches up over it lists again. */
const maxLoggedKeys = 1_000;

/** The log is trimmed once in so many versions, since the pages of its beginning are others than those of its end. */
const trimInterval = 256;

/** What a reader of the log gets. */
export interface LoggedChanges {
	/** The versions up to this one are accounted for. */
	readonly cursor: number;
	readonly keys: readonly StoreKey[];
	/** Some of the changes are not known any more. */
	readonly lost: boolean;
}

export function readLastVersion(tree: Tree): number {
	return tree.get(metaKeys.lastVersion, decodeUint48) ?? 0;
}

/** Adds what a transaction changed. Part of that transaction. */
export function logChange(tree: WritableTree, version: number, changed: readonly Buffer[], keptChanges: number): void {
	tree.put(changeKey(version), changed.length > maxLoggedKeys ? Buffer.from([1]) : encodeKeys(changed));
	if (version % trimInterval !== 0 || version <= keptChanges) return;
	const first = version - keptChanges;
	const old: Buffer[] = [];
	tree.scanKeys({ start: changeKey(0), end: changeKey(first) }, (key) => old.push(Buffer.from(key)) < 100_000);
	for (const key of old) tree.remove(key);
	tree.put(metaKeys.firstChange, encodeUint48(first));
}

/** Keys below `prefix` that changed after the version `cursor`, up to `limit` transactions at once. */
export function readChanges(tree: Tree, prefix: Buffer, cursor: number, limit: number): LoggedChanges {
	return tree.snapshot(() => {
		const last = readLastVersion(tree);
		if (cursor === last) return { cursor, keys: [], lost: false };
		const first = tree.get(metaKeys.firstChange, decodeUint48) ?? 1;
		if (cursor > last || cursor + 1 < first) return { cursor: last, keys: [], lost: true };
		// A key that changed often is named once.
		const found = new Map<string, StoreKey>();
		let reached = cursor;
		let lost = false;
		let transactions = 0;
		tree.scan({ start: changeKey(cursor + 1), end: changeKey(last + 1) }, (key, value) => {
			reached = key.readUIntBE(1, uint48Bytes);
			if (value[0] === 1) lost = true;
			else collectKeys(value, prefix, found);
			return !lost && ++transactions < limit;
		});
		if (lost) return { cursor: last, keys: [], lost };
		return { cursor: transactions < limit ? last : reached, keys: [...found.values()], lost };
	});
}

function encodeKeys(keys: readonly Buffer[]): Buffer {
	const bytes = Buffer.allocUnsafe(keys.reduce((sum, key) => sum + 2 + key.length, 1));
	bytes[0] = 0;
	let position = 1;
	for (const key of keys) {
		position = bytes.writeUInt16BE(key.length, position);
		position += key.copy(bytes, position);
	}
	return bytes;
}

function collectKeys(bytes: Buffer, prefix: Buffer, found: Map<string, StoreKey>): void {
	let position = 1;
	while (position < bytes.length) {
		const start = position + 2;
		position = start + bytes.readUInt16BE(position);
		if (!hasPrefix(bytes, start, position, prefix)) continue;
		const name = bytes.toString("latin1", start, position);
		if (!found.has(name)) found.set(name, readKey(bytes, start + 1, position));
	}
}

function hasPrefix(bytes: Buffer, start: number, end: number, prefix: Buffer): boolean {
	return (
		end - start >= prefix.length &&
		bytes.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0 &&
		(end - start === prefix.length || bytes[start + prefix.length] !== 0xff)
	);
}
