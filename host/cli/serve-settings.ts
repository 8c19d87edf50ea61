import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { type LimitName, limitDefinitions } from "../contract/limits.ts";
import type { ContainerSettings } from "../executors/container/opened-engine.ts";
import type { Address } from "../http/listen.ts";
import type { ServeOptions } from "../serve.ts";
import { type CommandLine, type CommandOption, UsageError } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { readDuration, readLimit } from "./quantity.ts";

/** A setting of `cronium serve`: `--control-listen`, `CRONIUM_CONTROL_LISTEN`, and `control-listen` in the configuration file are one. */
interface Setting {
	readonly name: string;
	readonly value: string;
	readonly description: string;
}

const settings = [
	{
		name: "listen",
		value: "ADDRESS",
		description: "Where scripts reach the runtime API: HOST:PORT, or unix:PATH. 127.0.0.1:8780 when not given.",
	},
	{
		name: "control-listen",
		value: "ADDRESS",
		description: "Where orchestrators reach the control API. 127.0.0.1:8781 when not given.",
	},
	{
		name: "sidecar-listen",
		value: "ADDRESS",
		description: "Where sidecar processes come in: HOST:PORT, always with mutual TLS of the host's own. Nowhere when not given.",
	},
	{
		name: "sidecar-address",
		value: "ADDRESS",
		description: "Where they reach it, HOST:PORT; the address of --sidecar-listen when not given.",
	},
	{
		name: "agent-listen",
		value: "ADDRESS",
		description: "Where agents of SSH hosts come in: HOST:PORT, always with TLS of the host's own. Nowhere when not given.",
	},
	{
		name: "agent-address",
		value: "ADDRESS",
		description: "Where they reach it, HOST:PORT; the address of --agent-listen when not given.",
	},
	{ name: "tls-cert", value: "FILE", description: "Certificates of both servers (PEM). Needed for addresses beyond loopback." },
	{ name: "tls-key", value: "FILE", description: "Their private key (PEM)." },
	{
		name: "tls-client-ca",
		value: "FILE",
		description: "Issuers of client certificates (PEM): clients have to show one, and tokens can be bound to it.",
	},
	{
		name: "tls-names",
		value: "NAMES",
		description:
			"In place of --tls-cert: names and addresses by which clients reach both servers, with commas between them. Their certificate is one of the host's own authority, which SSH hosts are told of.",
	},
	{
		name: "url",
		value: "URL",
		description:
			"By which URL (https:) scripts on SSH hosts reach the runtime API; the address of --listen, when that is one for other machines, when not given.",
	},
	{
		name: "operator-token-file",
		value: "FILE",
		description: "The operator's credential; keys/operator.token of the data directory, made at the first start, when not given.",
	},
	{ name: "engine", value: "NAME", description: "The engine of runs that do not name one: quickjs-wasi or quickjs-emscripten." },
	{
		name: "guests",
		value: "WHERE",
		description: "Where scripts run: process (child processes without rights; the default) or threads.",
	},
	{
		name: "container-engine",
		value: "ADDRESS",
		description: "The container engine: unix:///PATH or tcp://HOST:PORT. DOCKER_HOST or a usual socket when not given.",
	},
	{
		name: "container-images",
		value: "REFERENCES",
		description: "Images that runs may name beside those of their languages, with commas between them.",
	},
	{
		name: "container-allow",
		value: "GUARANTEES",
		description: "Guarantees of cronium doctor that the engine need not keep, with commas between them.",
	},
	{
		name: "container-listen",
		value: "HOST:PORT",
		description: "Where containers reach their helpers when no socket can be mounted into them. They get a network then.",
	},
	{
		name: "container-host",
		value: "NAME",
		description: "By which name they reach it; the host of --container-listen when not given.",
	},
	{ name: "container-network", value: "NAME", description: "The network that they get; bridge when not given." },
	{ name: "drain", value: "DURATION", description: "How long what is under way may take to finish after SIGTERM. 30s." },
] as const satisfies readonly Setting[];

type SettingName = (typeof settings)[number]["name"];

/** The options of the command line. */
export const serveOptions: readonly CommandOption[] = [
	{ name: "config", value: "FILE", description: "A TOML file with any of these options by name, and a table [limits]." },
	{ name: "data", value: "DIR", description: "The data directory; CRONIUM_DATA, or the user's own, when not given." },
	...settings,
	{
		name: "limit",
		value: "NAME=VALUE",
		repeats: true,
		description: "A limit of the host, or the default of its runs; see cronium limits.",
	},
];

/**
 * What to serve: the configuration file, then the environment (`CRONIUM_` and the option's name), then the command line; the later ones win.
 * Throws UsageError naming the option, variable or member that is wrong.
 */
