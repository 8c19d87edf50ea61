import type { TreeRange, WritableTree } from "./tree.ts";

/** Ordered bytes in memory. Keys are held as texts of one character a byte, whose order is the order of the bytes. */
export function createMemoryTree(): WritableTree & { usedBytes(): number } {
	const values = new Map<string, Buffer>();
	const names: string[] = [];
	let used = 0;

	/** Where the first name is that is not less. */
	function find(name: string): number {
		let low = 0;
		let high = names.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((names[middle] as string) < name) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	function scan(range: TreeRange, visit: (name: string) => boolean): void {
		const start = find(toName(range.start));
		const end = find(toName(range.end));
		if (range.reverse) {
			for (let index = end - 1; index >= start; index--) if (!visit(names[index] as string)) return;
		} else {
			for (let index = start; index < end; index++) if (!visit(names[index] as string)) return;
		}
	}

	return {
		get(key, decode) {
			const value = values.get(toName(key));
			return value === undefined ? undefined : decode(value);
		},
		scan: (range, visit) => scan(range, (name) => visit(Buffer.from(name, "latin1"), values.get(name) as Buffer)),
		scanKeys: (range, visit) => scan(range, (name) => visit(Buffer.from(name, "latin1"))),
		snapshot: (read) => read(),
		put(key, value) {
			const name = toName(key);
			const old = values.get(name);
			if (old === undefined) names.splice(find(name), 0, name);
			used += value.length - (old === undefined ? -name.length : old.length);
			values.set(name, Buffer.from(value));
		},
		remove(key) {
			const name = toName(key);
			const old = values.get(name);
			if (old === undefined) return;
			values.delete(name);
			names.splice(find(name), 1);
			used -= old.length + name.length;
		},
		usedBytes: () => used,
	};
}

function toName(key: Buffer): string {
	return key.toString("latin1");
}
