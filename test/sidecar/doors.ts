import { mkdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExternalReport, ExternalRun } from "../../host/executors/external.ts";
import { createHost, type Host, type HostOptions, type Outcome } from "../../host/index.ts";
import type { ExternalRunOptions } from "../../host/run-options.ts";
import type { StartedRun } from "../../host/running-runs.ts";
import { doorFiles } from "../../sidecar/door-directory.ts";
import { createRunDoors, type RunDoorServer, type RunDoorsOptions } from "../../sidecar/run-doors.ts";
import { type ClientTls, type HttpAnswer, sendRequest, type Target } from "../http/send-request.ts";

/** A real host whose runs have local doors. */
export interface Doors extends AsyncDisposable {
	readonly host: Host;
	readonly dataDirectory: string;
	readonly directory: string;
	readonly internalErrors: Error[];
	/** An external run with its door, in a directory of its own. Its token is good to its deadline, or for so long. */
	openRun(options?: ExternalRunOptions, tokenLifetimeMs?: number): Promise<RunAtDoor>;
	/** A directory for a door. */
	makeDirectory(): string;
}

/** With doors in the process of the host. */
export interface LocalDoors extends Doors {
	readonly doors: RunDoorServer;
}

/** What a container of the run has. */
export interface RunAtDoor {
	readonly id: string;
	readonly run: ExternalRun;
	readonly directory: string;
	readonly socketPath: string;
	readonly token: string;
	readonly tls: Required<ClientTls>;
	/** What connects an SDK. */
	readonly env: Readonly<Record<string, string>>;
	/** A request with the run's credentials, or with others. */
	call(method: string, path: string, given?: Call): Promise<HttpAnswer>;
	end(report?: ExternalReport): Promise<Outcome>;
	readonly outcome: Promise<Outcome>;
	closeDoor(): Promise<void>;
}

export interface Call {
	readonly body?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly target?: Target;
	readonly tls?: ClientTls;
	readonly token?: string;
}

export type DoorsSetup = Pick<HostOptions, "limits" | "audit">;

/** A host, and what its doors need beside it. */
export async function openBasis(
	opened: AsyncDisposableStack,
	setup: DoorsSetup,
): Promise<Omit<Doors, "openRun" | keyof AsyncDisposable>> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-sidecar-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const dataDirectory = join(directory, "data");
	const host = opened.use(
		await createHost({
			dataDirectory,
			warm: false,
			limits: { maxWorkers: 1, maxWallTimeMs: 120_000, ...setup.limits },
			...(setup.audit !== undefined && { audit: setup.audit }),
		}),
	);
	let made = 0;
	const makeDirectory = (): string => {
		const place = join(directory, `door-${made++}`);
		mkdirSync(place, { mode: 0o710 });
		return place;
	};
	return { host, dataDirectory, directory, internalErrors: [], makeDirectory };
}

export async function openDoors(setup: DoorsSetup & Pick<RunDoorsOptions, "tcp"> = {}): Promise<LocalDoors> {
	const opened = new AsyncDisposableStack();
	const basis = await openBasis(opened, setup);
	const { host, dataDirectory, internalErrors, makeDirectory } = basis;
	const open = async (given: Partial<RunDoorsOptions> = {}): Promise<RunDoorServer> =>
		opened.use(
			await createRunDoors({
				dataDirectory,
				limits: host.limits,
				audit: host.audit,
				onInternalError: (error) => internalErrors.push(error),
				...(setup.tcp && { tcp: setup.tcp }),
				...given,
			}),
		);
	const doors = await open();
	return {
		...basis,
		doors,
		async openRun(options = {}, tokenLifetimeMs) {
			const run = await host.open(options);
			const place = makeDirectory();
			const itsDoors = tokenLifetimeMs === undefined ? doors : await open({ tokenLifetimeMs });
			const door = await itsDoors.open(run, { directory: place });
			return describeRun(run, place, () => door[Symbol.asyncDispose]());
		},
		[Symbol.asyncDispose]: () => opened.disposeAsync(),
	};
}

/** What a container finds in the directory of its run's door. */
export function describeRun(run: ExternalRun & StartedRun, place: string, closeDoor: () => PromiseLike<void>): RunAtDoor {
	const read = (name: keyof typeof doorFiles): string => readFileSync(join(place, doorFiles[name]), "utf8");
	const socketPath = join(place, doorFiles.socket);
	const tls = { ca: read("trusted"), cert: read("certificate"), key: read("key") };
	const token = read("token");
	return {
		id: run.id,
		run,
		directory: place,
		socketPath,
		token,
		tls,
		env: {
			CRONIUM_SOCKET: socketPath,
			CRONIUM_CA_CERT: join(place, doorFiles.trusted),
			CRONIUM_CLIENT_CERT: join(place, doorFiles.certificate),
			CRONIUM_CLIENT_KEY: join(place, doorFiles.key),
			CRONIUM_EXECUTION_TOKEN_FILE: join(place, doorFiles.token),
		},
		outcome: run.outcome,
		call: (method, path, given = {}) =>
			sendRequest({ ...(given.target ?? { socketPath }), tls: given.tls ?? tls }, method, path, {
				headers: { authorization: `Bearer ${given.token ?? token}`, ...given.headers },
				...(given.body !== undefined && { body: given.body }),
			}),
		end(report = { status: "succeeded" }) {
			run.end(report);
			return run.outcome;
		},
		closeDoor: async () => closeDoor(),
	};
}
