import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestSshd } from "./sshd.ts";

/** The end of the token of the script `secret.sh`, which runs on the host: of a token that was cut, too. */
export function secretOf(sshd: TestSshd): string {
	const line = sshd.processesOf(sshd.account).find((one) => one.endsWith("secret.sh"));
	if (line === undefined) throw new Error("secret.sh does not run.");
	const environment = readFileSync(`/proc/${Number.parseInt(line, 10)}/environ`, "utf8").split("\0");
	const [, token] =
		environment.map((one) => /^CRONIUM_EXECUTION_TOKEN=(ey.{100,})$/.exec(one) ?? []).find(([found]) => found) ?? [];
	if (token === undefined) throw new Error("secret.sh has no token.");
	return token.slice(-40);
}

/** What `ps` shows of all processes, where the secret is in it. */
export function processesWith(secret: string): readonly string[] {
	const lines = execFileSync("ps", ["-A", "-ww", "-o", "args="], { encoding: "utf8" }).split("\n");
	if (!lines.some((line) => line.includes("secret.sh"))) throw new Error("ps does not show secret.sh.");
	return lines.filter((line) => line.includes(secret));
}

/** Files that hold the secret: in these directories, in those of runs, and in the log of the system. */
export function filesWith(secret: string, directories: readonly string[]): readonly string[] {
	const ofRuns = readdirSync(tmpdir())
		.filter((name) => name.startsWith("cronium-"))
		.map((name) => join(tmpdir(), name));
	const places = [...directories, ...ofRuns, "/var/log"];
	const { stdout } = spawnSync("grep", ["-rlsaF", "--devices=skip", "-e", secret, ...places], { encoding: "utf8" });
	return stdout.split("\n").filter((line) => line !== "");
}
