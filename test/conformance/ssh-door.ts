import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostsFile, SshHosts } from "../../host/executors/ssh/hosts-file.ts";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import type { ScriptPlace } from "../../host/executors/ssh/script-door.ts";
import type { Reach } from "../../host/executors/ssh/ssh-host.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import { openSshRuns, type SshRuns } from "../ssh/ssh-runs.ts";
import type { ConformanceColumn, ConformanceDoor, ConformanceSession } from "./conformance.ts";
import { type CuttingProxy, openCuttingProxy } from "./cutting-proxy.ts";
import { type PlacedColumn, runPlacedCase } from "./placed-case.ts";
import { describeGuest, describeProblem, openChannel, type PlacedSdk, placedSdks } from "./placed-guest.ts";
import { type SdkGuest, speakTo } from "./sdk-guests.ts";
import { sdkLacks } from "./sdk-lacks.ts";
import { openSshDoors, type SshDoorServer } from "./ssh-door-server.ts";

/**
 * Scripts on an SSH host: each guest is the script of a run that was started over SSH. The cases are runs of their own, which may do everything, whose doors are
 * made as those of that run.
 */
export function sshDoor(reach: Reach): ConformanceDoor {
	return { name: `ssh-${reach}`, columns: placedSdks.map((sdk) => column(sdk, reach)) };
}

function column(sdk: PlacedSdk, reach: Reach): ConformanceColumn {
	return {
		name: sdk,
		lacks: {
			...sdkLacks[sdk],
			token: "the token of a run on an SSH host is good to the deadline of its run",
			"lasting-door": "the door is gone with its run",
		},
		async open(): Promise<ConformanceSession> {
			await using opened = new AsyncDisposableStack();
			const runs = opened.use(await openSshRuns({ limits: { maxWallTimeMs: 900_000 } }));
			const host = new SshHosts(hostsFile(runs.dataDirectory)).find("web");
			const line = opened.use(await openConnection(host, { limits: runs.host.limits }));
			const doors = opened.use(await openSshDoors(reach, runs));
			const guest = opened.use(await startSshGuest(sdk, runs));
			const owned = opened.move();
			const column = {
				host: runs.host,
				guest,
				internalErrors: doors.internalErrors,
				openDoor: doorOpener(runs, doors, { host, line }),
			};
			let count = 0;
			return {
				run: (given) => runPlacedCase(given, `case-${count++}`, column),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

/** Makes the door of a case in a directory of its own on the host. */
function doorOpener(runs: SshRuns, doors: SshDoorServer, place: Omit<ScriptPlace, "directory">): PlacedColumn["openDoor"] {
	return async (run, name, isCut, opened) => {
		const directory = makeDirectory(runs, name);
		const door = opened.use(await doors.open(run, { ...place, directory }));
		for (const [file, text] of Object.entries(door.files ?? {})) writeFileSync(join(directory, file), text, { mode: 0o644 });
		const proxy = isCut ? opened.use(await openProxy(runs, door.environment, directory)) : undefined;
		return { environment: { ...door.environment, ...proxy?.environment }, proxy };
	};
}

/** Starts a guest by a run on the host. */
async function startSshGuest(sdk: PlacedSdk, runs: SshRuns): Promise<SdkGuest> {
	const directory = makeDirectory(runs, "guest");
	const { outcome } = await runs.host.start({ mode: "ssh", host: "web", ...(await describeGuest(sdk, directory)) });
	const grant = (pipe: string): void => giveToAccount(runs, pipe);
	const channel = openChannel(directory, runs.dataDirectory, grant, outcome.then(describeProblem));
	const guest = speakTo(sdk, channel);
	return {
		...guest,
		async [Symbol.asyncDispose]() {
			try {
				await guest[Symbol.asyncDispose]();
			} finally {
				channel.close();
			}
		},
	};
}

/** A private directory of the account. */
function makeDirectory(runs: SshRuns, name: string): string {
	const directory = join(runs.sshd.account.home, name);
	mkdirSync(directory, { mode: 0o700 });
	giveToAccount(runs, directory);
	return directory;
}

function giveToAccount({ sshd: { account } }: SshRuns, path: string): void {
	if (process.getuid?.() === 0) chownSync(path, account.uid, account.uid);
}

/** Stands before the door of a run: a server with a certificate of the same authority where that has a URL, else a socket. */
async function openProxy(
	runs: SshRuns,
	{ CRONIUM_API_URL: url, CRONIUM_SOCKET: socket }: Readonly<Record<string, string>>,
	directory: string,
): Promise<CuttingProxy & { readonly environment: Readonly<Record<string, string>> }> {
	if (url !== undefined) {
		const { newest } = await new CertificateAuthority(runs.dataDirectory).current();
		const shown = await issueCertificate(newest, {
			subject: { kind: "server" },
			names: ["127.0.0.1"],
			expiresAt: Date.now() + 600_000,
		});
		const target = { host: "127.0.0.1", port: Number(new URL(url).port) };
		const proxy = await openCuttingProxy(target, undefined, {
			server: { cert: shown.certificate, key: shown.key },
			client: { ca: newest.certificate },
		});
		return Object.assign(proxy, { environment: { CRONIUM_API_URL: `https://127.0.0.1:${proxy.port}` } });
	}
	const path = join(directory, "proxy.sock");
	const proxy = await openCuttingProxy({ path: socket as string }, path);
	giveToAccount(runs, path);
	return Object.assign(proxy, { environment: { CRONIUM_SOCKET: path } });
}
