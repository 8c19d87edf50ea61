import type { Readable, Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Dispatcher } from "undici";
import { RuntimeError } from "../contract/errors.ts";
import { describeLimit, type Limits } from "../contract/limits.ts";
import { hostnameOf, parseAllowedHosts, portOf } from "./allowed-hosts.ts";
import type { FetchRequest, FetchResponse, Surroundings } from "./engine.ts";
import { type Connections, type Lookup, openConnections } from "./fetch-connections.ts";

/** One request that was sent, or refused, for a journal. */
export interface FetchRecord {
	readonly url: string;
	readonly method: string;
	readonly status?: number;
	readonly error?: RuntimeError;
}

export interface FetchOptions {
	/** As given to `--allow-host`; see `parseAllowedHosts`. */
	readonly allowedHosts: readonly string[];
	readonly limits: Limits;
	/** Told of every request, each redirect included. */
	readonly record?: (entry: FetchRecord) => void;
	/** Ports of this machine that stay closed whatever is allowed: where the host itself listens. */
	readonly forbiddenPorts?: readonly number[];
	/** Resolves names; the system's resolver when not given. */
	readonly lookup?: Lookup;
	/** Certificates (PEM) trusted instead of the system's. */
	readonly certificates?: string;
}

/** The outgoing requests of one run. */
export interface Fetcher {
	readonly fetch: NonNullable<Surroundings["fetch"]>;
	/** Ends what is under way and closes the connections. */
	close(): Promise<void>;
}

const maxRedirects = 5;
/** Exchanges at one time; more wait. Bodies are held whole, so this bounds the host's memory too. */
const maxExchanges = 6;

/**
 * Makes `fetch` for one run. A request goes out only to hosts that were allowed, over connections made to addresses that were
 * checked, and so does every redirect. Throws `invalid` for a malformed entry of `allowedHosts`.
 */
export function createFetch(options: FetchOptions): Fetcher {
	const allowed = parseAllowedHosts(options.allowedHosts);
	const connections: Connections = openConnections({ ...options, allowed });
	const exchanges = new Slots(maxExchanges);
	const closed = new AbortController();

	/** Not async: a function that waits keeps its parameters, and the request's body is large. Only the hop that is next is kept, until it is sent. */
	function fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchResponse> {
		try {
			return inTurn(new Route(request), AbortSignal.any([signal, closed.signal]));
		} catch (error) {
			return Promise.reject(error);
		}
	}

	async function inTurn(route: Route, signal: AbortSignal): Promise<FetchResponse> {
		await exchanges.take(signal);
		try {
			for (;;) {
				using _inUse = connections.use(route.next.url.origin);
				const response = await exchange(route.next, signal);
				try {
					if (!route.follows(response)) return await receive(route, response, signal);
				} finally {
					response.body.destroy();
				}
			}
		} finally {
			exchanges.release();
		}
	}

	/** Sends one request; its answer's body is still to be read. */
	async function exchange(hop: Hop, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
		const { url, method, headers, body } = hop;
		const told = { url: url.href, method };
		try {
			signal.throwIfAborted();
			allowed.requireHost(url);
			const sent = connections.agent.request({
				origin: url.origin,
				path: `${url.pathname}${url.search}`,
				method: method as Dispatcher.HttpMethod,
				headers: headers.flat(),
				body: body ?? null,
				signal,
			});
			// undici hears of an abort only when there is a connection; the next one in the queue should not wait for that.
			const response = await orAborted(sent.then(muteErrors), signal);
			options.record?.({ ...told, status: response.statusCode });
			return response;
		} catch (cause) {
			const error = explain(cause, url, signal);
			options.record?.({ ...told, error });
			throw error;
		}
	}

	async function receive(route: Route, response: Dispatcher.ResponseData, signal: AbortSignal): Promise<FetchResponse> {
		const { url, method } = route.next;
		try {
			const hasBody = method !== "HEAD" && response.statusCode !== 204 && response.statusCode !== 304;
			const body = hasBody ? await readBody(response, options.limits) : Buffer.alloc(0);
			return {
				url: withoutFragment(url),
				status: response.statusCode,
				statusText: response.statusText ?? "",
				redirected: route.redirects > 0,
				headers: headerPairs(response.headers),
				body: body.toString("base64"),
			};
		} catch (cause) {
			throw explain(cause, url, signal);
		}
	}

	return {
		fetch,
		async close() {
			closed.abort(new RuntimeError("cancelled", "The run has ended."));
			await connections.close();
		},
	};
}