export function readServeSettings(line: CommandLine, environment: NodeJS.ProcessEnv): ServeOptions {
	const file = line.value("config") ?? nonEmpty(environment.CRONIUM_CONFIG);
	const config = file === undefined ? { texts: new Map<string, string>(), limits: {} } : readConfiguration(file);
	const find = (name: SettingName | "data"): { readonly from: string; readonly text: string } | undefined => {
		const variable = `CRONIUM_${name.toUpperCase().replaceAll("-", "_")}`;
		const flag = line.value(name);
		if (flag !== undefined) return { from: `--${name}`, text: flag };
		const fromEnvironment = nonEmpty(environment[variable]);
		if (fromEnvironment !== undefined) return { from: variable, text: fromEnvironment };
		const text = config.texts.get(name);
		return text === undefined ? undefined : { from: `${name} in ${file}`, text };
	};
	const read = <T>(name: SettingName, reader: (from: string, text: string) => T): T | undefined => {
		const found = find(name);
		return found && reader(found.from, found.text);
	};
	const certificate = read("tls-cert", readPem);
	const key = read("tls-key", readPem);
	const clientIssuers = read("tls-client-ca", readPem);
	if ((certificate === undefined) !== (key === undefined))
		throw new UsageError(
			`${certificate === undefined ? "--tls-cert" : "--tls-key"} is missing: certificate and key belong together.`,
		);
	if (clientIssuers !== undefined && certificate === undefined)
		throw new UsageError("--tls-client-ca needs --tls-cert and --tls-key.");
	const tlsNames = read("tls-names", readNames);
	if (tlsNames && certificate !== undefined)
		throw new UsageError("--tls-names and --tls-cert cannot both be given: the servers show one certificate.");
	const scriptUrl = read("url", readScriptUrl);
	const sidecar = readDoor(read, "sidecar");
	const agent = readDoor(read, "agent");
	const operatorTokenFile = read("operator-token-file", (_from, text) => resolve(text));
	const engine = read("engine", (from, text) => oneOf(from, text, ["quickjs-wasi", "quickjs-emscripten"] as const));
	return {
		dataDirectory: resolveDataDirectory(find("data")?.text, {}),
		listen: read("listen", readAddress) ?? { host: "127.0.0.1", port: 8_780 },
		controlListen: read("control-listen", readAddress) ?? { host: "127.0.0.1", port: 8_781 },
		...(certificate !== undefined &&
			key !== undefined && { tls: { certificate, key, ...(clientIssuers !== undefined && { clientIssuers }) } }),
		...(tlsNames && { tlsNames }),
		...(scriptUrl !== undefined && { scriptUrl }),
		...(sidecar.listen && { sidecarListen: sidecar.listen }),
		...(sidecar.address !== undefined && { sidecarAddress: sidecar.address }),
		...(agent.listen && { agentListen: agent.listen }),
		...(agent.address !== undefined && { agentAddress: agent.address }),
		...(operatorTokenFile !== undefined && { operatorTokenFile }),
		...(engine !== undefined && { engine }),
		guests: read("guests", (from, text) => oneOf(from, text, ["process", "threads"] as const)) ?? "process",
		drainMs: read("drain", readDuration) ?? 30_000,
		containers: readContainers(read),
		limits: { ...config.limits, ...environmentLimits(environment), ...lineLimits(line) },
	};
}

type Read = <T>(name: SettingName, reader: (from: string, text: string) => T) => T | undefined;

/** Where sidecar processes or agents come in, and where they reach it. */
function readDoor(read: Read, name: "sidecar" | "agent") {
	const listen = read(`${name}-listen`, readHostAndPort);
	const address = read(`${name}-address`, (from, text) => {
		readHostAndPort(from, text);
		return text;
	});
	if (address !== undefined && !listen) throw new UsageError(`--${name}-address needs --${name}-listen.`);
	if (listen && address === undefined && ["0.0.0.0", "::"].includes(listen.host))
		throw new UsageError(
			`--${name}-listen is on every address of this machine; --${name}-address has to say which one ${name === "agent" ? "agents" : "processes"} connect to.`,
		);
	return { listen, address };
}

function readContainers(read: Read): ContainerSettings {
	const engine = read("container-engine", (_from, text) => text);
	const listen = read("container-listen", (from, text) => {
		const address = readAddress(from, text);
		if ("path" in address) throw new UsageError(`${from} is ${JSON.stringify(text)}; it must be HOST:PORT.`);
		return address;
	});
	const name = read("container-host", (_from, text) => text);
	const network = read("container-network", (_from, text) => text);
	if (!listen && (name !== undefined || network !== undefined))
		throw new UsageError(`--container-${name === undefined ? "network" : "host"} needs --container-listen.`);
	return {
		...(engine !== undefined && { engine }),
		images: read("container-images", readList) ?? [],
		allowMissing: read("container-allow", readList) ?? [],
		...(listen && { tcp: { ...listen, name: name ?? listen.host, network: network ?? "bridge" } }),
	};
}

