import type { ServedRun } from "../served-runs.ts";

/** Where a run's door is made. */
export interface RunDoorPlace {
	/** A directory of the host's own, which the container sees. */
	readonly directory: string;
	/** The group that may connect and read the credentials; nobody but the host when not given (0700, 0600). */
	readonly groupId?: number;
}

/** Opens the local door of runs. One per host process; made lazily. */
export interface RunDoors extends AsyncDisposable {
	/** Makes credentials of the run and listens; resolves when a connection can be made. */
	open(run: ServedRun, place: RunDoorPlace): Promise<RunDoor>;
}

/** The door of one run. When it is disposed of it listens no more, its connections are cut, and socket and credentials are removed. */
export interface RunDoor extends AsyncDisposable {}

/** The doors as the containers of a host reach them. */
export interface ReachedDoors {
	readonly doors: RunDoors;
	/** Where they find their door. The same for every run, and no secrets. */
	readonly environment: Readonly<Record<string, string>>;
	/** What they are connected to: `none` where the door is a socket that is mounted. */
	readonly network: string;
}

/** Variables of the environment that every door has: the files that are mounted with it. */
export const credentialEnvironment: Readonly<Record<string, string>> = {
	CRONIUM_CA_CERT: "/run/cronium/ca.pem",
	CRONIUM_CLIENT_CERT: "/run/cronium/client.pem",
	CRONIUM_CLIENT_KEY: "/run/cronium/client.key",
	CRONIUM_EXECUTION_TOKEN_FILE: "/run/cronium/token",
};

/** Where a socket is that is mounted with them. */
export const mountedSocket = "/run/cronium/api.sock";
