/** What can be wrong with a host, as far as a caller has to tell it apart: codes of failed runs. */
export type SshFailure =
	/** Its name does not resolve, nobody answers, or not in time. */
	| "host-unreachable"
	/** It shows a key that is not known, or another one than it had. */
	| "host-key-refused"
	/** It does not take the key, certificate or agent, or they cannot be used here. */
	| "host-login-refused"
	/** It lacks, or does not allow, what runs need. */
	| "host-unsuitable"
	/** The connection broke, or showed no life for too long. */
	| "host-connection-lost";

/** A host was not reached, or did not do what it was asked. The message names the host, its address and what to do; it never holds a secret. */
export class SshError extends Error {
	override readonly name = "SshError";
	readonly code: SshFailure;

	constructor(code: SshFailure, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}

/** A host in messages: `web1 (runner@10.0.0.5 port 22)`. */
export function describeHost({
	name,
	user,
	address,
	port,
}: {
	readonly name: string;
	readonly user: string;
	readonly address: string;
	readonly port: number;
}): string {
	return `${name} (${user}@${address} port ${port})`;
}
