import type { IssuedIdentity } from "../sidecar/agent-messages.ts";
import { type CertificateAuthority, maxCertificateMs } from "../sidecar/certificate-authority.ts";
import { certifyKey } from "../sidecar/certificates.ts";
import type { Agent } from "./agent-registry.ts";

/** Makes the certificates of agents. */
export class AgentIssuer {
	readonly #authority: CertificateAuthority;
	readonly #lifetimeMs: number;

	/** @param lifetimeMs how long a certificate is good */
	constructor(authority: CertificateAuthority, lifetimeMs = maxCertificateMs) {
		this.#authority = authority;
		this.#lifetimeMs = lifetimeMs;
	}

	/** A certificate of the key, with the name of the agent: whatever name was asked for. */
	async issue({ id, host, state }: Agent, key: CryptoKey): Promise<IssuedIdentity> {
		const { newest, trusted } = await this.#authority.current();
		const lifetimeMs = this.#lifetimeMs;
		const terms = { subject: { kind: "agent", id }, expiresAt: Date.now() + lifetimeMs } as const;
		const certificate = await certifyKey(newest, terms, key);
		return { agent: id, host, isApproved: state === "approved", certificate, trusted, lifetimeMs };
	}
}