/** One request on the way of redirects. */
interface Hop {
	readonly url: URL;
	readonly method: string;
	readonly headers: readonly (readonly [string, string])[];
	readonly body: Buffer | undefined;
}

/** The way of one fetch through redirects. */
class Route {
	next: Hop;
	redirects = 0;
	readonly #url: string;
	readonly #redirect: FetchRequest["redirect"];

	constructor(request: FetchRequest) {
		this.next = firstHop(request);
		this.#url = request.url;
		this.#redirect = request.redirect;
	}

	/** Goes one hop further if the response says so. What it answers false for is the last one, and the request's body is let go. */
	follows({ statusCode, headers }: Dispatcher.ResponseData): boolean {
		const hop = this.next;
		const location = isRedirect(statusCode) ? headers.location : undefined;
		if (location === undefined || this.#redirect === "manual") {
			this.next = { ...hop, body: undefined };
			return false;
		}
		if (this.#redirect === "error")
			throw new RuntimeError("denied", `${hop.url.host} answered with a redirect, which this fetch does not follow.`);
		if (this.redirects === maxRedirects)
			throw new RuntimeError("unavailable", `fetch of ${this.#url} was redirected more than ${maxRedirects} times.`);
		this.next = nextHop(hop, statusCode, String(location));
		this.redirects++;
		return true;
	}
}

/** Headers that belong to the connection, not to the script. */
const forbiddenHeaders = new Set([
	"host",
	"connection",
	"content-length",
	"transfer-encoding",
	"upgrade",
	"keep-alive",
	"te",
	"trailer",
	"expect",
	"via",
	"http2-settings",
]);
const contentHeaders = new Set(["content-encoding", "content-language", "content-location", "content-type"]);
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const acceptedEncodings = "gzip, deflate, br";

function firstHop({ url, method, headers, body }: FetchRequest): Hop {
	const parsed = requireUrl(url);
	if (!token.test(method) || /^(?:connect|trace|track)$/i.test(method))
		throw new RuntimeError("invalid", `The method ${JSON.stringify(method.slice(0, 32))} cannot be fetched.`);
	for (const [name, value] of headers) requireHeader(name, value);
	const hasHeader = (wanted: string): boolean => headers.some(([name]) => name.toLowerCase() === wanted);
	const added: [string, string][] = [
		["accept", "*/*"],
		["accept-encoding", acceptedEncodings],
		["user-agent", "cronium"],
	];
	return {
		url: parsed,
		method,
		headers: [...headers, ...added.filter(([name]) => !hasHeader(name))],
		body: body === undefined ? undefined : Buffer.from(body, "base64"),
	};
}

/** Where a redirect leads; what the new server has no business to know is left out. */
function nextHop(hop: Hop, status: number, location: string): Hop {
	if (!URL.canParse(location, hop.url))
		throw new RuntimeError("unavailable", `${hop.url.host} redirects to something that is not a URL.`);
	const url = requireUrl(new URL(location, hop.url).href);
	const becomesGet =
		status === 303 ? hop.method !== "GET" && hop.method !== "HEAD" : (status === 301 || status === 302) && hop.method === "POST";
	const isElsewhere = url.origin !== hop.url.origin;
	const headers = hop.headers.filter(([name]) => {
		const lower = name.toLowerCase();
		if (becomesGet && contentHeaders.has(lower)) return false;
		return !(isElsewhere && (lower === "authorization" || lower === "cookie"));
	});
	return { url, method: becomesGet ? "GET" : hop.method, headers, body: becomesGet ? undefined : hop.body };
}

function requireUrl(text: string): URL {
	if (!URL.canParse(text)) throw new RuntimeError("invalid", "fetch takes an absolute URL.");
	const url = new URL(text);
	if (url.protocol !== "http:" && url.protocol !== "https:")
		throw new RuntimeError("unsupported", `fetch reaches http and https only, not ${JSON.stringify(url.protocol.slice(0, 32))}.`);
	if (url.username !== "" || url.password !== "")
		throw new RuntimeError("invalid", "A URL with a user name or password cannot be fetched; use the header Authorization.");
	return url;
}

function requireHeader(name: string, value: string): void {
	const lower = name.toLowerCase();
	if (!token.test(name))
		throw new RuntimeError("invalid", `${JSON.stringify(name.slice(0, 64))} is not a valid name of a header.`);
	if (forbiddenHeaders.has(lower) || lower.startsWith("proxy-"))
		throw new RuntimeError("invalid", `The header ${lower} belongs to the connection; a script cannot set it.`);
	if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
		throw new RuntimeError("invalid", `The value of the header ${lower} has a character that is not allowed there.`);
}

/** Settles as the promise does, or rejects at once with the signal's reason. */
function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
	return new Promise((resolve, reject) => {
		const leave = (): void => reject(signal.reason);
		signal.addEventListener("abort", leave, { once: true });
		promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
	});
}

