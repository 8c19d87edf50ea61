import { chmodSync, chownSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Host } from "../../host/index.ts";
import { describeGuest, describeProblem, openChannel, type PlacedSdk } from "./placed-guest.ts";
import { type SdkGuest, speakTo } from "./sdk-guests.ts";

/** A guest that is the script of a run in a container. */
export interface ContainerGuest extends SdkGuest {
	/** The door of its run, on the host's side of the mount. */
	readonly doorDirectory: string;
}

/** Starts a guest in a container. Its pipes are beside the socket. */
export async function startContainerGuest(sdk: PlacedSdk, host: Host, dataDirectory: string): Promise<ContainerGuest> {
	const { outcome } = await host.start({ mode: "container", ...(await describeGuest(sdk, "/run/cronium")) });
	const ended = outcome.then(describeProblem);
	const doorDirectory = await Promise.race([
		untilDoor(dataDirectory),
		ended.then((problem) => Promise.reject(new Error(`The guest has ended: ${problem}`))),
	]);
	const { gid, mode } = statSync(doorDirectory);
	const grant = (pipe: string): void => {
		chownSync(pipe, -1, gid);
		if ((mode & 0o070) !== 0) chmodSync(pipe, 0o660);
	};
	const channel = openChannel(doorDirectory, dataDirectory, grant, ended);
	const guest = speakTo(sdk, channel);
	return {
		...guest,
		doorDirectory,
		async [Symbol.asyncDispose]() {
			try {
				await guest[Symbol.asyncDispose]();
			} finally {
				channel.close();
			}
		},
	};
}

/** The directory of the only container of the data directory, when it has been opened for its run. */
async function untilDoor(dataDirectory: string): Promise<string> {
	const runs = join(dataDirectory, "runs");
	for (;;) {
		const [name] = readNames(runs).filter((one) => /^[0-9a-f]{10}-/.test(one));
		const door = name && join(runs, name, "door");
		// The door's own files come last.
		if (door !== undefined && readNames(door).includes("api.sock")) return door;
		await wait(20);
	}
}

function readNames(directory: string): readonly string[] {
	try {
		return readdirSync(directory);
	} catch {
		return [];
	}
}
