import { encodeSets, percentDecode, percentEncode } from "./percent.ts";

type Init = string | Iterable<Iterable<unknown>> | Record<string, unknown>;

/** What ties the parameters to a URL: called with their text after every change. */
const changed = new WeakMap<URLSearchParams, (text: string) => void>();

let replaceAll: (params: URLSearchParams, text: string) => void;

export class URLSearchParams {
	#pairs: [string, string][] = [];

	static {
		replaceAll = (params, text) => {
			params.#pairs = parsePairs(text);
		};
	}

	constructor(init: Init = "") {
		if (typeof init === "object" && init !== null) {
			if (Symbol.iterator in init) {
				for (const given of init as Iterable<Iterable<unknown>>) {
					const pair = [...given];
					if (pair.length !== 2) throw new TypeError("A search parameter is a pair of a name and a value");
					this.#pairs.push([toText(pair[0]), toText(pair[1])]);
				}
			} else for (const name of Object.keys(init)) this.#pairs.push([toText(name), toText(init[name])]);
		} else this.#pairs = parsePairs(toText(init).replace(/^\?/, ""));
	}

	get size(): number {
		return this.#pairs.length;
	}

	append(name: unknown, value: unknown): void {
		this.#pairs.push([toText(name), toText(value)]);
		this.#changed();
	}

	delete(name: unknown, value?: unknown): void {
		this.#pairs = this.#pairs.filter((pair) => !matches(pair, name, value));
		this.#changed();
	}

	get(name: unknown): string | null {
		const wanted = toText(name);
		return this.#pairs.find(([key]) => key === wanted)?.[1] ?? null;
	}

	getAll(name: unknown): string[] {
		return this.#pairs.filter((pair) => matches(pair, name, undefined)).map(([, value]) => value);
	}

	has(name: unknown, value?: unknown): boolean {
		return this.#pairs.some((pair) => matches(pair, name, value));
	}

	set(name: unknown, value: unknown): void {
		const wanted = toText(name);
		const first = this.#pairs.find(([key]) => key === wanted);
		if (first) {
			first[1] = toText(value);
			this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== wanted);
		} else this.#pairs.push([wanted, toText(value)]);
		this.#changed();
	}

	sort(): void {
		this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
		this.#changed();
	}

	forEach(callback: (value: string, name: string, params: URLSearchParams) => void, self?: unknown): void {
		for (const [name, value] of this) Reflect.apply(callback, self, [value, name, this]);
	}

	*entries(): IterableIterator<[string, string]> {
		// By position, because the list may change while it is gone through.
		for (let index = 0; index < this.#pairs.length; index++) {
			const [name, value] = this.#pairs[index] as [string, string];
			yield [name, value];
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

	toString(): string {
		return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
	}

	[Symbol.for("nodejs.util.inspect.custom")](
		_depth: number,
		options: object,
		inspect: (value: unknown, options: object) => string,
	): string {
		if (this.#pairs.length === 0) return "URLSearchParams {}";
		const pairs = this.#pairs.map(([name, value]) => `${inspect(name, options)} => ${inspect(value, options)}`);
		return `URLSearchParams { ${pairs.join(", ")} }`;
	}

	#changed(): void {
		changed.get(this)?.(this.toString());
	}
}

/** Parameters whose changes are told to a URL. */
export function boundParams(onChange: (text: string) => void): URLSearchParams {
	const params = new URLSearchParams();
	changed.set(params, onChange);
	return params;
}

/** Reads the parameters anew from the query of their URL; tells it nothing. */
export function readParams(params: URLSearchParams, query: string): void {
	replaceAll(params, query);
}

function toText(value: unknown): string {
	return `${value}`.toWellFormed();
}

function matches([key, value]: readonly [string, string], name: unknown, wanted: unknown): boolean {
	return key === toText(name) && (wanted === undefined || value === toText(wanted));
}

function parsePairs(text: string): [string, string][] {
	const pairs: [string, string][] = [];
	for (const part of text.split("&")) {
		if (part === "") continue;
		const equals = part.indexOf("=");
		const name = equals < 0 ? part : part.slice(0, equals);
		pairs.push([decode(name), decode(equals < 0 ? "" : part.slice(equals + 1))]);
	}
	return pairs;
}

const decode = (text: string): string => percentDecode(text.replaceAll("+", " "));
const encode = (text: string): string => percentEncode(text, encodeSets.form).replaceAll("%20", "+");
