import { Blob, blobBytes } from "./blob.ts";
import { decodeUtf8, TextEncoder, toBytes } from "./text-encoding.ts";
import { URLSearchParams } from "./url-search-params.ts";

export type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | URLSearchParams;

export interface BodyContent {
	readonly bytes: Uint8Array<ArrayBuffer>;
	/** The media type that such a body has when no header says another one. */
	readonly type?: string;
}

/** The bytes of whatever a body may be given as. */
export function readBodyInit(init: unknown): BodyContent {
	if (init instanceof Blob) return { bytes: blobBytes(init), ...(init.type !== "" && { type: init.type }) };
	if (ArrayBuffer.isView(init) || init instanceof ArrayBuffer) return { bytes: toBytes(init).slice() };
	const bytes = new TextEncoder().encode(init);
	if (init instanceof URLSearchParams) return { bytes, type: "application/x-www-form-urlencoded;charset=UTF-8" };
	return { bytes, type: "text/plain;charset=UTF-8" };
}

/** What Request and Response share: a body that can be read once. Bodies are whole; `body` is never a stream here. */
export abstract class Body {
	readonly #bytes: Uint8Array<ArrayBuffer> | undefined;
	#used = false;

	constructor(bytes: Uint8Array<ArrayBuffer> | undefined) {
		this.#bytes = bytes;
	}

	abstract get headers(): { get(name: string): string | null };

	get body(): null {
		return null;
	}

	get bodyUsed(): boolean {
		return this.#used;
	}

	async arrayBuffer(): Promise<ArrayBuffer> {
		return this.#take().slice().buffer;
	}

	async bytes(): Promise<Uint8Array<ArrayBuffer>> {
		return this.#take().slice();
	}

	async blob(): Promise<Blob> {
		return new Blob([this.#take()], { type: this.headers.get("content-type") ?? "" });
	}

	async text(): Promise<string> {
		return decodeUtf8(this.#take()).replace(/^\ufeff/, "");
	}

	async json(): Promise<unknown> {
		return JSON.parse(await this.text());
	}

	/** The bytes for a copy or for sending, without using the body up. */
	protected peekBytes(): Uint8Array<ArrayBuffer> | undefined {
		if (this.#used) throw new TypeError("The body has already been read");
		return this.#bytes;
	}

	#take(): Uint8Array<ArrayBuffer> {
		const bytes = this.peekBytes();
		if (bytes) this.#used = true;
		return bytes ?? new Uint8Array(0);
	}
}
