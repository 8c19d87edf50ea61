import { limitDefinitions } from "../host/contract/limits.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import type { ExecutionTokens } from "../host/tokens/execution-tokens.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { type ClientCredentials, issueClientCredentials } from "./certificates.ts";

/** What the script of a run shows at its local door, and whom it trusts there. */
export interface RunCredentials extends Pick<ClientCredentials, "certificate" | "key" | "trusted"> {
	readonly token: string;
}

/** Makes a certificate of the run, and a token that is bound to it: good for so long, or to the deadline of the run. */
export async function issueRunCredentials(
	run: ServedRun,
	authority: CertificateAuthority,
	tokens: ExecutionTokens,
	tokenLifetimeMs: number = limitDefinitions.tokenLifetimeMs.maximum,
): Promise<RunCredentials> {
	const { id, deadlineAt } = run.execution;
	const { certificate, key, trusted, thumbprint } = await issueClientCredentials(authority, { kind: "run", id }, deadlineAt);
	const terms = { audience: "sidecar", certificateThumbprint: thumbprint, lifetimeMs: tokenLifetimeMs } as const;
	const { token } = await tokens.issue(run, terms);
	return { certificate, key, trusted, token };
}