const readList = (_from: string, text: string): readonly string[] =>
	text
		.split(",")
		.map((one) => one.trim())
		.filter(Boolean);

function readConfiguration(file: string): { readonly texts: ReadonlyMap<string, string>; readonly limits: LimitValues } {
	let members: Record<string, unknown>;
	try {
		members = parse(readText("--config", file));
	} catch (cause) {
		if (!(cause instanceof TomlError)) throw cause;
		throw new UsageError(`${file} is not TOML: ${cause.message.split("\n", 1)[0]} (line ${cause.line}, column ${cause.column}).`);
	}
	const { limits = {}, ...rest } = members;
	const known = new Set<string>(["data", ...settings.map(({ name }) => name)]);
	const texts = new Map<string, string>();
	for (const [name, value] of Object.entries(rest)) {
		if (!known.has(name))
			throw new UsageError(`${file} has ${JSON.stringify(name)}; it may have ${[...known, "[limits]"].join(", ")}.`);
		if (typeof value !== "string") throw new UsageError(`${name} in ${file} must be a text.`);
		texts.set(name, value);
	}
	if (typeof limits !== "object" || limits === null || Array.isArray(limits))
		throw new UsageError(`limits in ${file} must be a table.`);
	return { texts, limits: readLimits(`limits in ${file}`, Object.entries(limits)) };
}

type LimitValues = Partial<Record<LimitName, number>>;

/** `CRONIUM_LIMITS=maxWorkers=4,maxWallTimeMs=2m`. */
function environmentLimits({ CRONIUM_LIMITS: text = "" }: NodeJS.ProcessEnv): LimitValues {
	return readLimits("CRONIUM_LIMITS", text.split(",").filter(Boolean).map(splitLimit("CRONIUM_LIMITS")));
}

function lineLimits(line: CommandLine): LimitValues {
	return readLimits("--limit", line.values("limit").map(splitLimit("--limit")));
}

const splitLimit =
	(from: string) =>
	(text: string): [string, string] => {
		const [, name = "", value = ""] = /^\s*([^=]+)=(.*?)\s*$/s.exec(text) ?? [];
		if (name === "") throw new UsageError(`${from} has ${JSON.stringify(text)}; it must be NAME=VALUE.`);
		return [name, value];
	};

function readLimits(from: string, given: readonly (readonly [string, unknown])[]): LimitValues {
	const limits: LimitValues = {};
	for (const [name, value] of given) {
		if (!Object.hasOwn(limitDefinitions, name))
			throw new UsageError(`${from}: there is no limit named ${JSON.stringify(name)}; see cronium limits.`);
		if (typeof value !== "string" && typeof value !== "number")
			throw new UsageError(`${from}: ${name} must be a number or a text.`);
		limits[name as LimitName] = readLimit(`${from}: ${name}`, name as LimitName, String(value));
	}
	return limits;
}

function readAddress(from: string, text: string): Address {
	if (text.startsWith("unix:") && text.length > 5) return { path: resolve(text.slice(5)) };
	const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text) ?? [];
	if (host === undefined || Number(port) > 65_535)
		throw new UsageError(`${from} is ${JSON.stringify(text)}; it must be HOST:PORT, [IPV6]:PORT or unix:PATH.`);
	return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

function readHostAndPort(from: string, text: string): Exclude<Address, { readonly path: string }> {
	const address = readAddress(from, text);
	if (!("path" in address)) return address;
	throw new UsageError(`${from} is ${JSON.stringify(text)}; it must be HOST:PORT or [IPV6]:PORT.`);
}

/** Names that a certificate can have. */
function readNames(from: string, text: string): readonly string[] {
	const names = readList(from, text);
	const wrong = names.find((name) => isIP(name) === 0 && !/^(?!.*\.\.)[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(name));
	if (names.length === 0 || wrong !== undefined)
		throw new UsageError(
			`${from} is ${JSON.stringify(wrong ?? text)}; it must be names of hosts or IP addresses, with commas between them.`,
		);
	return names;
}

/** Tokens go to whoever answers there, so that it has to be https, on whatever machine. */
function readScriptUrl(from: string, text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url?.protocol !== "https:" || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
		throw new UsageError(
			`${from} is ${JSON.stringify(text)}; it must be https://HOST, with a port and a path where it has them.`,
		);
	return url.href.replace(/\/$/, "");
}

const readPem = (from: string, file: string): string => readText(from, file);

/** The text of a file. What is in it stays out of messages: it may be a key. */
function readText(from: string, file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (cause) {
		throw new UsageError(`${from}: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`);
	}
}

function oneOf<const T extends readonly string[]>(from: string, text: string, cases: T): T[number] {
	const found = cases.find((one) => one === text);
	if (found === undefined) throw new UsageError(`${from} is ${JSON.stringify(text)}; it must be ${cases.join(" or ")}.`);
	return found;
}

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
