import { chmodSync, chownSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunDoorPlace } from "../../host/executors/container/run-door.ts";
import { createHost } from "../../host/index.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { issueCertificate } from "../../sidecar/certificates.ts";
import { doorFiles } from "../../sidecar/door-directory.ts";
import { createRunDoors, type RunDoorServer } from "../../sidecar/run-doors.ts";
import type { EngineKind } from "../containers/engines.ts";
import type { ConformanceColumn, ConformanceDoor, ConformanceSession } from "./conformance.ts";
import { startContainerGuest } from "./container-guest.ts";
import { openCuttingProxy } from "./cutting-proxy.ts";
import { type PlacedColumn, runPlacedCase } from "./placed-case.ts";
import { type PlacedSdk, placedSdks } from "./placed-guest.ts";
import { sdkLacks } from "./sdk-lacks.ts";

/**
 * Scripts in containers: each guest is the script of a run that the host has started. A container for each case would take minutes, so the cases are runs of
 * their own whose doors are made inside the door of that one, and reached as every script in a container reaches its own.
 */
export function containerDoor(kind: EngineKind, address: string): ConformanceDoor {
	return { name: `container (${kind})`, columns: placedSdks.map((sdk) => column(sdk, address)) };
}

function column(sdk: PlacedSdk, engine: string): ConformanceColumn {
	return {
		name: sdk,
		lacks: {
			...sdkLacks[sdk],
			token: "a container's token is good to the deadline of its run",
			"lasting-door": "the door is gone with its run",
		},
		async open(): Promise<ConformanceSession> {
			await using opened = new AsyncDisposableStack();
			const directory = await mkdtemp(join(tmpdir(), "cronium-conf-"));
			opened.defer(() => rm(directory, { recursive: true, force: true }));
			const dataDirectory = join(directory, "data");
			const limits = { maxWorkers: 1, maxIdleContainers: 0, maxWallTimeMs: 900_000, maxCpuTimeMs: 900_000 };
			const host = opened.use(await createHost({ dataDirectory, warm: false, limits, containers: { engine } }));
			const internalErrors: Error[] = [];
			const onInternalError = (error: Error): void => void internalErrors.push(error);
			const doors = opened.use(await createRunDoors({ dataDirectory, limits: host.limits, onInternalError }));
			const guest = opened.use(await startContainerGuest(sdk, host, dataDirectory));
			const owned = opened.move();
			const column = { host, guest, internalErrors, openDoor: doorOpener(doors, guest.doorDirectory, dataDirectory) };
			let runs = 0;
			return {
				run: (given) => runPlacedCase(given, `case-${runs++}`, column),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

/** Makes the door of a case inside the door of the guest's own run. */
function doorOpener(doors: RunDoorServer, parent: string, dataDirectory: string): PlacedColumn["openDoor"] {
	return async (run, name, isCut, opened) => {
		const place = makePlace(parent, name);
		opened.use(await doors.open(run, place));
		const proxy = isCut ? opened.use(await openProxy(run.execution.id, place, dataDirectory)) : undefined;
		const inside = (file: string): string => `/run/cronium/${name}/${file}`;
		return {
			environment: {
				CRONIUM_SOCKET: inside(proxy ? proxySocket : doorFiles.socket),
				CRONIUM_CA_CERT: inside(doorFiles.trusted),
				CRONIUM_CLIENT_CERT: inside(doorFiles.certificate),
				CRONIUM_CLIENT_KEY: inside(doorFiles.key),
				CRONIUM_EXECUTION_TOKEN_FILE: inside(doorFiles.token),
			},
			proxy,
		};
	};
}

/** A directory for one more door, open to the same group. */
function makePlace(parent: string, name: string): RunDoorPlace {
	const directory = join(parent, name);
	const { gid, mode } = statSync(parent);
	mkdirSync(directory, { mode: 0o700 });
	chownSync(directory, -1, gid);
	chmodSync(directory, mode & 0o777);
	return { directory, ...((mode & 0o070) !== 0 && { groupId: gid }) };
}

const proxySocket = "proxy.sock";

/** Stands before the run's door, with the run's own certificate towards it. */
async function openProxy(runId: string, { directory, groupId }: RunDoorPlace, dataDirectory: string) {
	const read = (file: string): string => readFileSync(join(directory, file), "utf8");
	const { newest } = await new CertificateAuthority(dataDirectory).current();
	const shown = await issueCertificate(newest, { subject: { kind: "door", id: runId }, expiresAt: Date.now() + 600_000 });
	const path = join(directory, proxySocket);
	const proxy = await openCuttingProxy({ path: join(directory, doorFiles.socket) }, path, {
		server: { cert: shown.certificate, key: shown.key },
		client: {
			ca: read(doorFiles.trusted),
			cert: read(doorFiles.certificate),
			key: read(doorFiles.key),
			servername: "localhost",
		},
	});
	if (groupId !== undefined) chownSync(path, -1, groupId);
	chmodSync(path, 0o660);
	return proxy;
}
