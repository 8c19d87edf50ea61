// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what a shell expands.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../host/index.ts";
import { printed } from "../printed.ts";
import { openSshRuns, type SshRuns } from "./ssh-runs.ts";
import { sshdObstacle } from "./sshd.ts";

/** Hears nothing, has a process that has left it, and says when it is ready for that. */
const deaf = `trap '' TERM INT HUP
. cronium.sh
cronium_set_output '"kept"'
(setsid sleep 600 &)
echo ready
while :; do sleep 1; done`;

const obstacle = sshdObstacle(true);

/** Starts a script, and resolves when it has said that it is ready. */
async function start(
	runs: SshRuns,
	source: string,
	options: Parameters<SshRuns["run"]>[2] = {},
): Promise<{ readonly outcome: Promise<Outcome> }> {
	const ready = Promise.withResolvers<void>();
	const outcome = runs.run("script.sh", source, { ...options, onLog: ({ message }) => message === "ready" && ready.resolve() });
	await Promise.race([
		ready.promise,
		outcome.then((ended) => {
			throw new Error(`The script has ended: ${JSON.stringify(ended)}`);
		}),
	]);
	return { outcome };
}

/** Processes of sshd: those of the sessions of accounts, or the one that takes connections. */
function sshdProcesses({ sshd }: SshRuns, kind: "sessions" | "listener"): readonly number[] {
	if (kind === "sessions")
		return Object.values(sshd.accounts)
			.flatMap((account) => sshd.processesOf(account))
			.filter((line) => /^\d+ sshd: /.test(line))
			.map((line) => Number.parseInt(line, 10));
	const { stdout } = spawnSync(
		"pgrep",
		["-f", `^sshd: .*${sshd.directory}/sshd_config|^/usr/sbin/sshd .*${sshd.directory}/sshd_config`],
		{
			encoding: "utf8",
		},
	);
	return stdout.trim().split("\n").map(Number);
}

const send = (pids: readonly number[], signal: NodeJS.Signals): void => {
	for (const pid of pids) process.kill(pid, signal);
};

/** The keepers of an account: two processes each. */
const keepers = ({ sshd }: SshRuns): readonly string[] =>
	sshd.processesOf(sshd.account).filter((line) => /^\d+ \/bin\/sh -c IFS= read -r _program/.test(line));

describe.skipIf(obstacle !== undefined)("a run on an SSH host", () => {
	let runs: SshRuns;
	beforeAll(async () => {
		runs = await openSshRuns({ limits: { containerGraceMs: 300 } });
	});
	afterAll(() => runs?.[Symbol.asyncDispose]());
	afterEach(() => runs.requireNothingLeft());

	const startAndStop = async (source: string): Promise<Outcome> => {
		const stop = new AbortController();
		const { outcome } = await start(runs, source, { signal: stop.signal });
		stop.abort();
		return await outcome;
	};

	test("that is cancelled is asked to end, and killed when it does not", async () => {
		const [asked, killed, stopped] = await Promise.all([
			startAndStop("trap 'echo asked; exit 0' TERM\necho ready\nwhile :; do sleep 0.05; done"),
			startAndStop(deaf),
			startAndStop("echo ready; kill -STOP $$"),
		]);
		for (const outcome of [asked, killed, stopped])
			expect(outcome).toMatchObject({ status: "cancelled", exitCode: 130, error: { code: "cancelled" } });
		expect(printed(asked)).toBe("ready\nasked");
		// What was acknowledged before the end is kept.
		expect(killed.output).toBe("kept");
		// The connections may be laying out the next run.
		expect(runs.left().filter((line) => !/^\d+ cp -R sdk\//.test(line))).toEqual([]);
	});

	test("that takes too long ends in the same way", async () => {
		const outcome = await runs.run("late.sh", `${deaf}`, { limits: { maxWallTimeMs: 1_500 } });
		expect(outcome).toMatchObject({ status: "timed-out", exitCode: 124, output: "kept", error: { code: "wall-time-exceeded" } });
		expect(runs.left()).toEqual([]);
	});

	test("can be cancelled before its script has begun", async () => {
		const stop = new AbortController();
		const outcome = runs.run("never.sh", "echo begun; sleep 60", { signal: stop.signal });
		stop.abort();
		expect(await outcome).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
	});

	test("has ended when nothing is there any more that watches over it, and nothing of it is left", async () => {
		for (const how of ["kill $pids", "kill -KILL $pids", "kill -KILL ${pids%% *}", "kill -KILL ${pids##* }"]) {
			const source = `trap '' TERM
(setsid sleep 600 &)
pids=$(pgrep -u "$(id -u)" -f '^/bin/sh -c IFS= read -r _program' | tr '\\n' ' ')
pids=\${pids% }
echo "$pids"
${how}
echo killed
[ "$1" = polite ] || sleep 60`;
			const isPolite = how === "kill $pids";
			const outcome = await runs.run("killer.sh", source, {
				arguments: [isPolite ? "polite" : "rude"],
				limits: { maxWallTimeMs: 30_000 },
			});
			// Who asks politely is not heard.
			if (isPolite) expect(outcome).toMatchObject({ status: "succeeded" });
			else expect(outcome).toMatchObject({ status: "failed", error: { code: "host-connection-lost" } });
			expect(runs.left()).toEqual([]);
		}
		expect(await runs.run("next.sh", "echo fine")).toMatchObject({ status: "succeeded" });
	}, 60_000);

	test("that kills all of its account, and with it the connection, is gone as well", async () => {
		const outcome = await runs.run("everything.sh", "(setsid sleep 600 &) ; kill -KILL -1; sleep 60");
		expect(outcome).toMatchObject({ status: "failed", error: { code: "host-connection-lost" } });
		expect(runs.left()).toEqual([]);
	});

	test("is told by seconds when its time is over, so that the clock of the host may be wrong", async () => {
		const { outcome } = await start(runs, `${deaf}`, { limits: { maxWallTimeMs: 5_000 } });
		const [file] = runs.left().filter((path) => path.endsWith(".left"));
		// Ten more than there is time, counted down by the host; no time of day.
		expect(Number.parseInt(readFileSync(file as string, "utf8"), 10)).toBeLessThanOrEqual(16);
		expect(await outcome).toMatchObject({ status: "timed-out" });
	});

	test("ends with its host process, and the next one removes what is left", async () => {
		const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, "doomed-host.ts"), runs.dataDirectory], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		try {
			const [line] = (await once(createInterface(child.stdout as NonNullable<typeof child.stdout>), "line")) as [string];
			const { id } = JSON.parse(line) as { id: string };
			// A live host's, which nobody touches who connects.
			expect(runs.left().length).toBeGreaterThan(0);
			const before = runs.left();
			await runs.run("other.sh", "true");
			expect(runs.left()).toEqual(expect.arrayContaining(before.filter((line) => line.endsWith("sleep 600"))));
			child.kill("SIGKILL");
			await once(child, "exit");
			await runs.requireNothingLeft();
			expect(id).toBeTruthy();
		} finally {
			child.kill("SIGKILL");
		}
	});
});

