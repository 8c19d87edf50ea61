import { readFileSync } from "node:fs";
import { RuntimeError } from "./errors.ts";

/** Explicit settings of a client; what is not given comes from the environment. */
export interface ClientOptions {
	/** The runtime API, `https://host:port`. */
	readonly url?: string;
	/** The Unix socket of a sidecar, an agent or a tunnel. */
	readonly socket?: string;
	readonly token?: string;
	/** A file with the token; it is read again when the token is refused. */
	readonly tokenFile?: string;
	/** Files with the issuer of the server's certificate, and the client's own certificate and key (PEM). */
	readonly caCert?: string;
	readonly clientCert?: string;
	readonly clientKey?: string;
	/** Longest time for one answer, in milliseconds; 30,000 when not given. */
	readonly timeoutMs?: number;
}

/** How the server is reached. */
export interface Connection {
	readonly secure: boolean;
	readonly socketPath: string | undefined;
	readonly hostname: string;
	readonly port: number | undefined;
	/** Before every path; empty or without a slash at its end. */
	readonly basePath: string;
	readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
	readonly token: string | undefined;
	/** Its name is that of the setting, for messages. */
	readonly tokenFile: { readonly path: string; readonly name: string } | undefined;
	readonly timeoutMs: number;
}

const names = {
	url: "CRONIUM_API_URL",
	socket: "CRONIUM_SOCKET",
	token: "CRONIUM_EXECUTION_TOKEN",
	tokenFile: "CRONIUM_EXECUTION_TOKEN_FILE",
	caCert: "CRONIUM_CA_CERT",
	clientCert: "CRONIUM_CLIENT_CERT",
	clientKey: "CRONIUM_CLIENT_KEY",
} as const;

type Setting = keyof typeof names;
type Given = { readonly [Name in Setting]?: string };

/**
 * How to reach the runtime: explicit options, else a socket, else a URL, else nothing (undefined: the stub). Throws `invalid`, naming all that is
 * missing, when only a part of a group is there.
 */
export function resolveConnection(options: ClientOptions, environment: NodeJS.ProcessEnv): Connection | undefined {
	const { timeoutMs = 30_000 } = options;
	const explicit = pick((name) => options[name]);
	const label = (name: Setting): string => (Object.keys(explicit).length > 0 ? name : names[name]);
	const given = Object.keys(explicit).length > 0 ? explicit : pick((name) => environment[names[name]]);
	if (Object.keys(given).length === 0) return undefined;
	const missing = findMissing(given).map((alternatives) => alternatives.map(label).join(" or "));
	if (missing.length > 0) {
		const present = (Object.keys(given) as Setting[]).map(label).join(", ");
		const verb = missing.length > 1 ? "are" : "is";
		throw new RuntimeError("invalid", `${missing.join(", and ")} ${verb} missing; there is ${present}.`);
	}
	const token = given.token === undefined ? undefined : readToken(given.token, label("token"));
	const tokenFile = given.tokenFile === undefined ? undefined : { path: given.tokenFile, name: label("tokenFile") };
	const common = { token, tokenFile: token === undefined ? tokenFile : undefined, timeoutMs };
	if (given.socket !== undefined) {
		const isSecure = given.caCert !== undefined;
		return {
			...common,
			secure: isSecure,
			socketPath: given.socket,
			hostname: "localhost",
			port: undefined,
			basePath: "",
			tls: isSecure ? readTls(given, label) : undefined,
		};
	}
	const url = readUrl(given.url as string, label("url"));
	return {
		...common,
		secure: url.protocol === "https:",
		socketPath: undefined,
		hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
		port: url.port === "" ? undefined : Number(url.port),
		basePath: url.pathname.replace(/\/+$/, ""),
		tls: url.protocol === "https:" ? readTls(given, label) : undefined,
	};
}

/**
 * What has to be there and is not, as lists of alternatives. TLS on a socket is with certificates of both sides, since no public issuer vouches for
 * a socket; a URL may do without.
 */
function findMissing(given: Given): readonly (readonly Setting[])[] {
	const certificates: readonly Setting[] =
		given.socket === undefined ? ["clientCert", "clientKey"] : ["caCert", "clientCert", "clientKey"];
	const isHere = (name: Setting): boolean => given[name] !== undefined;
	const wanted: readonly (readonly Setting[])[] = [
		["url", "socket"],
		["token", "tokenFile"],
		...(certificates.some(isHere) ? certificates.map((name) => [name]) : []),
	];
	return wanted.filter((alternatives) => !alternatives.some(isHere));
}

/** What is there; an empty text is not. */
function pick(find: (name: Setting) => string | undefined): Given {
	const found: { -readonly [Name in Setting]?: string } = {};
	for (const name of Object.keys(names) as Setting[]) {
		const value = find(name);
		if (value !== undefined && value !== "") found[name] = value;
	}
	return found;
}

/** A token in clear goes no further than this machine. */
function readUrl(text: string, name: string): URL {
	let url: URL | undefined;
	try {
		url = new URL(text);
	} catch {
		// Said below.
	}
	if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "" || url.hash !== "")
		throw new RuntimeError("invalid", `${name} must be the URL of a server, such as https://cronium.example:8443.`);
	if (url.protocol === "http:" && !/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
		throw new RuntimeError("invalid", `${name} is http: beyond this machine, where the token would travel in clear; use https:.`);
	return url;
}

function readTls({ caCert, clientCert, clientKey }: Given, label: (name: Setting) => string): NonNullable<Connection["tls"]> {
	return {
		...(caCert !== undefined && { ca: readFile(caCert, label("caCert")) }),
		...(clientCert !== undefined && { cert: readFile(clientCert, label("clientCert")) }),
		...(clientKey !== undefined && { key: readFile(clientKey, label("clientKey")) }),
	};
}

/** A token without the white space around it. Throws `invalid` for what is none, and does not quote it: it may be one with a character too much. */
export function readToken(text: string, name: string): string {
	const token = /^[ \t-\r]*([\w.~+/=-]+)[ \t-\r]*$/.exec(text)?.[1];
	if (token === undefined)
		throw new RuntimeError("invalid", `${name} has no token: a token is of A-Z, a-z, 0-9 and ._~+/=- only.`);
	return token;
}

/** The text of a file that a setting names. */
export function readFile(file: string, name: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (cause) {
		throw new RuntimeError("invalid", `${name}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
	}
}
