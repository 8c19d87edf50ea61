import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "vitest";
import type { HostMembers } from "../../host/executors/ssh/host-entry.ts";
import { hostsFile, SshHosts } from "../../host/executors/ssh/hosts-file.ts";
import { directoryFamily } from "../../host/executors/ssh/sweep.ts";
import { createHost, type Host, type HostOptions, type Outcome, type RunOptions } from "../../host/index.ts";
import { installationId } from "../../host/installation.ts";
import { type RemoteAccount, type SshdOptions, startSshd, type TestSshd } from "./sshd.ts";

/** A real host with a real sshd beside it, in a data directory of its own. */
export interface SshRuns extends AsyncDisposable {
	readonly host: Host;
	readonly sshd: TestSshd;
	readonly dataDirectory: string;
	/** Adds an entry to `hosts.toml`: another account, or the same in another way. */
	addHost(name: string, members?: Partial<HostMembers>): Promise<void>;
	/** Runs a script on the host `web`; its name says what language it is in. */
	run(name: string, source: string, options?: Partial<Omit<RunOptions, "script" | "mode">>): Promise<Outcome>;
	/** What there is of runs on the host: processes and directories of accounts. */
	left(): readonly string[];
	/** Passes when nothing is left but what the connections that wait for their next run have. */
	requireNothingLeft(): Promise<void>;
}

export interface SshRunsSetup extends Pick<HostOptions, "limits" | "audit"> {
	readonly sshd?: SshdOptions;
	readonly members?: Partial<HostMembers>;
}

export async function openSshRuns(setup: SshRunsSetup = {}): Promise<SshRuns> {
	await using opened = new AsyncDisposableStack();
	const sshd = opened.use(await startSshd(setup.sshd));
	const dataDirectory = mkdtempSync(join(tmpdir(), "ssh-runs-"));
	opened.defer(() => rmSync(dataDirectory, { recursive: true, force: true }));
	const hosts = new SshHosts(hostsFile(dataDirectory));
	const addHost = async (name: string, members: Partial<HostMembers> = {}): Promise<void> => {
		const { address, port, account, keyFile, fingerprint } = sshd;
		await hosts.add(name, { address, port, user: account.name, key: keyFile, fingerprints: [fingerprint], ...members });
	};
	await addHost("web", setup.members);
	const host = opened.use(
		await createHost({
			dataDirectory,
			warm: false,
			limits: { maxWorkers: 1, maxWallTimeMs: 120_000, ...setup.limits },
			...(setup.audit !== undefined && { audit: setup.audit }),
		}),
	);
	const family = directoryFamily(await installationId(dataDirectory));
	const left = (): readonly string[] => [
		...Object.values(sshd.accounts).flatMap((account) => processesOf(sshd, account)),
		...directoriesOf(family, sshd),
	];
	const owned = opened.move();
	return {
		host,
		sshd,
		dataDirectory,
		addHost,
		run: (name, source, options = {}) => host.run({ host: "web", ...options, mode: "ssh", script: { name, source } }),
		left,
		requireNothingLeft: () => expect.poll(left, { timeout: 10_000 }).toEqual([]),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

function processesOf(sshd: TestSshd, account: RemoteAccount): readonly string[] {
	// Connections that wait for their next run have a session of sshd, and a keeper with its `sleep`.
	return sshd.processesOf(account).filter((line) => !/^\d+ (?:sshd: |\/bin\/sh -c IFS= read -r _program|sleep 1$)/.test(line));
}

/** What runs of the data directory have on the host, by the names of their directories. One that is made ahead for the next run has nothing in it yet. */
function directoriesOf(family: string, sshd: TestSshd): readonly string[] {
	const tops = [tmpdir(), ...Object.values(sshd.accounts).map(({ home }) => home)];
	return tops
		.flatMap((top) => list(top).filter((path) => basename(path).startsWith(family)))
		.flatMap(list)
		.filter((path) => /^[0-9a-f]{12}\.(?:pid|left)$/.test(basename(path)) || isOfRun(path));
}

const isOfRun = (path: string): boolean =>
	/^[0-9a-f]{12}$/.test(basename(path)) && (list(join(path, "script")).length > 0 || !list(path).includes(join(path, "script")));

function list(directory: string): readonly string[] {
	try {
		return readdirSync(directory).map((name) => join(directory, name));
	} catch {
		return [];
	}
}
