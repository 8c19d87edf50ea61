import { posix } from "node:path";
import { limitDefinitions } from "../host/contract/limits.ts";
import type { ServedRun } from "../host/executors/served-runs.ts";
import type { ScriptDoor, ScriptPlace, UrlDoors } from "../host/executors/ssh/script-door.ts";
import type { ExecutionTokens } from "../host/tokens/execution-tokens.ts";

export interface UrlDoorsOptions {
	/** By which scripts on other machines reach the bridge. */
	readonly url: string;
	readonly tokens: ExecutionTokens;
	/** Whom they trust there (PEM), now; undefined where everybody trusts the certificate. */
	readonly trusted: () => string | undefined;
}

const trustFile = "ca.pem";

/** The doors of runs that reach the bridge by its URL: all that such a run has is a token. */
export function createUrlDoors({ url, tokens, trusted }: UrlDoorsOptions): UrlDoors {
	return {
		url,
		get trusted() {
			return trusted();
		},
		async open(run: ServedRun, { host, line, directory }: ScriptPlace): Promise<ScriptDoor> {
			const { token, id } = await tokens.issue(run, {
				audience: "bridge",
				// A script's child processes have its environment only, where no renewed token comes.
				lifetimeMs: limitDefinitions.tokenLifetimeMs.maximum,
				...(host.pinsAddress && { address: line.remoteAddress }),
			});
			const authority = trusted();
			return {
				environment: {
					CRONIUM_API_URL: url,
					CRONIUM_EXECUTION_TOKEN: token,
					...(authority !== undefined && { CRONIUM_CA_CERT: posix.join(directory, trustFile) }),
				},
				...(authority !== undefined && { files: { [trustFile]: authority } }),
				async [Symbol.asyncDispose]() {
					tokens.revoke(run, id);
				},
			};
		},
	};
}
