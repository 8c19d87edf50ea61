import type { Handle } from "./guest.ts";
import type { GuestMemory } from "./wasm-memory.ts";

/** Tags of a JSValue (8 bytes: payload, then tag) in both builds of QuickJS. */
export const valueTags = { rope: -6, string: -7, int: 0, undefined: 3, exception: 6 } as const;

const stringTagWord = valueTags.string >>> 0;
const stringKinds = { normal: 0, slice: 1 } as const;

/** The tag of the JSValue at `value`. */
export function tagOf(memory: GuestMemory, value: Handle): number {
	return (memory.words[(value >>> 2) + 1] as number) | 0;
}

/** Where a build keeps what of a string, as bytes from the address in the JSValue. Read off the pinned binaries. */
export interface StringLayout {
	/** Length in 31 bits, then the flag of two bytes a character; in the next word the kind, bits 28 and 29. */
	readonly length: number;
	/** The characters; of a slice: the string it is of, and the first byte. */
	readonly characters: number;
}

/** The text of the string at `value`; undefined for values of other kinds and for strings that the engine has to put together first. */
export function readString(memory: GuestMemory, value: Handle, layout: StringLayout): string | undefined {
	const words = memory.words;
	const slot = value >>> 2;
	if ((words[slot + 1] as number) !== stringTagWord) return undefined;
	const string = words[slot] as number;
	const header = (string + layout.length) >>> 2;
	const head = words[header] as number;
	const kind = ((words[header + 1] as number) >>> 28) & 3;
	let start = string + layout.characters;
	if (kind === stringKinds.slice)
		start = (words[start >>> 2] as number) + layout.characters + (words[(start >>> 2) + 1] as number);
	else if (kind !== stringKinds.normal) return undefined;
	const length = head & 0x7fffffff;
	return head >>> 31 === 0 ? memory.latin1(start, length) : memory.utf16(start, length);
}
