import type { ServedRun } from "../served-runs.ts";

/** Opens the local doors of runs. One for a host. */
export interface RunDoors extends AsyncDisposable {
	/** Variables of the environment with which a run's process finds its door. The same for every run, and no secrets. */
	readonly environment: Readonly<Record<string, string>>;
	/**
	 * Makes the credentials of a run and listens. `directory` is what the run's container sees as `/run/cronium`; with `groupId`, files in it can be read by that group.
	 */
	open(run: ServedRun, place: { readonly directory: string; readonly groupId?: number }): Promise<RunDoor>;
}

/** The door of one run. Disposing of it cuts its connections, and removes the socket and the credentials. */
export type RunDoor = AsyncDisposable;
