import type { Scope } from "../../contract/generated/types.ts";
import type { LimitName } from "../../contract/limits.ts";

/** How scripts on a host reach their helpers: by the URL of the bridge, by a socket that the SSH connection carries, or by the agent of the host. */
export const reaches = ["url", "tunnel", "agent"] as const;
export type Reach = (typeof reaches)[number];

/** A host that scripts run on, as `hosts.toml` has it, checked and complete. */
export interface SshHost {
	/** By which runs name it: letters, digits, dots, dashes and underscores. */
	readonly name: string;
	/** A host name or an IP address. */
	readonly address: string;
	readonly port: number;
	readonly user: string;
	readonly login: SshLogin;
	readonly hostKeys: KnownHostKeys;
	/** `auto`: by the agent when it is connected, else by the URL when the host reaches it, else by the tunnel. */
	readonly reach: Reach | "auto";
	/** What runs there may do when they do not say; the least rights when not given. */
	readonly scopes: readonly Scope[] | undefined;
	/** Whose runs it takes. More than one of them needs `shared`. */
	readonly namespaces: readonly string[];
	/** The operator knows that runs of several namespaces see each other there: one account is one trust domain. */
	readonly shared: boolean;
	readonly tags: readonly string[];
	/** Runs there at one time; others wait. */
	readonly maxRuns: number;
	/** Limits of runs there, where they do not say. */
	readonly limits: Readonly<Partial<Record<LimitName, number>>>;
	/** Where runs have their directories; a temporary directory of the account when not given. */
	readonly directory: string | undefined;
	/** Whether tokens for the URL are good from the address of the host only. */
	readonly pinsAddress: boolean;
}

/** How the account is logged into. Files are named, and read when a connection is made; no secret is in `hosts.toml`. */
export type SshLogin =
	/** A private key, with a certificate (OpenSSH) when there is one. */
	| { readonly kind: "key"; readonly file: string; readonly certificateFile?: string }
	/** An agent that holds the key: the path of its socket. */
	| { readonly kind: "agent"; readonly socket: string };

/** By what the host proves that it is the host. */
export type KnownHostKeys =
	/** `SHA256:…` as OpenSSH writes them; one of them has to be shown. */
	| { readonly kind: "fingerprints"; readonly fingerprints: readonly string[] }
	/** A file in the form of OpenSSH. */
	| { readonly kind: "known-hosts"; readonly file: string };

/** What runs on SSH hosts may do when nobody says otherwise: a token there can be taken by whoever reads the account. */
export const leastScopes: readonly Scope[] = [
	"input:read",
	"output:write",
	"variables:read",
	"condition:read",
	"condition:write",
	"context:read",
	"log:write",
];
