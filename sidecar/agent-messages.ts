import type { ForwardingLimits } from "./forwarder.ts";

/** Where a host takes its agents' own requests; everything else of a channel is calls of scripts. */
export const agentPaths = {
	/** Without a certificate: makes one for an invitation. */
	join: "/agent/v1/join",
	/** A stream of messages, one JSON object a line, as long as the agent is connected. */
	runs: "/agent/v1/runs",
	/** Makes the certificate that follows. */
	certificate: "/agent/v1/certificate",
} as const;

/** In which an agent tells of the run whose socket a call came through. */
export const runHeader = "cronium-run";

export interface JoinRequest {
	readonly secret: string;
	/** PKCS#10 (PEM). */
	readonly request: string;
}

/** A certificate that was made for an agent. */
export interface IssuedIdentity {
	readonly agent: string;
	/** Which host the agent is of. */
	readonly host: string;
	readonly isApproved: boolean;
	readonly certificate: string;
	/** Certificates of the authorities that are trusted from now on (PEM). */
	readonly trusted: string;
	/** How long the certificate is good: clocks may differ. */
	readonly lifetimeMs: number;
}

/** A run that is to have a socket. */
export interface AgentRun {
	readonly id: string;
	/** How long it may last. */
	readonly remainingMs: number;
	readonly limits: AgentRunLimits;
}

export interface AgentRunLimits extends ForwardingLimits {
	readonly maxRunConnections: number;
}

/** What a host tells its agent. */
export type HostMessage =
	/** All runs that are to have a socket; the first message, and again when the agent is approved. */
	| { readonly type: "state"; readonly isApproved: boolean; readonly runs: readonly AgentRun[] }
	| { readonly type: "open"; readonly run: AgentRun }
	| { readonly type: "close"; readonly run: string };

/** What an agent answers to `open`, at the run's place below `agentPaths.runs`: where the socket is, or why there is none. */
export type OpenReport = { readonly socketPath: string } | { readonly problem: string };
