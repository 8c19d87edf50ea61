import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, constants, openSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { build } from "esbuild";
import type { Host, Outcome } from "../../host/index.ts";
import type { RunOptions } from "../../host/run-options.ts";
import { type GuestChannel, guestFile, type Sdk, type SdkGuest, speakTo } from "./sdk-guests.ts";

/** The SDKs that images have, in the order of the matrix. */
export const containerSdks = ["JavaScript", "Python", "Bash"] as const satisfies readonly Sdk[];
export type ContainerSdk = (typeof containerSdks)[number];

/** A guest that is the script of a run in a container. */
export interface ContainerGuest extends SdkGuest {
	/** The door of its run, on the host's side of the mount. */
	readonly doorDirectory: string;
}

/** What stands for its standard streams: pipes with names, beside the socket. A script in a container has no standard input. */
const pipes = { requests: "requests", answers: "answers" } as const;

/** Starts a guest in a container. */
export async function startContainerGuest(sdk: ContainerSdk, host: Host, dataDirectory: string): Promise<ContainerGuest> {
	const { outcome } = await host.start({ mode: "container", ...(await describeScript(sdk)) });
	const ended = outcome.then(describeProblem);
	const doorDirectory = await Promise.race([
		untilDoor(dataDirectory),
		ended.then((problem) => Promise.reject(new Error(`The guest has ended: ${problem}`))),
	]);
	const channel = openChannel(doorDirectory, dataDirectory, ended);
	const guest = speakTo(sdk, channel);
	return {
		...guest,
		doorDirectory,
		async [Symbol.asyncDispose]() {
			try {
				await guest[Symbol.asyncDispose]();
			} finally {
				channel.answers.destroy();
			}
		},
	};
}

/** The guest of the other doors as a file, and a script that starts it with the pipes for its standard streams. */
async function describeScript(sdk: ContainerSdk): Promise<Pick<RunOptions, "script" | "files">> {
	const { requests, answers } = { requests: `/run/cronium/${pipes.requests}`, answers: `/run/cronium/${pipes.answers}` };
	switch (sdk) {
		case "JavaScript": {
			const source = `import { spawnSync } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
while (!existsSync("${requests}")) await new Promise((resolve) => setTimeout(resolve, 20));
const sdk = fileURLToPath(import.meta.resolve("cronium"));
const stdio = [openSync("${requests}", "r"), openSync("${answers}", "w"), "inherit"];
process.exitCode = spawnSync(process.execPath, ["/script/guest.mjs", sdk], { stdio }).status ?? 1;`;
			return { script: { name: "start.js", source }, files: { "guest.mjs": await bundleGuest("javascript.ts") } };
		}
		case "Python": {
			const source = `import os, subprocess, sys, time
while not os.path.exists("${requests}"):
    time.sleep(0.02)
with open("${requests}") as requests, open("${answers}", "w") as answers:
    sys.exit(subprocess.run([sys.executable, "-B", "/script/guest.py", "sync"], stdin=requests, stdout=answers).returncode)`;
			return { script: { name: "start.py", source }, files: { "guest.py": readFileSync(guestFile("guest.py")) } };
		}
		case "Bash": {
			const source = `until [[ -e ${requests} ]]; do sleep 0.02; done
exec bash /script/guest.sh cronium.sh <${requests} >${answers}`;
			return { script: { name: "start.sh", source }, files: { "guest.sh": readFileSync(guestFile("guest.sh")) } };
		}
	}
}

async function bundleGuest(file: string): Promise<string> {
	const { outputFiles } = await build({
		entryPoints: [guestFile(file)],
		bundle: true,
		platform: "node",
		format: "esm",
		write: false,
	});
	return outputFiles[0]?.text as string;
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

function openChannel(doorDirectory: string, dataDirectory: string, ended: GuestChannel["ended"]): GuestChannel {
	const { gid, mode } = statSync(doorDirectory);
	// The guest waits for the one that is made last.
	const [answers, requests] = [pipes.answers, pipes.requests].map((name) => {
		const draft = join(dataDirectory, name);
		execFileSync("mkfifo", ["-m", "600", draft]);
		chownSync(draft, -1, gid);
		if ((mode & 0o070) !== 0) chmodSync(draft, 0o660);
		// For both directions: to open it does not wait for the other side, and what is read does not end before the other side is there.
		const fd = openSync(draft, constants.O_RDWR | constants.O_NONBLOCK);
		renameSync(draft, join(doorDirectory, name));
		return new Socket({ fd, readable: name === pipes.answers, writable: name === pipes.requests });
	}) as [Socket, Socket];
	return { requests, answers, ended };
}

function describeProblem({ status, error, logs }: Outcome): string | undefined {
	if (status === "succeeded") return undefined;
	const printed = logs.map(({ message }) => message).join("\n");
	return `${status}, ${error?.code}: ${error?.message} ${printed.slice(-4_000)}`;
}
