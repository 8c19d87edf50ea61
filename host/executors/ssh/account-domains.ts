import { RuntimeError } from "../../contract/errors.ts";
import type { SshHost } from "./ssh-host.ts";

/**
 * Which entries of hosts lead to one account, known by the key of the host and the user: under two addresses, or two names, it is the same. One account is one trust domain,
 * so runs of other namespaces are not to come there by another entry.
 */
export class AccountDomains {
	readonly #entries = new Map<string, Set<string>>();
	readonly #find: (name: string) => SshHost | undefined;

	/** `find` looks up an entry as it is now. */
	constructor(find: (name: string) => SshHost | undefined) {
		this.#find = find;
	}

	/** Notes where an entry has led. Throws `denied` when another one has led there for other namespaces, and not both say that they share the account. */
	require(host: SshHost, hostKey: string): void {
		const account = `${hostKey} ${host.user}`;
		const names = this.#entries.get(account) ?? new Set();
		for (const name of names) {
			const other = name === host.name ? host : this.#find(name);
			if (!other) names.delete(name);
			else if (!(host.shared && other.shared) && describe(host) !== describe(other))
				throw new RuntimeError(
					"denied",
					`The hosts ${other.name} and ${host.name} are one account, ${host.user} on the host with the key ${hostKey}, for different namespaces (${describe(other)}; ${describe(host)}), whose runs would see each other there. shared = true for both in hosts.toml allows it.`,
				);
		}
		names.add(host.name);
		this.#entries.set(account, names);
	}
}

const describe = ({ namespaces }: SshHost): string => [...namespaces].sort().join(", ");
