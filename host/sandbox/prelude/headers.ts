type Pair = readonly [string, string];

export type HeadersInit = Headers | Iterable<Iterable<unknown>> | Record<string, unknown>;

/** The headers of a request or response: names in lower case, values of one name joined, in order of the names. */
export class Headers {
	readonly #pairs: [string, string][] = [];

	constructor(init?: HeadersInit) {
		if (init === undefined) return;
		if (typeof init !== "object" || init === null) throw new TypeError("Headers are made of an object or of pairs");
		if (Symbol.iterator in init) {
			for (const given of init as Iterable<Iterable<unknown>>) {
				const pair = [...given];
				if (pair.length !== 2) throw new TypeError("A header is a pair of a name and a value");
				this.append(pair[0], pair[1]);
			}
		} else for (const name of Object.keys(init)) this.append(name, init[name]);
	}

	append(name: unknown, value: unknown): void {
		this.#pairs.push([normalName(name), normalValue(value)]);
	}

	delete(name: unknown): void {
		const wanted = normalName(name);
		for (let index = this.#pairs.length - 1; index >= 0; index--)
			if (this.#pairs[index]?.[0] === wanted) this.#pairs.splice(index, 1);
	}

	get(name: unknown): string | null {
		const values = this.#valuesOf(normalName(name));
		return values.length === 0 ? null : values.join(", ");
	}

	getSetCookie(): string[] {
		return this.#valuesOf("set-cookie");
	}

	has(name: unknown): boolean {
		return this.#valuesOf(normalName(name)).length > 0;
	}

	set(name: unknown, value: unknown): void {
		const wanted = normalName(name);
		const given = normalValue(value);
		const first = this.#pairs.find(([key]) => key === wanted);
		if (!first) {
			this.#pairs.push([wanted, given]);
			return;
		}
		first[1] = given;
		for (let index = this.#pairs.length - 1; index >= 0; index--) {
			const pair = this.#pairs[index] as [string, string];
			if (pair[0] === wanted && pair !== first) this.#pairs.splice(index, 1);
		}
	}

	forEach(callback: (value: string, name: string, headers: Headers) => void, self?: unknown): void {
		for (const [name, value] of this) Reflect.apply(callback, self, [value, name, this]);
	}

	*entries(): IterableIterator<[string, string]> {
		const names = [...new Set(this.#pairs.map(([name]) => name))].sort();
		for (const name of names) {
			const values = this.#valuesOf(name);
			if (name === "set-cookie") for (const value of values) yield [name, value];
			else yield [name, values.join(", ")];
		}
	}

	*keys(): IterableIterator<string> {
		for (const [name] of this.entries()) yield name;
	}

	*values(): IterableIterator<string> {
		for (const [, value] of this.entries()) yield value;
	}

	[Symbol.iterator](): IterableIterator<[string, string]> {
		return this.entries();
	}

	[Symbol.for("nodejs.util.inspect.custom")](
		_depth: number,
		options: object,
		inspect: (value: unknown, options: object) => string,
	): string {
		return `Headers ${inspect(Object.fromEntries(this.#pairs.map(([name]) => [name, this.get(name)])), options)}`;
	}

	#valuesOf(name: string): string[] {
		const values: string[] = [];
		for (const [key, value] of this.#pairs) if (key === name) values.push(value);
		return values;
	}
}

/** The headers as they go to the host. */
export const headerPairs = (headers: Headers): Pair[] => [...headers];

function normalName(name: unknown): string {
	const text = `${name}`;
	if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text))
		throw new TypeError(`${JSON.stringify(text)} is not a valid name of a header`);
	return text.toLowerCase();
}

function normalValue(value: unknown): string {
	const text = `${value}`.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
	// A line break would let a value begin headers of its own.
	if (/[\0\n\r\u0100-\uffff]/.test(text)) throw new TypeError("The value of a header has a character that is not allowed there");
	return text;
}
