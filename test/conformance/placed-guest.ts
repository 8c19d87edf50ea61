import { execFileSync } from "node:child_process";
import { constants, openSync, readFileSync, renameSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { Outcome } from "../../host/index.ts";
import type { RunOptions } from "../../host/run-options.ts";
import { type GuestChannel, guestFile, type Sdk } from "./sdk-guests.ts";

/** The SDKs that containers and SSH hosts are given, in the order of the matrix. */
export const placedSdks = ["JavaScript", "Python", "Bash"] as const satisfies readonly Sdk[];
export type PlacedSdk = (typeof placedSdks)[number];

/** What stands for a guest's standard streams: pipes with names. A script elsewhere has no standard input. */
const pipes = { requests: "requests", answers: "answers" } as const;

/** The guest of the other doors as a file, and a script that starts it with pipes of the directory for its standard streams. */
export async function describeGuest(sdk: PlacedSdk, directory: string): Promise<Pick<RunOptions, "script" | "files">> {
	const { requests, answers } = { requests: join(directory, pipes.requests), answers: join(directory, pipes.answers) };
	switch (sdk) {
		case "JavaScript": {
			const source = `import { spawnSync } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
while (!existsSync("${requests}")) await new Promise((resolve) => setTimeout(resolve, 20));
const words = [new URL("guest.mjs", import.meta.url), import.meta.resolve("cronium")].map((url) => fileURLToPath(url));
const stdio = [openSync("${requests}", "r"), openSync("${answers}", "w"), "inherit"];
process.exitCode = spawnSync(process.execPath, words, { stdio }).status ?? 1;`;
			return { script: { name: "start.js", source }, files: { "guest.mjs": await bundleGuest("javascript.ts") } };
		}
		case "Python": {
			const source = `import os, subprocess, sys, time
while not os.path.exists("${requests}"):
    time.sleep(0.02)
guest = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest.py")
with open("${requests}") as requests, open("${answers}", "w") as answers:
    sys.exit(subprocess.run([sys.executable, "-B", guest, "sync"], stdin=requests, stdout=answers).returncode)`;
			return { script: { name: "start.py", source }, files: { "guest.py": readFileSync(guestFile("guest.py")) } };
		}
		case "Bash": {
			// biome-ignore lint/suspicious/noTemplateCurlyInString: it is an expansion of the shell.
			const guest = "${BASH_SOURCE[0]%/*}/guest.sh";
			const source = `until [[ -e ${requests} ]]; do sleep 0.02; done
exec bash "${guest}" cronium.sh <${requests} >${answers}`;
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

/** Makes the pipes, in another directory of the same disk first; `grant` gives one to the guest's account. */
export function openChannel(
	directory: string,
	drafts: string,
	grant: (pipe: string) => void,
	ended: GuestChannel["ended"],
): GuestChannel & { close(): void } {
	// The guest waits for the one that is made last.
	const [answers, requests] = [pipes.answers, pipes.requests].map((name) => {
		const draft = join(drafts, name);
		execFileSync("mkfifo", ["-m", "600", draft]);
		grant(draft);
		// For both directions: to open it does not wait for the other side, and what is read does not end before the other side is there.
		const fd = openSync(draft, constants.O_RDWR | constants.O_NONBLOCK);
		renameSync(draft, join(directory, name));
		return new Socket({ fd, readable: name === pipes.answers, writable: name === pipes.requests });
	}) as [Socket, Socket];
	return { requests, answers, ended, close: () => void answers.destroy() };
}

/** What went wrong in the run of a guest; undefined when nothing did. */
export function describeProblem({ status, error, logs }: Outcome): string | undefined {
	if (status === "succeeded") return undefined;
	const printed = logs.map(({ message }) => message).join("\n");
	return `${status}, ${error?.code}: ${error?.message} ${printed.slice(-4_000)}`;
}
