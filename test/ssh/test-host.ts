import { type HostMembers, readHostEntry } from "../../host/executors/ssh/host-entry.ts";
import type { SshHost } from "../../host/executors/ssh/ssh-host.ts";
import type { TestSshd } from "./sshd.ts";

/** The entry of a host for tests, as `hosts.toml` would have it. */
export function testHost(
	sshd: Pick<TestSshd, "address" | "port" | "account" | "keyFile" | "fingerprint">,
	members: Partial<HostMembers> = {},
	name = "web1",
): SshHost {
	const isKnown = members["known-hosts"] !== undefined;
	const isAgent = members.agent !== undefined;
	return readHostEntry(
		name,
		{
			address: sshd.address,
			port: sshd.port,
			user: sshd.account.name,
			...(!isAgent && { key: sshd.keyFile }),
			...(!isKnown && { fingerprints: [sshd.fingerprint] }),
			...members,
		},
		"/",
	);
}

/** Limits of connections that tests open. */
export const testLimits = { hostSilenceMs: 30_000 };
