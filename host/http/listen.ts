import { chmodSync, lstatSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import { RuntimeError } from "../contract/errors.ts";

/** Where a server listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** A credential must not travel in clear where others can read it. Throws `invalid`. */
export function requirePrivate(address: Address, isSecure: boolean): void {
	if (isSecure || "path" in address || isLoopback(address.host)) return;
	throw new RuntimeError(
		"invalid",
		`${describeAddress(address)} is beyond loopback, where tokens would travel in clear; give a certificate and a key (--tls-cert, --tls-key) or names for one of the host's own (--tls-names), or listen on 127.0.0.1.`,
	);
}

export function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** `127.0.0.1:8780`, `[::1]:8780`, `unix:/run/cronium.sock`. */
export function describeAddress(address: Address): string {
	if ("path" in address) return `unix:${address.path}`;
	return `${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Listens, and returns what clients connect to. Throws `unavailable` when the address cannot be had. */
export async function listenOn(server: FastifyInstance, address: Address): Promise<string> {
	if ("path" in address) removeStaleSocket(address.path);
	try {
		const url = await server.listen(address);
		// Whoever can connect still needs a token; others of the machine need not even see the door.
		if ("path" in address) chmodSync(address.path, 0o600);
		return "path" in address ? `unix:${address.path}` : url;
	} catch (cause) {
		throw new RuntimeError(
			"unavailable",
			`${describeAddress(address)} cannot be listened on: ${(cause as NodeJS.ErrnoException).code ?? "unknown"}.`,
		);
	}
}

/** A process that died has left its socket; whoever serves the data directory holds the role, so it is nobody's. */
function removeStaleSocket(path: string): void {
	if (Buffer.byteLength(path) > 100)
		throw new RuntimeError("invalid", `The socket path ${path} has ${Buffer.byteLength(path)} bytes; the limit is 100.`);
	if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}
