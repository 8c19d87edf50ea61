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

/** Variables of the environment with which a container finds the door that is mounted into it. The same for every run, and no secrets. */
export const doorEnvironment: Readonly<Record<string, string>> = {
	CRONIUM_SOCKET: "/run/cronium/api.sock",
	CRONIUM_CA_CERT: "/run/cronium/ca.pem",
	CRONIUM_CLIENT_CERT: "/run/cronium/client.pem",
	CRONIUM_CLIENT_KEY: "/run/cronium/client.key",
	CRONIUM_EXECUTION_TOKEN_FILE: "/run/cronium/token",
};
