import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostsFile, SshHosts } from "../../host/executors/ssh/hosts-file.ts";
import { openConnection } from "../../host/executors/ssh/open-connection.ts";
import { openSshDoors } from "../conformance/ssh-door-server.ts";
import { printed } from "../printed.ts";
import { createNetwork, networkObstacle, type TestNetwork } from "./network.ts";
import { openSshRuns, type SshRuns } from "./ssh-runs.ts";
import { sshdObstacle } from "./sshd.ts";

const obstacle = sshdObstacle(true) ?? networkObstacle();
if (obstacle !== undefined) test.skip(`hosts with networks of their own: ${obstacle}`);

describe.skipIf(obstacle !== undefined)("SSH hosts with networks of their own", { timeout: 60_000 }, () => {
	const opened = new AsyncDisposableStack();
	let [near, far]: TestNetwork[] = [];
	/** Knows both hosts; the one of the far host is told early that a host shows no life. */
	let runs: SshRuns;
	let impatient: SshRuns;
	beforeAll(async () => {
		near = opened.use(createNetwork(0));
		far = opened.use(createNetwork(1));
		runs = opened.use(await openSshRuns({ sshd: { network: near }, members: { reach: "tunnel" } }));
		impatient = opened.use(await openSshRuns({ sshd: { network: far }, limits: { hostSilenceMs: 2_000 } }));
		const { address, port, account, keyFile, fingerprint } = impatient.sshd;
		await runs.addHost("far", { address, port, user: account.name, key: keyFile, fingerprints: [fingerprint], reach: "tunnel" });
		await runs.addHost("pinned", { "pin-address": true, reach: "url", shared: true });
	});
	afterAll(() => opened.disposeAsync());

	/** Where it is, and a number that it has counted to. */
	const count = (to: number): string => `. cronium.sh
grep -o '198\\.1[89]\\.[0-9]*\\.[0-9]*$' /proc/net/fib_trie | sort -u
echo begun
for ((n = 0; n < ${to}; n++)); do cronium_increment_variable n >/dev/null || exit; sleep 0.5; done
cronium_set_output "$(cronium_get_variable n)"`;
	const options = (namespace: string, onBegun?: () => void) => ({
		namespace,
		scopes: ["variables:read", "variables:write", "output:write"] as const,
		onLog: ({ message }: { readonly message: string }) => void (message === "begun" && onBegun?.()),
	});

	test("run scripts, each its own", async () => {
		const [here, there] = await Promise.all([
			runs.run("near.sh", count(1), options("default")),
			runs.run("far.sh", count(1), { ...options("default"), host: "far" }),
		]);
		for (const [outcome, own, other] of [
			[here, near, far],
			[there, far, near],
		] as const) {
			expect(outcome).toMatchObject({ status: "succeeded" });
			expect(printed(outcome)).toContain(own?.address);
			expect(printed(outcome)).not.toContain(other?.address);
		}
		expect(await runs.host.variables("default").get("n")).toBe("2");
		await runs.host.variables("default").delete("n");
	});

	test("lose nothing of a run whose link is cut for five seconds", async () => {
		const begun = Promise.withResolvers<void>();
		const outcome = runs.run("cut.sh", count(4), options("default", begun.resolve));
		await begun.promise;
		near?.cut();
		// The other host is reached meanwhile.
		expect(await runs.run("far.sh", "echo reached", { host: "far" })).toMatchObject({ status: "succeeded" });
		await wait(5_000);
		near?.restore();
		expect(await outcome).toMatchObject({ status: "succeeded", output: 4 });
		expect(await runs.host.variables("default").get("n")).toBe("4");
		await runs.requireNothingLeft();
	});

	test("end a run whose link is cut for ever, here and there", async () => {
		const begun = Promise.withResolvers<void>();
		const source = ". cronium.sh; cronium_set_output '\"kept\"'; trap '' TERM HUP; echo begun; while :; do sleep 77; done";
		const outcome = impatient.run("deaf.sh", source, options("default", begun.resolve));
		await begun.promise;
		const sleeping = (): readonly string[] =>
			impatient.sshd.processesOf(impatient.sshd.account).filter((line) => line.includes("sleep 77"));
		expect(sleeping()).toHaveLength(1);
		far?.cut();
		try {
			expect(await outcome).toMatchObject({ status: "failed", output: "kept", error: { code: "host-connection-lost" } });
			await expect.poll(sleeping, { timeout: 30_000 }).toEqual([]);
		} finally {
			far?.restore();
		}
	});

	test("cannot use the token of another one where tokens are pinned", async () => {
		const own = near as TestNetwork;
		await using doors = await openSshDoors("url", runs, own.ownAddress);
		const host = new SshHosts(hostsFile(runs.dataDirectory)).find("pinned");
		await using line = await openConnection(host, { limits: runs.host.limits });
		const run = await runs.host.open({});
		await using door = await doors.open(run, { host, line, directory: "/nowhere" });
		const { CRONIUM_API_URL: url, CRONIUM_EXECUTION_TOKEN: token } = door.environment;
		const directory = mkdtempSync(join(tmpdir(), "pinned-"));
		try {
			const trusted = join(directory, "ca.pem");
			writeFileSync(trusted, door.files?.["ca.pem"] as string);
			const ask = async ({ namespace }: TestNetwork): Promise<string> => {
				const curl = [
					"curl",
					"-q",
					"-s",
					"--noproxy",
					"*",
					"--cacert",
					trusted,
					"-o",
					"/dev/null",
					"-w",
					"%{http_code}",
					"-K",
					"-",
				];
				const child = spawn("ip", ["netns", "exec", namespace, ...curl], { stdio: ["pipe", "pipe", "inherit"] });
				child.stdin.end(`url = "${url}/v1/condition"\nheader = "Authorization: Bearer ${token}"\n`);
				return await text(child.stdout);
			};
			expect(await ask(own)).toBe("200");
			expect(await ask(far as TestNetwork)).toBe("401");
			expect(await ask(own)).toBe("200");
		} finally {
			rmSync(directory, { recursive: true, force: true });
		}
		run.end({ status: "succeeded" });
		await run.outcome;
	});
});
