import { AbortController, AbortSignal } from "./abort.ts";
import { Body, type BodyInit, readBodyInit } from "./body.ts";
import { Headers, type HeadersInit } from "./headers.ts";
import { URL } from "./url.ts";

type Redirect = "follow" | "error" | "manual";

export interface RequestInit {
	readonly method?: unknown;
	readonly headers?: HeadersInit;
	readonly body?: BodyInit | null;
	readonly redirect?: unknown;
	readonly signal?: AbortSignal | null;
}

const usualMethods = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"];
const redirects: readonly unknown[] = ["follow", "error", "manual"];

export class Request extends Body {
	readonly #url: string;
	readonly #method: string;
	readonly #headers: Headers;
	readonly #redirect: Redirect;
	readonly #signal: AbortSignal;

	constructor(input: unknown, init: RequestInit = {}) {
		const from = input instanceof Request ? input : undefined;
		const method = normalMethod(init.method ?? from?.method ?? "GET");
		const given = init.body === undefined || init.body === null ? undefined : readBodyInit(init.body);
		const bytes = given?.bytes ?? (init.body === null ? undefined : from?.peekBytes());
		if (bytes && (method === "GET" || method === "HEAD"))
			throw new TypeError(`A request with method ${method} cannot have a body`);
		super(bytes);
		this.#url = from ? from.url : absoluteUrl(input);
		this.#method = method;
		this.#headers = new Headers(init.headers ?? from?.headers);
		if (given?.type !== undefined && !this.#headers.has("content-type")) this.#headers.set("content-type", given.type);
		const redirect = init.redirect ?? from?.redirect ?? "follow";
		if (!redirects.includes(redirect)) throw new TypeError(`redirect must be "follow", "error" or "manual"`);
		this.#redirect = redirect as Redirect;
		if (init.signal && !(init.signal instanceof AbortSignal)) throw new TypeError("signal must be an AbortSignal");
		const followed = init.signal === undefined ? from?.signal : init.signal;
		this.#signal = followed ? AbortSignal.any([followed]) : new AbortController().signal;
	}

	get url(): string {
		return this.#url;
	}
	get method(): string {
		return this.#method;
	}
	get headers(): Headers {
		return this.#headers;
	}
	get redirect(): Redirect {
		return this.#redirect;
	}
	get signal(): AbortSignal {
		return this.#signal;
	}
	clone(): Request {
		return new Request(this);
	}

	/** What is sent; undefined when there is no body. */
	get content(): Uint8Array<ArrayBuffer> | undefined {
		return this.peekBytes();
	}
}
// Not part of the platform's interface: fetch reads it before scripts can.
export const requestContent = (Object.getOwnPropertyDescriptor(Request.prototype, "content") as PropertyDescriptor).get as (
	this: Request,
) => Uint8Array<ArrayBuffer> | undefined;
Reflect.deleteProperty(Request.prototype, "content");

function absoluteUrl(input: unknown): string {
	const text = `${input}`;
	if (!URL.canParse(text)) throw new TypeError(`${JSON.stringify(text)} is not an absolute URL`);
	const url = new URL(text);
	if (url.username !== "" || url.password !== "")
		throw new TypeError("A URL with a user name or password cannot be fetched; use the header Authorization");
	return url.href;
}

function normalMethod(method: unknown): string {
	const text = `${method}`;
	if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)) throw new TypeError(`${JSON.stringify(text)} is not a valid method`);
	const upper = text.toUpperCase();
	if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK") throw new TypeError(`The method ${upper} is not allowed`);
	return usualMethods.includes(upper) ? upper : text;
}
