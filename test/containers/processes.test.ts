import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { deserter } from "../deserter.ts";
import { printed } from "../printed.ts";
import { type ContainerHost, containersOf, openContainerHost, reported } from "./container-host.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

/** Hears nothing, and says when it is ready for that. */
const deaf = `trap '' TERM INT HUP
source cronium.sh
cronium_set_output '"kept"'
cronium_set_condition true
echo ready
while :; do sleep 1; done`;

describe.each(engineKinds)("the processes of a script in a container of %s", async (kind) => {
	const isMissing = "missing" in (await findTestEngine(kind));
	let containers: ContainerHost;
	beforeAll(async () => {
		if (!isMissing)
			containers = await openContainerHost(kind, { limits: { containerGraceMs: 300, maxContainers: 3, maxCpuTimeMs: 60_000 } });
	});
	afterAll(() => containers?.[Symbol.asyncDispose]());
	afterEach(() => containers?.requireNothingLeft());

	/** Starts a run that is stopped by the signal once it has printed `ready`. */
	const startAndStop = async (source: string) => {
		const stop = new AbortController();
		const outcome = await containers.run("script.sh", source, {
			signal: stop.signal,
			onLog: ({ message }) => message === "ready" && stop.abort(),
		});
		return outcome;
	};

	test.skipIf(isMissing)("end with it, also those that have left it", async () => {
		const outcome = await containers.run("deserter.py", deserter);
		expect(outcome).toMatchObject({ status: "succeeded" });
		expect(printed(outcome)).toBe("left");
	});

	test.skipIf(isMissing)("cannot harm what holds them", async () => {
		const [attacked, suicide] = await Promise.all([
			containers.run(
				"attack.py",
				`
import json, os, signal, time
# The first process hands on what it hears.
heard = []
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: heard.append(number))
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT):
    os.kill(1, number)
# What comes later would find a Python that has no handlers any more.
for _ in range(500):
    if len(heard) > 1:
        break
    time.sleep(0.01)
# And the shell that waits for the end of the host, with all others.
try:
    os.kill(-1, signal.SIGKILL)
except ProcessLookupError:
    pass
print(json.dumps({"init": open("/proc/1/stat").read().split()[2]}))
`,
			),
			containers.run("suicide.sh", "kill -KILL -1; kill -KILL $$; sleep 60"),
		]);
		expect(attacked).toMatchObject({ status: "succeeded" });
		expect(reported(attacked)).toEqual({ init: expect.stringMatching(/^[SRD]$/) });
		expect(suicide).toMatchObject({ status: "failed", exitCode: 137, error: { code: "script-error" } });
	});

	test.skipIf(isMissing)("are asked to end, and killed when they do not", async () => {
		const polite = `trap 'echo asked; exit 0' TERM
echo ready
while :; do sleep 0.05; done`;
		const [asked, killed, stopped] = await Promise.all([
			startAndStop(polite),
			startAndStop(deaf),
			startAndStop("echo ready; kill -STOP $$; kill -STOP -1"),
		]);
		for (const outcome of [asked, killed, stopped])
			expect(outcome).toMatchObject({ status: "cancelled", exitCode: 130, error: { code: "cancelled" } });
		expect(printed(asked)).toBe("ready\nasked");
		// What was acknowledged before the end is kept.
		expect(killed).toMatchObject({ output: "kept", condition: true });
	});

	test.skipIf(isMissing)("end by their time, whatever they do", async () => {
		const [wall, cpu] = await Promise.all([
			containers.run("wall.sh", deaf, { limits: { maxWallTimeMs: 1_500 } }),
			containers.run("cpu.sh", "trap '' TERM; echo begun; while :; do :; done", { limits: { maxCpuTimeMs: 300 } }),
		]);
		expect(wall).toMatchObject({ status: "timed-out", exitCode: 124, output: "kept", error: { code: "wall-time-exceeded" } });
		expect(cpu).toMatchObject({
			status: "timed-out",
			error: { code: "cpu-time-exceeded", limit: { name: "maxCpuTimeMs", value: 300 } },
		});
		expect(printed(cpu)).toBe("begun");
	});

	test.skipIf(isMissing)("end as they say, and what they have set and printed is kept", async () => {
		const failing = (how: string) => `source cronium.sh
cronium_set_output '[1]'
cronium_set_condition false
for number in 1 2 3; do echo "out $number"; echo "error $number" >&2; done
${how}`;
		const ends = await Promise.all(
			["exit 0", "exit 3", "exit 255", "kill -TERM $$"].map((how) => containers.run("end.sh", failing(how))),
		);
		for (const outcome of ends) {
			expect(outcome).toMatchObject({ output: [1], condition: false });
			expect(printed(outcome)).toBe("out 1\nout 2\nout 3");
			expect(printed(outcome, "stderr")).toBe("error 1\nerror 2\nerror 3");
		}
		expect(ends.map(({ status, exitCode }) => [status, exitCode])).toEqual([
			["succeeded", 0],
			["failed", 3],
			["failed", 255],
			["failed", 143],
		]);
	});

	test.skipIf(isMissing)("are cancelled while their run waits, and while its container is made", async () => {
		const { host, engine } = containers;
		// A namespace has two of the three places, and both are taken: the third run waits.
		const stop = new AbortController();
		const holders = [1, 2].map(() => containers.run("hold.sh", "sleep 60", { signal: stop.signal }));
		const waiting = new AbortController();
		const third = containers.run("third.sh", "echo never", { signal: waiting.signal });
		await expect.poll(async () => (await containersOf(engine, host.id)).length, { timeout: 20_000 }).toBe(2);
		waiting.abort();
		expect(await third).toMatchObject({ status: "cancelled", logs: [] });
		stop.abort();
		for (const outcome of await Promise.all(holders)) expect(outcome.status).toBe("cancelled");
		const making = new AbortController();
		const made = containers.run("made.sh", "echo never", { signal: making.signal });
		await expect.poll(async () => (await containersOf(engine, host.id)).length, { timeout: 20_000, interval: 5 }).toBe(1);
		making.abort();
		expect(await made).toMatchObject({ status: "cancelled" });
	});
});