describe.skipIf(obstacle !== undefined)("a run whose connection", () => {
	test("is cut for five seconds goes on, and nothing of it is lost", { timeout: 60_000 }, async () => {
		await using runs = await openSshRuns();
		const { outcome } = await start(
			runs,
			". cronium.sh; echo ready; for i in 1 2 3 4 5 6 7; do echo $i; sleep 1; done; cronium_set_output 7",
		);
		const sessions = sshdProcesses(runs, "sessions");
		expect(sessions.length).toBeGreaterThan(0);
		send(sessions, "SIGSTOP");
		await sleep(5_000);
		send(sessions, "SIGCONT");
		const ended = await outcome;
		expect(ended).toMatchObject({ status: "succeeded", output: 7 });
		expect(printed(ended)).toBe("ready\n1\n2\n3\n4\n5\n6\n7");
		await runs.requireNothingLeft();
	});

	test("is cut for ever has ended here and there", { timeout: 60_000 }, async () => {
		await using runs = await openSshRuns({ limits: { hostSilenceMs: 2_000 } });
		const { outcome } = await start(runs, deaf);
		// Nobody comes through any more.
		const stopped = [...sshdProcesses(runs, "listener"), ...sshdProcesses(runs, "sessions")];
		send(stopped, "SIGSTOP");
		try {
			expect(await outcome).toMatchObject({ status: "failed", output: "kept", error: { code: "host-connection-lost" } });
			await runs.requireNothingLeft();
			await expect.poll(() => keepers(runs), { timeout: 10_000 }).toEqual([]);
		} finally {
			send(stopped, "SIGCONT");
		}
	});

	test("ends with the host, has ended, and what the host had is removed when it is there again", {
		timeout: 60_000,
	}, async () => {
		await using runs = await openSshRuns({ limits: { maxQueuedRuns: 100 } });
		const { outcome } = await start(runs, deaf);
		await runs.sshd.stop();
		const ended = await outcome;
		expect(ended).toMatchObject({ status: "failed", output: "kept", error: { code: "host-connection-lost" } });
		expect(ended.error?.message).toContain("web (runner@127.0.0.1");
		expect(await runs.run("down.sh", "true")).toMatchObject({ status: "failed", error: { code: "host-unreachable" } });
		await runs.sshd.start();
		expect(await runs.run("again.sh", "true")).toMatchObject({ status: "succeeded" });
		await runs.requireNothingLeft();
	});

	test("leaves no directory there when the host is done with it", async () => {
		const runs = await openSshRuns();
		await using _sshd = runs.sshd;
		expect(await runs.run("one.sh", "true")).toMatchObject({ status: "succeeded" });
		await runs[Symbol.asyncDispose]();
		expect(keepers(runs)).toEqual([]);
	});
});
