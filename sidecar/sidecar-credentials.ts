import { RuntimeError } from "../host/contract/errors.ts";
import type { ForwardingLimits } from "./forwarder.ts";

/** All that a sidecar process needs for its run: one JSON document, a secret from its first byte to its last. */
export interface SidecarCredentials {
	/** Of this form of the document. */
	readonly version: 1;
	readonly run: string;
	/** When the run is over at the latest, in milliseconds since the Unix epoch. */
	readonly deadlineAt: number;
	/** Where the host takes sidecar processes, `host:port`. */
	readonly address: string;
	/** Certificates of the authorities that are trusted (PEM). */
	readonly trusted: string;
	/** What the process shows to the host (PEM). */
	readonly sidecar: Pem;
	/** What its local door shows to the container. */
	readonly door: Pem;
	/** What the container gets. */
	readonly client: Pem & { readonly token: string };
	/** The limits of the run that its local door keeps. */
	readonly limits: SidecarLimits;
}

export interface Pem {
	readonly certificate: string;
	readonly key: string;
}

export interface SidecarLimits extends ForwardingLimits {
	readonly maxRunConnections: number;
	readonly maxRunHandshakesPerSecond: number;
}

/** The shape of the document: a text, a number, or an object with these members. */
const shape = {
	version: "number",
	run: "string",
	deadlineAt: "number",
	address: "string",
	trusted: "string",
	sidecar: { certificate: "string", key: "string" },
	door: { certificate: "string", key: "string" },
	client: { certificate: "string", key: "string", token: "string" },
	limits: { maxBodyBytes: "number", maxPendingBytes: "number", maxRunConnections: "number", maxRunHandshakesPerSecond: "number" },
} as const;

type Shape = { readonly [name: string]: "string" | "number" | Shape };

/** Reads the document. Throws `invalid`, naming the member that is wrong and never what is in it. */
export function readSidecarCredentials(text: string): SidecarCredentials {
	let document: unknown;
	try {
		document = JSON.parse(text);
	} catch {
		throw new RuntimeError("invalid", "The credentials are not JSON.");
	}
	requireShape(document, shape, "the credentials");
	const credentials = document as SidecarCredentials;
	if (credentials.version !== 1)
		throw new RuntimeError("unsupported", `The credentials have version ${credentials.version}; this program reads version 1.`);
	readAddress(credentials.address);
	return credentials;
}

/** Takes an address apart: `host:port`, `[ipv6]:port`. Throws `invalid`. */
export function readAddress(address: string): { readonly host: string; readonly port: number } {
	const [, host = "", port = ""] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(address) ?? [];
	if (host === "" || Number(port) > 65_535)
		throw new RuntimeError("invalid", "The address of the host must be HOST:PORT or [IPV6]:PORT.");
	return { host: host.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

function requireShape(value: unknown, wanted: Shape[string], name: string): void {
	if (typeof wanted === "string") {
		const isRight =
			wanted === "number" ? Number.isSafeInteger(value) && (value as number) >= 0 : typeof value === wanted && value !== "";
		if (isRight) return;
		throw new RuntimeError("invalid", `${name} must be a ${wanted === "number" ? "whole number" : "text"}.`);
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		throw new RuntimeError("invalid", `${name} must be an object.`);
	for (const [member, of] of Object.entries(wanted))
		requireShape((value as Record<string, unknown>)[member], of, name === "the credentials" ? member : `${name}.${member}`);
}
