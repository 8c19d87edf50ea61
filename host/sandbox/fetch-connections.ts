import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { Agent, buildConnector } from "undici";
import { RuntimeError } from "../contract/errors.ts";
import { isInRange, parseAddressRange, privateKind } from "./addresses.ts";
import type { AllowedHosts } from "./allowed-hosts.ts";
import { type Place, Sockets } from "./fetch-sockets.ts";

/** Resolves a name to all of its addresses. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

interface ConnectionOptions {
	readonly allowed: AllowedHosts;
	readonly forbiddenPorts?: readonly number[];
	readonly lookup?: Lookup;
	readonly certificates?: string;
}

/** The connections of one run, shared with nobody. */
export interface Connections {
	readonly agent: Agent;
	/** To hold while something is asked of the origin: its sockets are kept as long. */
	use(origin: string): Disposable;
	close(): Promise<void>;
}

const connectTimeoutMs = 10_000;
/** What the server would like (`Keep-Alive: timeout=600`) does not count. */
const keepAliveMs = 1_000;
/** Twice as many as can be in use at one time. */
const maxSockets = 12;

/**
 * Opens connections only to addresses that were checked: a name is resolved once for each connection, all of its addresses are checked,
 * and the socket goes to one of exactly these. So an answer of the name server that changes between check and use is of no use to anyone.
 */
export function openConnections({ allowed, forbiddenPorts = [], lookup = lookUp, certificates }: ConnectionOptions): Connections {
	const connect = buildConnector({
		allowH2: false,
		timeout: connectTimeoutMs,
		// The variable NODE_TLS_REJECT_UNAUTHORIZED has no say here.
		rejectUnauthorized: true,
		...(certificates !== undefined && { ca: certificates }),
	});

	const sockets = new Sockets(maxSockets);

	const addressesOf = async (hostname: string, port: number): Promise<readonly string[]> => {
		const addresses = isIP(hostname) === 0 ? await lookup(hostname) : [hostname];
		for (const address of addresses) {
			if (forbiddenPorts.includes(port) && isOfThisMachine(address))
				throw new RuntimeError("denied", `fetch of ${hostname}:${port} is refused: it is a port of the runtime itself.`);
			allowed.requireAddress(hostname, address, port);
		}
		return addresses;
	};

	const agent = new Agent({
		allowH2: false,
		// Bounded by the run's signal; an answer may take as long as the run.
		headersTimeout: 0,
		bodyTimeout: 0,
		connections: 6,
		pipelining: 1,
		keepAliveTimeout: keepAliveMs,
		keepAliveMaxTimeout: keepAliveMs,
		connect(options, callback) {
			const hostname = options.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
			const isTls = options.protocol === "https:";
			const port = Number(options.port) || (isTls ? 443 : 80);
			const attempt = (place: Place, addresses: readonly string[], index: number): void => {
				const address = addresses[index] as string;
				const { servername: _, ...rest } = options;
				const name = isTls && isIP(hostname) === 0 ? { servername: hostname } : {};
				const to = { ...rest, ...name, hostname: address, port: String(port) } as buildConnector.Options;
				// The types do not say that the socket is handed back at once.
				const socket: unknown = connect(to, (...result) => {
					if (result[0] === null) place.connected(result[1]);
					else if (index + 1 < addresses.length && !place.isAbandoned) return attempt(place, addresses, index + 1);
					else place.release();
					callback(...result);
				});
				place.connecting(socket as Socket);
			};
			const open = async (): Promise<void> => {
				const addresses = await addressesOf(hostname, port);
				if (addresses.length === 0) throw new RuntimeError("unavailable", `${hostname} has no address.`);
				attempt(await sockets.take(`${options.protocol}//${options.host}`), addresses, 0);
			};
			open().catch((error: Error) => callback(error, null));
		},
	});
	return {
		agent,
		use: (origin) => sockets.use(origin),
		close: async () => {
			await agent.destroy();
			sockets.close();
		},
	};
}

async function lookUp(hostname: string): Promise<readonly string[]> {
	const found = await systemLookup(hostname, { all: true });
	return found.map(({ address }) => address);
}

function isOfThisMachine(address: string): boolean {
	const kind = privateKind(address);
	if (kind === "loopback" || kind === "unspecified") return true;
	return Object.values(networkInterfaces()).some((ones) =>
		ones?.some((one) => {
			const range = parseAddressRange(one.address);
			return range !== undefined && isInRange(range, address);
		}),
	);
}
