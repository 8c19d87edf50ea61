import { concatenate, decodeUtf8, TextEncoder, toBytes } from "./text-encoding.ts";

type Part = string | ArrayBuffer | ArrayBufferView | Blob;

let bytesOf: (blob: Blob) => Uint8Array<ArrayBuffer>;

export class Blob {
	#bytes: Uint8Array<ArrayBuffer>;
	readonly #type: string;

	static {
		bytesOf = (blob) => blob.#bytes;
	}

	constructor(parts: Iterable<Part> = [], options: { readonly type?: unknown } = {}) {
		if (typeof parts !== "object" || parts === null || !(Symbol.iterator in parts))
			throw new TypeError("The parts of a Blob must be iterable");
		this.#bytes = concatenate(Array.from(parts, partBytes));
		this.#type = normalType(options?.type);
	}

	get size(): number {
		return this.#bytes.length;
	}

	get type(): string {
		return this.#type;
	}

	async text(): Promise<string> {
		return decodeUtf8(this.#bytes).replace(/^\ufeff/, "");
	}

	async arrayBuffer(): Promise<ArrayBuffer> {
		return this.#bytes.slice().buffer;
	}

	async bytes(): Promise<Uint8Array<ArrayBuffer>> {
		return this.#bytes.slice();
	}

	slice(start = 0, end = this.size, type = ""): Blob {
		const part = new Blob([], { type });
		part.#bytes = this.#bytes.slice(start, end);
		return part;
	}
}

export class File extends Blob {
	readonly #name: string;
	readonly #lastModified: number;

	constructor(parts: Iterable<Part>, name: unknown, options: { readonly type?: unknown; readonly lastModified?: unknown } = {}) {
		if (name === undefined) throw new TypeError("A File needs parts and a name");
		super(parts, options);
		this.#name = `${name}`;
		this.#lastModified = options?.lastModified === undefined ? Date.now() : Math.trunc(Number(options.lastModified)) || 0;
	}

	get name(): string {
		return this.#name;
	}

	get lastModified(): number {
		return this.#lastModified;
	}
}

/** The bytes of a Blob, for those who do not change them. */
export const blobBytes = (blob: Blob): Uint8Array<ArrayBuffer> => bytesOf(blob);

function partBytes(part: Part): Uint8Array {
	if (part instanceof Blob) return bytesOf(part);
	if (ArrayBuffer.isView(part) || part instanceof ArrayBuffer) return toBytes(part).slice();
	return new TextEncoder().encode(part);
}

function normalType(type: unknown): string {
	const text = type === undefined ? "" : `${type}`;
	return /^[\x20-\x7e]*$/.test(text) ? text.toLowerCase() : "";
}
