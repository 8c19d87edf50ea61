import { encodeSets, percentEncode } from "./percent.ts";
import { parseHost } from "./url-host.ts";

// The parser of the URL Standard (https://url.spec.whatwg.org/#concept-basic-url-parser), part by part instead of state by state.

export interface UrlRecord {
	scheme: string;
	username: string;
	password: string;
	/** As it is written; null when there is none. */
	host: string | null;
	/** Null when there is none or it is the usual one of the scheme. */
	port: number | null;
	/** A text when the path is opaque, as in `mailto:someone`. */
	path: string | string[];
	query: string | null;
	fragment: string | null;
}

const defaultPorts: Record<string, number | null> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21, file: null };

export const isSpecial = (url: UrlRecord): boolean => Object.hasOwn(defaultPorts, url.scheme);

/** Parses `input`; undefined when it is not a URL, on its own or relative to `base`. */
export function parseUrl(input: string, base?: UrlRecord): UrlRecord | undefined {
	const text = stripBreaks(input.toWellFormed().replace(/^[\0-\x20]+|[\0-\x20]+$/g, ""));
	const scheme = /^[a-z][a-z\d+\-.]*(?=:)/i.exec(text)?.[0].toLowerCase();
	const url: UrlRecord = {
		scheme: scheme ?? base?.scheme ?? "",
		username: "",
		password: "",
		host: null,
		port: null,
		path: [],
		query: null,
		fragment: null,
	};
	if (scheme === undefined) return base && parseRelative(url, text, base);
	const rest = text.slice(scheme.length + 1);
	if (scheme === "file") return parseFile(url, rest, base?.scheme === "file" ? base : undefined);
	if (isSpecial(url)) {
		if (base?.scheme === scheme && !/^[/\\]{2}/.test(rest) && !rest.startsWith("//")) return parseRelative(url, rest, base);
		return parseAuthority(url, rest.replace(/^[/\\]*/, ""));
	}
	if (rest.startsWith("//")) return parseAuthority(url, rest.slice(2));
	if (rest.startsWith("/")) return parseTail(url, rest);
	return parseOpaque(url, rest);
}

/** Removes tabs and line breaks, which are ignored anywhere in a URL. */
export const stripBreaks = (text: string): string => text.replace(/[\t\n\r]/g, "");

function parseRelative(url: UrlRecord, text: string, base: UrlRecord): UrlRecord | undefined {
	url.scheme = base.scheme;
	if (typeof base.path === "string") {
		if (!text.startsWith("#")) return undefined;
		url.path = base.path;
		url.query = base.query;
		url.fragment = percentEncode(text.slice(1), encodeSets.fragment);
		return url;
	}
	if (base.scheme === "file") return parseFile(url, text, base);
	const slash = isSpecial(url) ? /^[/\\]/ : /^\//;
	if (slash.test(text)) {
		if (slash.test(text.slice(1))) {
			return parseAuthority(url, isSpecial(url) ? text.replace(/^[/\\]*/, "") : text.slice(2));
		}
		copyAuthority(url, base);
		return parseTail(url, text);
	}
	copyAuthority(url, base);
	return parseFromBase(url, text, base);
}

function copyAuthority(url: UrlRecord, base: UrlRecord): void {
	url.username = base.username;
	url.password = base.password;
	url.host = base.host;
	url.port = base.port;
}

/** What does not begin with a slash goes on from the path of the base. */
function parseFromBase(url: UrlRecord, text: string, base: UrlRecord): UrlRecord {
	url.path = [...(base.path as string[])];
	if (text === "" || text.startsWith("#")) {
		url.query = base.query;
		setFragment(url, text);
		return url;
	}
	if (text.startsWith("?")) {
		setQueryAndFragment(url, text);
		return url;
	}
	shorten(url);
	return parseTail(url, text, true);
}

