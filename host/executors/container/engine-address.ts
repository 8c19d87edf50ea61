import { existsSync, readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { EngineError } from "./engine-error.ts";

/** How an engine is connected to. */
export type EngineEndpoint =
	| { readonly type: "unix"; readonly path: string }
	| { readonly type: "tcp"; readonly host: string; readonly port: number; readonly tls?: EngineTls };

/** Certificates of Docker's own conventions: `ca.pem`, `cert.pem` and `key.pem` in one directory. */
export interface EngineTls {
	readonly ca: Buffer;
	readonly cert: Buffer;
	readonly key: Buffer;
}

/** Addresses to try. `isNamed`: somebody has asked for this one, and no other will do. */
export interface EngineAddresses {
	readonly addresses: readonly string[];
	readonly isNamed: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where an engine may be: the setting, or the environment's, or the sockets that engines usually have and that exist here. */
export function engineAddresses(setting: string | undefined, environment: Environment = process.env): EngineAddresses {
	const named = setting ?? environment.CRONIUM_CONTAINER_ENGINE ?? environment.DOCKER_HOST;
	if (named !== undefined && named !== "") return { addresses: [named], isNamed: true };
	return {
		addresses: usualSockets(environment)
			.filter(existsSync)
			.map((path) => `unix://${path}`),
		isNamed: false,
	};
}

/** The sockets that engines usually have, Docker's first. */
export function usualSockets(environment: Environment = process.env): readonly string[] {
	const runtime = environment.XDG_RUNTIME_DIR;
	return [
		"/var/run/docker.sock",
		"/run/podman/podman.sock",
		...(runtime ? [join(runtime, "podman/podman.sock"), join(runtime, "docker.sock")] : []),
	];
}

/** Takes an address apart. Throws EngineError for one that is no address, or would send what runs are given over a network in clear. */
export function readEngineAddress(address: string, environment: Environment = process.env): EngineEndpoint {
	const path = /^unix:\/\/(\/.+)$/.exec(address)?.[1];
	if (path !== undefined) return { type: "unix", path };
	const [, bracketed, name, digits] = /^tcp:\/\/(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})\/?$/.exec(address) ?? [];
	const host = bracketed ?? name;
	const port = Number(digits);
	if (host === undefined || port < 1 || port > 65_535)
		throw new EngineError(
			"engine-unreachable",
			`${JSON.stringify(address)} is not the address of a container engine: unix:///path/of/socket or tcp://host:port.`,
		);
	const directory = environment.DOCKER_CERT_PATH;
	if (directory) return { type: "tcp", host, port, tls: readCertificates(directory) };
	if (isLoopback(host)) return { type: "tcp", host, port };
	throw new EngineError(
		"engine-unreachable",
		`${address} would be reached without TLS: whoever listens could take over the machine of the engine. Set DOCKER_CERT_PATH to a directory with ca.pem, cert.pem and key.pem.`,
	);
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));

function readCertificates(directory: string): EngineTls {
	const read = (name: string): Buffer => {
		try {
			return readFileSync(join(directory, name));
		} catch (cause) {
			throw new EngineError("engine-unreachable", `${name} of DOCKER_CERT_PATH (${directory}) cannot be read.`, { cause });
		}
	};
	return { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") };
}
