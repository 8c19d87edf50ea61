import { encodeSets, percentEncode } from "./percent.ts";
import { parseHost } from "./url-host.ts";
import {
	appendPath,
	encodeQuery,
	isSpecial,
	parsePort,
	parseUrl,
	portColon,
	stripBreaks,
	type UrlRecord,
	writeHost,
	writePath,
	writeUrl,
} from "./url-parser.ts";
import { boundParams, readParams, type URLSearchParams } from "./url-search-params.ts";

export class URL {
	#record: UrlRecord;
	#params: URLSearchParams | undefined;

	constructor(input: unknown, base?: unknown) {
		const record = resolve(input, base);
		if (!record) throw Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL", input: `${input}` });
		this.#record = record;
	}

	static canParse(input: unknown, base?: unknown): boolean {
		return resolve(input, base) !== undefined;
	}

	static parse(input: unknown, base?: unknown): URL | null {
		return URL.canParse(input, base) ? new URL(input, base) : null;
	}

	get href(): string {
		return writeUrl(this.#record);
	}
	set href(value: unknown) {
		this.#record = new URL(value).#record;
		this.#queryChanged();
	}

	get origin(): string {
		const { scheme, path } = this.#record;
		if (scheme === "blob") {
			const inner = typeof path === "string" ? parseUrl(path) : undefined;
			return inner && /^https?$/.test(inner.scheme) ? `${inner.scheme}://${writeHost(inner)}` : "null";
		}
		return isSpecial(this.#record) && scheme !== "file" ? `${scheme}://${writeHost(this.#record)}` : "null";
	}

	get protocol(): string {
		return `${this.#record.scheme}:`;
	}
	set protocol(value: unknown) {
		const scheme = /^[a-z][a-z\d+\-.]*(?=:|$)/i.exec(stripBreaks(`${value}`))?.[0].toLowerCase();
		if (scheme === undefined) return;
		const record = this.#record;
		const changed = { ...record, scheme };
		if (isSpecial(changed) !== isSpecial(record)) return;
		const hasAuthority = record.username !== "" || record.password !== "" || record.port !== null;
		if ((scheme === "file" && hasAuthority) || (record.scheme === "file" && record.host === "")) return;
		record.scheme = scheme;
		if (record.port !== null) record.port = parsePort(record, `${record.port}`) ?? null;
	}

	get username(): string {
		return this.#record.username;
	}
	set username(value: unknown) {
		if (this.#canHaveAuthority()) this.#record.username = percentEncode(`${value}`, encodeSets.userinfo);
	}

	get password(): string {
		return this.#record.password;
	}
	set password(value: unknown) {
		if (this.#canHaveAuthority()) this.#record.password = percentEncode(`${value}`, encodeSets.userinfo);
	}

	get host(): string {
		return writeHost(this.#record);
	}
	set host(value: unknown) {
		const text = this.#authorityPart(value);
		const colon = this.#record.scheme === "file" ? -1 : portColon(text);
		if (colon === 0) return;
		if (!this.#setHostname(colon < 0 ? text : text.slice(0, colon)) || colon < 0) return;
		const digits = /^\d+/.exec(text.slice(colon + 1))?.[0];
		const port = digits === undefined ? undefined : parsePort(this.#record, digits);
		if (port !== undefined) this.#record.port = port;
	}

	get hostname(): string {
		return this.#record.host ?? "";
	}
	set hostname(value: unknown) {
		const text = this.#authorityPart(value);
		if (portColon(text) < 0) this.#setHostname(text);
	}

	get port(): string {
		return this.#record.port === null ? "" : `${this.#record.port}`;
	}
	set port(value: unknown) {
		if (!this.#canHaveAuthority()) return;
		const text = stripBreaks(`${value}`);
		const digits = /^\d+/.exec(text)?.[0] ?? (text === "" ? "" : undefined);
		const port = digits === undefined ? undefined : parsePort(this.#record, digits);
		if (port !== undefined) this.#record.port = port;
	}

	get pathname(): string {
		return writePath(this.#record);
	}
	set pathname(value: unknown) {
		if (typeof this.#record.path === "string") return;
		this.#record.path = [];
		const text = stripBreaks(`${value}`.toWellFormed()).replaceAll("?", "%3F").replaceAll("#", "%23");
		if (text === "" && this.#record.host === null) this.#record.path.push("");
		else appendPath(this.#record, text);
	}

	get search(): string {
		return this.#record.query ? `?${this.#record.query}` : "";
	}
	set search(value: unknown) {
		const text = stripBreaks(`${value}`.toWellFormed());
		this.#record.query = text === "" ? null : encodeQuery(this.#record, text.replace(/^\?/, ""));
		this.#queryChanged();
	}

	get searchParams(): URLSearchParams {
		if (!this.#params) {
			this.#params = boundParams((text) => {
				this.#record.query = text === "" ? null : text;
			});
			this.#queryChanged();
		}
		return this.#params;
	}

	get hash(): string {
		return this.#record.fragment ? `#${this.#record.fragment}` : "";
	}
	set hash(value: unknown) {
		const text = stripBreaks(`${value}`.toWellFormed());
		this.#record.fragment = text === "" ? null : percentEncode(text.replace(/^#/, ""), encodeSets.fragment);
	}

	toString(): string {
		return this.href;
	}

	toJSON(): string {
		return this.href;
	}

	[Symbol.for("nodejs.util.inspect.custom")](
		depth: number,
		options: object,
		inspect: (value: unknown, options: object) => string,
	): unknown {
		if (depth < 0) return this;
		const { href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash } = this;
		const members = { href, origin, protocol, username, password, host, hostname, port, pathname, search, searchParams, hash };
		return `URL ${inspect(members, options)}`;
	}

	#canHaveAuthority(): boolean {
		return this.#record.host !== null && this.#record.host !== "" && this.#record.scheme !== "file";
	}

	/** What of a new host belongs to it. */
	#authorityPart(value: unknown): string {
		const text = stripBreaks(`${value}`.toWellFormed());
		const end = text.search(isSpecial(this.#record) ? /[/\\?#]/ : /[/?#]/);
		return end < 0 ? text : text.slice(0, end);
	}

	#setHostname(text: string): boolean {
		const record = this.#record;
		if (typeof record.path === "string") return false;
		if (text === "") {
			if (isSpecial(record) && record.scheme !== "file") return false;
			if (record.username !== "" || record.password !== "" || record.port !== null) return false;
			record.host = "";
			return true;
		}
		const host = parseHost(text, isSpecial(record));
		if (host === undefined) return false;
		record.host = record.scheme === "file" && host === "localhost" ? "" : host;
		return true;
	}

	#queryChanged(): void {
		if (this.#params) readParams(this.#params, this.#record.query ?? "");
	}
}

function resolve(input: unknown, base: unknown): UrlRecord | undefined {
	if (base === undefined) return parseUrl(`${input}`);
	const parsed = parseUrl(`${base}`);
	return parsed && parseUrl(`${input}`, parsed);
}