/** A body may fail when nobody is reading, and an error that nobody hears ends the process. */
function muteErrors(response: Dispatcher.ResponseData): Dispatcher.ResponseData {
	response.body.on("error", () => {});
	return response;
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

/** The body, decompressed; `too-large` as soon as it is over the limit, in either form. */
async function readBody({ headers, body }: Dispatcher.ResponseData, limits: Limits): Promise<Buffer> {
	const limit = limits.maxFetchResponseBytes;
	const tooLarge = (): RuntimeError =>
		new RuntimeError("too-large", `The body of the response is larger than ${limit} bytes (maxFetchResponseBytes).`, {
			limit: describeLimit(limits, "maxFetchResponseBytes"),
		});
	if (Number(headers["content-length"]) > limit) throw tooLarge();
	const chunks: Buffer[] = [];
	let size = 0;
	for await (const chunk of decompressed(body, String(headers["content-encoding"] ?? ""))) {
		size += (chunk as Buffer).length;
		if (size > limit) throw tooLarge();
		chunks.push(chunk as Buffer);
	}
	return Buffer.concat(chunks, size);
}

/** A map: the server chooses the name, and an object has more names than its own. */
const decoders: ReadonlyMap<string, () => Transform> = new Map([
	["gzip", createGunzip],
	["x-gzip", createGunzip],
	["deflate", createInflate],
	["br", createBrotliDecompress],
]);

/** The body as it was before `content-encoding`; as it came when the encoding is not one that was asked for, or several. */
function decompressed(body: Readable, encoding: string): Readable {
	const stream = decoders.get(encoding.trim().toLowerCase())?.();
	if (!stream) return body;
	// As in `muteErrors`.
	stream.on("error", () => {});
	body.on("error", (error) => stream.destroy(error));
	return body.pipe(stream);
}

function headerPairs(headers: Dispatcher.ResponseData["headers"]): [string, string][] {
	return Object.entries(headers).flatMap(([name, value]) => {
		const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
		return values.map((one): [string, string] => [name, one]);
	});
}

function withoutFragment(url: URL): string {
	const shown = new URL(url);
	shown.hash = "";
	return shown.href;
}

/** What a script is told of a failure: which host, and the system's word for it; never addresses of proxies, paths or stacks. */
function explain(cause: unknown, url: URL, signal: AbortSignal): RuntimeError {
	if (cause instanceof RuntimeError) return cause;
	if (signal.aborted && signal.reason instanceof RuntimeError) return signal.reason;
	if (signal.aborted) return new RuntimeError("cancelled", "The fetch was aborted.");
	const code = String((cause as { code?: unknown } | undefined)?.code ?? "");
	const shown = /^[A-Z][A-Z0-9_]{2,60}$/.test(code) ? ` (${code})` : "";
	const place = `${hostnameOf(url)}:${portOf(url)}`;
	if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT")
		return new RuntimeError("timed-out", `${place} does not answer${shown}.`, {}, { cause });
	if (code.startsWith("Z_") || code.startsWith("ERR__ERROR_FORMAT") || code.startsWith("ERR_BROTLI"))
		return new RuntimeError("unavailable", `The response of ${place} is not compressed as it says${shown}.`, {}, { cause });
	return new RuntimeError("unavailable", `fetch of ${place} failed${shown}.`, {}, { cause });
}

/** Lets so many through at one time, the rest in order. */
class Slots {
	#free: number;
	readonly #waiting = new Set<() => void>();

	constructor(count: number) {
		this.#free = count;
	}

	async take(signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		if (this.#free > 0) {
			this.#free--;
			return;
		}
		await new Promise<void>((resolve, reject) => {
			const enter = (): void => {
				signal.removeEventListener("abort", leave);
				resolve();
			};
			const leave = (): void => {
				this.#waiting.delete(enter);
				reject(signal.reason);
			};
			this.#waiting.add(enter);
			signal.addEventListener("abort", leave, { once: true });
		});
	}

	release(): void {
		const [next] = this.#waiting;
		if (next) {
			this.#waiting.delete(next);
			next();
		} else this.#free++;
	}
}
