import type { FetchResponse } from "../engine.ts";
import { decodeBase64 } from "./base64.ts";
import { Body, type BodyInit, readBodyInit } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";
import { URL } from "./url.ts";

interface ResponseInit {
	readonly status?: unknown;
	readonly statusText?: unknown;
	readonly headers?: HeadersInit;
}

/** What only the runtime can say of a response. */
interface Received {
	readonly url: string;
	readonly redirected: boolean;
	readonly type: string;
	readonly status?: number;
}

let makeReceived: (body: BodyInit | null, init: ResponseInit, received: Received) => Response;
const nullBodyStatus = [101, 103, 204, 205, 304];

export class Response extends Body {
	#status: number;
	readonly #statusText: string;
	readonly #headers: Headers;
	#received: Received = { url: "", redirected: false, type: "default" };

	static {
		makeReceived = (body, init, received) => {
			const response = new Response(body, init);
			response.#received = received;
			if (received.status !== undefined) response.#status = received.status;
			return response;
		};
	}

	constructor(body: BodyInit | null = null, init: ResponseInit = {}) {
		const content = body === null ? undefined : readBodyInit(body);
		const status = init.status === undefined ? 200 : Math.trunc(Number(init.status));
		if (!(status >= 200 && status <= 599)) throw new RangeError(`The status of a response is 200 to 599, not ${init.status}`);
		if (content && nullBodyStatus.includes(status)) throw new TypeError(`A response with status ${status} cannot have a body`);
		super(content?.bytes);
		this.#status = status;
		this.#statusText = init.statusText === undefined ? "" : `${init.statusText}`;
		this.#headers = new Headers(init.headers);
		if (content?.type !== undefined && !this.#headers.has("content-type")) this.#headers.set("content-type", content.type);
	}

	static json(value: unknown, init: ResponseInit = {}): Response {
		const text = JSON.stringify(value);
		if (text === undefined) throw new TypeError("The value is not JSON");
		const headers = new Headers(init.headers);
		if (!headers.has("content-type")) headers.set("content-type", "application/json");
		return new Response(text, { ...init, headers });
	}

	static error(): Response {
		return makeReceived(null, {}, { url: "", redirected: false, type: "error", status: 0 });
	}

	static redirect(url: unknown, status: unknown = 302): Response {
		const location = new URL(`${url}`).href;
		if (![301, 302, 303, 307, 308].includes(Number(status))) throw new RangeError(`${status} is not the status of a redirect`);
		return new Response(null, { status, headers: { location } });
	}

	get status(): number {
		return this.#status;
	}
	get statusText(): string {
		return this.#statusText;
	}
	get ok(): boolean {
		return this.#status >= 200 && this.#status <= 299;
	}
	get headers(): Headers {
		return this.#headers;
	}
	get url(): string {
		return this.#received.url;
	}
	get redirected(): boolean {
		return this.#received.redirected;
	}
	get type(): string {
		return this.#received.type;
	}
	clone(): Response {
		const bytes = this.peekBytes();
		const { status, statusText, headers } = this;
		return makeReceived(bytes ?? null, { statusText, headers }, { ...this.#received, status });
	}
}

/** The response that the host has received. */
export function receivedResponse({ url, status, statusText, redirected, headers, body }: FetchResponse): Response {
	const bytes = decodeBase64(body);
	const content = nullBodyStatus.includes(status) ? null : bytes;
	return makeReceived(content, { statusText, headers }, { url, redirected, type: "basic", status });
}
