import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { excerpt } from "../../contract/excerpt.ts";
import { fitsPattern } from "./name-pattern.ts";
import { describeHost, SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

/** By what one host is recognised, for one connection. */
export interface HostKeys {
	/** Kinds of keys to ask the host for, those that are known first: a host with several keys shows one of these. */
	readonly algorithms: readonly ServerHostKeyAlgorithm[];
	/** Why this key is refused; undefined when the host may have it. */
	refuse(key: Buffer): SshError | undefined;
}

/** As OpenSSH shows it: `SHA256:…`. */
export function fingerprintOf(key: Buffer): string {
	return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** `ssh-ed25519`: with it a key begins. */
export function keyTypeOf(key: Buffer): string {
	return key.length < 4 ? "" : key.toString("latin1", 4, 4 + Math.min(key.readUInt32BE(0), 64));
}

/** Without `ssh-rsa`, which signs with SHA-1, and `ssh-dss`. */
const allAlgorithms: readonly ServerHostKeyAlgorithm[] = [
	"ssh-ed25519",
	"ecdsa-sha2-nistp256",
	"ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521",
	"rsa-sha2-512",
	"rsa-sha2-256",
];

/** Accepts whatever the host shows: for the first connection, when the operator has said so. */
export const anyHostKey: HostKeys = { algorithms: allAlgorithms, refuse: () => undefined };

/** Reads what is known of the keys of a host. Throws SshError `host-key-refused` when nothing can be known. */
export function readHostKeys(host: SshHost): HostKeys {
	return host.hostKeys.kind === "fingerprints" ? pinned(host, host.hostKeys.fingerprints) : listed(host, host.hostKeys.file);
}

function pinned(host: SshHost, fingerprints: readonly string[]): HostKeys {
	return {
		algorithms: allAlgorithms,
		refuse: (key) =>
			fingerprints.includes(fingerprintOf(key)) ? undefined : changed(host, key, fingerprints.join(" or "), "hosts.toml"),
	};
}

function listed(host: SshHost, file: string): HostKeys {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (cause) {
		throw new SshError(
			"host-key-refused",
			`${describeHost(host)}: ${file}, by which its key is known, cannot be read: ${(cause as NodeJS.ErrnoException).code}.`,
			{ cause },
		);
	}
	const name = host.port === 22 ? host.address : `[${host.address}]:${host.port}`;
	const lines = readKnownHosts(text).filter(({ names }) => matches(names, name.toLowerCase()));
	const known = lines.filter(({ mark }) => mark === undefined);
	const knownTypes = new Set(known.map(({ key }) => keyTypeOf(key)));
	const isKnown = (algorithm: string): boolean => knownTypes.has(algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
	return {
		algorithms: [...allAlgorithms.filter(isKnown), ...allAlgorithms.filter((one) => !isKnown(one))],
		refuse(key) {
			const revoked = lines.find((line) => line.mark === "@revoked" && line.key.equals(key));
			if (revoked)
				return new SshError(
					"host-key-refused",
					`${describeHost(host)} shows the key ${fingerprintOf(key)}, which is revoked in line ${revoked.line} of ${file}.`,
				);
			if (known.some((line) => line.key.equals(key))) return undefined;
			if (known.length > 0)
				return changed(host, key, known.map((line) => `${fingerprintOf(line.key)} (line ${line.line})`).join(" or "), file);
			const authorities = lines.some(({ mark }) => mark === "@cert-authority");
			return new SshError(
				"host-key-refused",
				`${describeHost(host)} shows the key ${fingerprintOf(key)} (${excerpt(keyTypeOf(key))}), and ${file} knows none of ${name}${authorities ? " but that of an authority, whose certificates of hosts are not understood" : ""}. If \`ssh-keygen -l\` on the host shows the same: \`cronium hosts remove ${host.name}\`, and \`cronium hosts add ${host.name} … --fingerprint ${fingerprintOf(key)}\`.`,
			);
		},
	};
}

function changed(host: SshHost, key: Buffer, known: string, file: string): SshError {
	return new SshError(
		"host-key-refused",
		`${describeHost(host)} shows the key ${fingerprintOf(key)} (${excerpt(keyTypeOf(key))}); known is ${known}, from ${file}. Somebody may be in its place. If the host has new keys, and \`ssh-keygen -l\` on it shows this one: \`cronium hosts remove ${host.name}\`, and \`cronium hosts add ${host.name} … --fingerprint\` or \`--accept-new-host-key\`.`,
	);
}

interface KnownHost {
	/** `@revoked`, `@cert-authority`. */
	readonly mark: string | undefined;
	readonly names: string;
	readonly key: Buffer;
	/** In the file, from 1. */
	readonly line: number;
}

/** The lines of a file in the form of `~/.ssh/known_hosts`; those that are no such lines say nothing, as for ssh. */
function readKnownHosts(text: string): readonly KnownHost[] {
	return text.split("\n").flatMap((line, index) => {
		const [, mark, names, type, encoded] = /^\s*(?:(@\S+)\s+)?([^#@\s]\S*)\s+(\S+)\s+([A-Za-z0-9+/]+=*)(?:\s|$)/.exec(line) ?? [];
		if (names === undefined || encoded === undefined) return [];
		const key = Buffer.from(encoded, "base64");
		return keyTypeOf(key) === type ? [{ mark, names, key, line: index + 1 }] : [];
	});
}

/** Whether a line is about a host: patterns with commas between them, or one hashed name. */
function matches(names: string, name: string): boolean {
	const [, salt, hash] = /^\|1\|([A-Za-z0-9+/=]+)\|([A-Za-z0-9+/=]+)$/.exec(names) ?? [];
	if (salt !== undefined) return createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest("base64") === hash;
	const patterns = names.toLowerCase().split(",");
	const fits = (pattern: string): boolean => fitsPattern(name, pattern);
	return (
		patterns.some((one) => !one.startsWith("!") && fits(one)) &&
		!patterns.some((one) => one.startsWith("!") && fits(one.slice(1)))
	);
}
