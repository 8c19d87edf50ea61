import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { sshdObstacle, startSshd } from "./sshd.ts";

test("a host for tests has accounts of its own, and takes the key of the tests", async (context) => {
	const obstacle = sshdObstacle(true);
	if (obstacle !== undefined) context.skip(obstacle);
	await using sshd = await startSshd({ accounts: { fisher: { shell: "/usr/bin/fish" } } });
	const ssh = (user: string, command: string): string =>
		execFileSync(
			"ssh",
			[
				...["-i", sshd.keyFile, "-p", `${sshd.port}`, "-o", `UserKnownHostsFile=${sshd.knownHostsFile}`, "-o", "BatchMode=yes"],
				`${user}@${sshd.address}`,
				command,
			],
			{ encoding: "utf8" },
		).trim();
	expect(ssh("runner", "id -un; pwd")).toBe(`runner\n${sshd.account.home}`);
	expect(ssh("fisher", "echo $FISH_VERSION")).toMatch(/^\d/);
	await sshd.changeHostKeys();
	expect(() => ssh("runner", "true")).toThrow("REMOTE HOST IDENTIFICATION HAS CHANGED");
});
