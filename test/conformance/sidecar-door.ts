import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import type { Doors, RunAtDoor } from "../sidecar/doors.ts";
import type { ConformanceColumn, ConformanceDoor, ConformanceSession, FinishedRun } from "./conformance.ts";
import type { ConformanceCase } from "./conformance-case.ts";
import { openCuttingProxy } from "./cutting-proxy.ts";
import { takeSteps } from "./guest-session.ts";
import { readVariables, seedElsewhere } from "./namespace.ts";
import { buildSdks, type Sdk, type SdkGuest, startGuest } from "./sdk-guests.ts";
import { sdkLacks } from "./sdk-lacks.ts";

/** The local door of a run, mutual TLS on a Unix socket, with what a container's environment has. */
export function sidecarDoor(name: string, sdks: readonly Sdk[], open: () => Promise<Doors>): ConformanceDoor {
	return { name, columns: sdks.map((sdk) => column(sdk, open)) };
}

function column(sdk: Sdk, open: () => Promise<Doors>): ConformanceColumn {
	return {
		name: sdk,
		lacks: { ...sdkLacks[sdk], "lasting-door": "the door is gone with its run" },
		async open(): Promise<ConformanceSession> {
			await using opened = new AsyncDisposableStack();
			const directory = await mkdtemp(join(tmpdir(), "cronium-conformance-"));
			opened.defer(() => rm(directory, { recursive: true, force: true }));
			const doors = opened.use(await open());
			buildSdks(directory);
			const guest = opened.use(startGuest(sdk, directory, directory));
			const owned = opened.move();
			let runs = 0;
			return {
				run: (given) => runCase(given, `case-${runs++}`, doors, guest),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

async function runCase(given: ConformanceCase, namespace: string, doors: Doors, guest: SdkGuest): Promise<FinishedRun> {
	const { elsewhere, tokenLifetimeMs, ...options } = given.given ?? {};
	await seedElsewhere(doors.host, namespace, elsewhere);
	const run = await doors.openRun({ namespace, ...options }, tokenLifetimeMs);
	const cuts = given.steps.filter((step) => "cutNextAnswer" in step).length;
	// What is to be cut has to be seen: only then something stands between the guest and the door.
	await using proxy = cuts > 0 ? await openProxy(doors, run) : undefined;
	await guest.enter({ ...run.env, ...(proxy && { CRONIUM_SOCKET: proxy.path }) });
	const results = await takeSteps(guest, given, {
		cutNextAnswer: () => proxy?.cutNextAnswer(),
		endRun: async () => void (await run.end()),
		requireFirstTokenRefused: async () => {
			const { status } = await run.call("GET", "/v1/condition");
			if (status !== 401) throw new Error(`The first token is still good: the status is ${status}.`);
		},
	});
	const outcome = await run.end();
	if ((proxy?.cuts ?? 0) !== cuts) throw new Error(`${proxy?.cuts} of ${cuts} answers were cut.`);
	if (doors.internalErrors.length > 0) throw doors.internalErrors[0];
	return { results, outcome, variables: await readVariables(doors.host, namespace) };
}

/** It has the run's own certificate towards the door, and one of a door's towards the guest. */
async function openProxy({ dataDirectory, makeDirectory }: Doors, { id, socketPath, tls }: RunAtDoor) {
	const { newest } = await new CertificateAuthority(dataDirectory).current();
	const shown = await issueCertificate(newest, { subject: { kind: "door", id }, expiresAt: Date.now() + 600_000 });
	const path = join(makeDirectory(), "proxy.sock");
	const proxy = await openCuttingProxy({ path: socketPath }, path, {
		server: { cert: shown.certificate, key: shown.key },
		client: { ...tls, servername: "localhost" },
	});
	return Object.assign(proxy, { path });
}
