import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hostsFile, SshHosts } from "../../host/executors/ssh/hosts-file.ts";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import type { ScriptPlace } from "../../host/executors/ssh/script-door.ts";
import type { Reach } from "../../host/executors/ssh/ssh-host.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import { openSshRuns, type SshRuns } from "../ssh/ssh-runs.ts";
import type { ConformanceColumn, ConformanceDoor, ConformanceSession, FinishedRun } from "./conformance.ts";
import type { ConformanceCase } from "./conformance-case.ts";
import { type CuttingProxy, openCuttingProxy } from "./cutting-proxy.ts";
import { takeSteps } from "./guest-session.ts";
import { readVariables, seedElsewhere } from "./namespace.ts";
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

/** What the cases of a column have in common. */
interface Column {
	readonly runs: SshRuns;
	readonly doors: SshDoorServer;
	readonly guest: SdkGuest;
	readonly place: Omit<ScriptPlace, "directory">;
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
			let count = 0;
			return {
				run: (given) => runCase(given, `case-${count++}`, { runs, doors, guest, place: { host, line } }),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

async function runCase(given: ConformanceCase, name: string, { runs, doors, guest, place }: Column): Promise<FinishedRun> {
	const { host } = runs;
	const { elsewhere, tokenLifetimeMs: _, ...options } = given.given ?? {};
	await seedElsewhere(host, name, elsewhere);
	const run = await host.open({ namespace: name, ...options });
	const directory = makeDirectory(runs, name);
	await using door = await doors.open(run, { ...place, directory });
	for (const [file, text] of Object.entries(door.files ?? {})) writeFileSync(join(directory, file), text, { mode: 0o644 });
	const cuts = given.steps.filter((step) => "cutNextAnswer" in step).length;
	// What is to be cut has to be seen: only then something stands between the guest and the door.
	await using proxy = cuts > 0 ? await openProxy(runs, door.environment, directory) : undefined;
	await guest.enter({ ...door.environment, ...proxy?.environment });
	const results = await takeSteps(guest, given, {
		cutNextAnswer: () => proxy?.cutNextAnswer(),
		endRun: () => Promise.reject(new Error("A run that has ended has no door.")),
		requireFirstTokenRefused: () => Promise.reject(new Error("There is only one token.")),
	});
	run.end({ status: "succeeded" });
	const outcome = await run.outcome;
	if ((proxy?.cuts ?? 0) !== cuts) throw new Error(`${proxy?.cuts} of ${cuts} answers were cut.`);
	if (doors.internalErrors.length > 0) throw doors.internalErrors[0];
	return { results, outcome, variables: await readVariables(host, name) };
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
