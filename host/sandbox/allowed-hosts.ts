import { isIP } from "node:net";
import { RuntimeError } from "../contract/errors.ts";
import { type AddressRange, isInRange, parseAddressRange, privateKind } from "./addresses.ts";

/** The hosts that a run may reach, from the entries given to `--allow-host`. */
export interface AllowedHosts {
	/** Throws `denied` unless an entry names the host (and port) of the URL. Decides on the text alone: no name is looked up. */
	requireHost(url: URL): void;
	/** Throws `denied` unless a connection for a permitted host may go to this address. */
	requireAddress(hostname: string, address: string, port: number): void;
}

interface NameEntry {
	readonly name: string;
	/** `*.example.com`: every name below, not the name itself. */
	readonly isWildcard: boolean;
	readonly port: number | undefined;
}

interface RangeEntry {
	readonly range: AddressRange;
	readonly port: number | undefined;
}

/**
 * Reads entries such as `example.com`, `*.example.com`, `example.com:8443`, `10.0.0.0/8`, `127.0.0.1:8080` or `[::1]:8080`. Without a
 * port every port is meant. A name never grants a private address, whatever it resolves to; a range does. Throws `invalid` for an entry
 * that is none of these.
 */
export function parseAllowedHosts(entries: readonly string[]): AllowedHosts {
	const names: NameEntry[] = [];
	const ranges: RangeEntry[] = [];
	for (const entry of entries) {
		const { host, port } = splitPort(entry);
		const range = parseAddressRange(host);
		if (range) ranges.push({ range, port });
		else names.push(parseName(entry, host, port));
	}
	const isGrantedAddress = (address: string, port: number): boolean =>
		ranges.some((entry) => (entry.port ?? port) === port && isInRange(entry.range, address));
	return {
		requireHost(url) {
			const hostname = hostnameOf(url);
			const port = portOf(url);
			const isGranted =
				isIP(hostname) !== 0 ? isGrantedAddress(hostname, port) : names.some((entry) => isNamed(entry, hostname, port));
			if (isGranted) return;
			throw new RuntimeError(
				"denied",
				`fetch of ${url.host} is refused: the run was not given this host. --allow-host ${url.host} would allow it.`,
			);
		},
		requireAddress(hostname, address, port) {
			if (isGrantedAddress(address, port)) return;
			const kind = privateKind(address);
			if (kind === undefined) return;
			// The script reads this. Which addresses the network has inside is not for it to know.
			throw new RuntimeError(
				"denied",
				`fetch of ${hostname} is refused: it leads to a ${kind} address, which a name does not grant. ` +
					`--allow-host with that address and port ${port} beside the name would allow it.`,
			);
		},
	};
}

/** The host without brackets and without the dot that ends a fully qualified name. */
export function hostnameOf(url: URL): string {
	const { hostname } = url;
	return hostname.startsWith("[") ? hostname.slice(1, -1) : hostname.replace(/\.$/, "");
}

export function portOf(url: URL): number {
	if (url.port !== "") return Number(url.port);
	return url.protocol === "https:" ? 443 : 80;
}

function isNamed(entry: NameEntry, hostname: string, port: number): boolean {
	if ((entry.port ?? port) !== port) return false;
	return entry.isWildcard ? hostname.endsWith(`.${entry.name}`) : hostname === entry.name;
}

function splitPort(entry: string): { host: string; port: number | undefined } {
	const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(entry) ?? [];
	const host = bracketed ?? plain;
	// An IPv6 address without brackets has colons of its own and no port.
	if (host === undefined) return { host: entry, port: undefined };
	if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) throw malformed(entry);
	return { host, port: port === undefined ? undefined : Number(port) };
}

function parseName(entry: string, host: string, port: number | undefined): NameEntry {
	const isWildcard = host.startsWith("*.");
	const name = isWildcard ? host.slice(2) : host;
	if (!/^[^\s*:/?#@[\]\\%]+$/.test(name) || !URL.canParse(`http://${name}`)) throw malformed(entry);
	const { hostname } = new URL(`http://${name}`);
	// `0x7f.1` is an address in disguise; as an entry it is more likely a mistake.
	if (isIP(hostname) !== 0) throw malformed(entry);
	return { name: hostname.replace(/\.$/, ""), isWildcard, port };
}

function malformed(entry: string): RuntimeError {
	return new RuntimeError(
		"invalid",
		`${JSON.stringify(entry)} is not a host that can be allowed; examples are example.com, *.example.com, example.com:8443, 10.0.0.0/8 and 127.0.0.1:8080.`,
	);
}