function parseFile(url: UrlRecord, text: string, base: UrlRecord | undefined): UrlRecord | undefined {
	url.host = "";
	if (/^[/\\]{2}/.test(text)) {
		const end = text.slice(2).search(/[/\\?#]/);
		const name = end < 0 ? text.slice(2) : text.slice(2, 2 + end);
		// `file://c:/x` means the drive, not a host of that name.
		if (isDriveLetter(name)) return parseTail(url, `/${text.slice(2)}`);
		if (name !== "") {
			const host = parseHost(name, true);
			if (host === undefined) return undefined;
			url.host = host === "localhost" ? "" : host;
		}
		return parseTail(url, end < 0 ? "" : text.slice(2 + end));
	}
	if (/^[/\\]/.test(text)) {
		if (base) {
			url.host = base.host;
			const [drive] = base.path as string[];
			if (!startsWithDriveLetter(text.slice(1)) && drive !== undefined && /^[a-z]:$/i.test(drive)) url.path = [drive];
		}
		return parseTail(url, text, true);
	}
	if (!base) return parseTail(url, text, true);
	url.host = base.host;
	if (startsWithDriveLetter(text)) return parseTail(url, text);
	return parseFromBase(url, text, base);
}

function parseOpaque(url: UrlRecord, text: string): UrlRecord {
	const end = text.search(/[?#]/);
	const path = end < 0 ? text : text.slice(0, end);
	// A trailing space would be lost when what follows is taken away.
	const encoded = percentEncode(path, encodeSets.control);
	url.path = end < 0 ? encoded : encoded.replace(/ $/, "%20");
	setQueryAndFragment(url, end < 0 ? "" : text.slice(end));
	return url;
}

function parseAuthority(url: UrlRecord, text: string): UrlRecord | undefined {
	const end = text.search(isSpecial(url) ? /[/\\?#]/ : /[/?#]/);
	const authority = end < 0 ? text : text.slice(0, end);
	const at = authority.lastIndexOf("@");
	if (at >= 0) {
		const colon = authority.indexOf(":");
		const separator = colon < 0 || colon > at ? at : colon;
		url.username = percentEncode(authority.slice(0, separator), encodeSets.userinfo);
		url.password = percentEncode(authority.slice(separator + 1, at), encodeSets.userinfo);
		if (separator === at) url.password = "";
	}
	const hostAndPort = authority.slice(at + 1);
	if (at >= 0 && hostAndPort === "") return undefined;
	if (!setHostAndPort(url, hostAndPort)) return undefined;
	return parseTail(url, end < 0 ? "" : text.slice(end));
}

function setHostAndPort(url: UrlRecord, text: string): boolean {
	const colon = portColon(text);
	const name = colon < 0 ? text : text.slice(0, colon);
	if (name === "" && (isSpecial(url) || colon >= 0)) return false;
	const host = name === "" ? "" : parseHost(name, isSpecial(url));
	if (host === undefined) return false;
	const port = colon < 0 ? null : parsePort(url, text.slice(colon + 1));
	if (port === undefined) return false;
	url.host = host;
	url.port = port;
	return true;
}

/** Where the colon before the port is; those of an IPv6 address are in brackets. */
export function portColon(text: string): number {
	let isInBrackets = false;
	for (let index = 0; index < text.length; index++) {
		if (text[index] === "[") isInBrackets = true;
		else if (text[index] === "]") isInBrackets = false;
		else if (text[index] === ":" && !isInBrackets) return index;
	}
	return -1;
}

/** Null stands for the usual port, undefined for none that there can be. */
export function parsePort(url: UrlRecord, text: string): number | null | undefined {
	if (text === "") return null;
	if (!/^\d+$/.test(text)) return undefined;
	const port = Number(text);
	if (port > 65_535) return undefined;
	return defaultPorts[url.scheme] === port ? null : port;
}

/** Parses path, query and fragment; `goesOn` keeps the segments that the path has already. */
function parseTail(url: UrlRecord, text: string, goesOn = false): UrlRecord {
	const end = text.search(/[?#]/);
	const path = end < 0 ? text : text.slice(0, end);
	if (!goesOn) url.path = [];
	appendPath(url, path);
	setQueryAndFragment(url, end < 0 ? "" : text.slice(end));
	return url;
}

/** Adds the segments of a path, following `.` and `..`. */
export function appendPath(url: UrlRecord, text: string): void {
	const special = isSpecial(url);
	const path = url.path as string[];
	if (text === "" && !special) return;
	const hasLead = special ? /^[/\\]/.test(text) : text.startsWith("/");
	const segments = (hasLead ? text.slice(1) : text).split(special ? /[/\\]/ : "/");
	for (const [index, segment] of segments.entries()) {
		const isLast = index === segments.length - 1;
		const dots = segment.replace(/%2e/gi, ".");
		if (dots === "..") {
			shorten(url);
			if (isLast) path.push("");
		} else if (dots === ".") {
			if (isLast) path.push("");
		} else {
			const encoded = percentEncode(segment, encodeSets.path);
			const isDrive = url.scheme === "file" && path.length === 0 && isDriveLetter(segment);
			path.push(isDrive ? `${segment[0]}:` : encoded);
		}
	}
}

function shorten(url: UrlRecord): void {
	const path = url.path as string[];
	if (url.scheme === "file" && path.length === 1 && /^[a-z]:$/i.test(path[0] as string)) return;
	path.pop();
}

const isDriveLetter = (text: string): boolean => /^[a-z][:|]$/i.test(text);
const startsWithDriveLetter = (text: string): boolean => /^[a-z][:|](?:[/\\?#]|$)/i.test(text);

function setQueryAndFragment(url: UrlRecord, text: string): void {
	const hash = text.indexOf("#");
	const query = hash < 0 ? text : text.slice(0, hash);
	if (query.startsWith("?")) url.query = encodeQuery(url, query.slice(1));
	if (hash >= 0) setFragment(url, text.slice(hash));
}

function setFragment(url: UrlRecord, text: string): void {
	if (text.startsWith("#")) url.fragment = percentEncode(text.slice(1), encodeSets.fragment);
}

export const encodeQuery = (url: UrlRecord, text: string): string =>
	percentEncode(text, isSpecial(url) ? encodeSets.specialQuery : encodeSets.query);

/** The path as it is written. */
export const writePath = (url: UrlRecord): string =>
	typeof url.path === "string" ? url.path : url.path.map((segment) => `/${segment}`).join("");

export const writeHost = (url: UrlRecord): string => (url.host ?? "") + (url.port === null ? "" : `:${url.port}`);

/** The whole URL. */
export function writeUrl(url: UrlRecord): string {
	let text = `${url.scheme}:`;
	if (url.host !== null) {
		text += "//";
		if (url.username !== "" || url.password !== "") text += `${url.username}${url.password === "" ? "" : `:${url.password}`}@`;
		text += writeHost(url);
	} else if (typeof url.path !== "string" && url.path.length > 1 && url.path[0] === "") text += "/.";
	text += writePath(url);
	if (url.query !== null) text += `?${url.query}`;
	return url.fragment === null ? text : `${text}#${url.fragment}`;
}
