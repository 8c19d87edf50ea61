/**
 * The names of the members of the objects that are open while a JSON text is scanned. Most objects have few members: their names
 * are compared where they stand in the text, and nothing is allocated for them.
 */
export class MemberNames {
	readonly #text: string;
	/** Start and end offsets of the names of all open objects, innermost last. */
	readonly #offsets: number[] = [];
	/** For each open object, where its names begin in `#offsets`. */
	readonly #bases: number[] = [];
	/** The names of objects with many members or with escapes in a name, by depth. */
	readonly #sets: (Set<string> | undefined)[] = [];

	constructor(text: string) {
		this.#text = text;
	}

	open(): void {
		this.#bases.push(this.#offsets.length);
	}

	close(): void {
		this.#sets[this.#bases.length] = undefined;
		this.#offsets.length = this.#bases.pop() as number;
	}

	/** Adds the name at [start, end) to the innermost object; a plain one has no escapes. False when the object has it already. */
	add(start: number, end: number, plain: boolean): boolean {
		const set = this.#sets[this.#bases.length];
		if (set) return this.#addToSet(set, start, end);
		const base = this.#bases[this.#bases.length - 1] as number;
		if (!plain || this.#offsets.length - base >= 2 * maxCompared) return this.#startSet(base, start, end);
		const length = end - start;
		for (let at = base; at < this.#offsets.length; at += 2) {
			const other = this.#offsets[at] as number;
			if ((this.#offsets[at + 1] as number) - other === length && this.#same(other, start, length)) return false;
		}
		this.#offsets.push(start, end);
		return true;
	}

	#same(a: number, b: number, length: number): boolean {
		for (let index = 0; index < length; index++)
			if (this.#text.charCodeAt(a + index) !== this.#text.charCodeAt(b + index)) return false;
		return true;
	}

	#hasEscape(start: number, end: number): boolean {
		for (let index = start; index < end; index++) if (this.#text.charCodeAt(index) === 0x5c) return true;
		return false;
	}

	#startSet(base: number, start: number, end: number): boolean {
		const set = new Set<string>();
		this.#sets[this.#bases.length] = set;
		for (let at = base; at < this.#offsets.length; at += 2)
			this.#addToSet(set, this.#offsets[at] as number, this.#offsets[at + 1] as number);
		return this.#addToSet(set, start, end);
	}

	#addToSet(set: Set<string>, start: number, end: number): boolean {
		// The opening quote stays on: V8 hashes texts that look like array indices by their number and others with a secret seed, so
		// that without it a sender could choose names that all fall into one bucket.
		const name = this.#hasEscape(start, end)
			? `"${JSON.parse(this.#text.slice(start - 1, end + 1))}`
			: this.#text.slice(start - 1, end);
		const before = set.size;
		return set.add(name).size !== before;
	}
}

const maxCompared = 12;
