import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, test } from "vitest";
import { containerLabels } from "../../host/executors/container/sweep.ts";
import { printed } from "../printed.ts";
import { type ContainerHost, containersOf, openContainerHost, processesThatSee, requireAddress } from "./container-host.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

describe.each(engineKinds)("containers of %s", async (kind) => {
	const isMissing = "missing" in (await findTestEngine(kind));
	/** What does not depend on the engine is tried with one of them. */
	const isElsewhere = isMissing || kind !== engineKinds[0];
	const children: ChildProcess[] = [];
	afterAll(() => {
		for (const child of children) child.kill("SIGKILL");
	});

	const waiting = async ({ engine, host }: ContainerHost) =>
		(await containersOf(engine, host.id)).filter(({ isRunning }) => isRunning);

	test.skipIf(isMissing)(
		"wait for one job each, by their image, and none is left with the host",
		async () => {
			await using containers = await openContainerHost(kind, { limits: { maxIdleContainers: 1, maxContainers: 4 } });
			const { engine, host } = containers;
			const source =
				"echo $HOSTNAME > /work/seen; ls /work /tmp /script; cat /proc/sys/kernel/random/uuid >/dev/null; stat -c %i /work";
			try {
				expect(await containers.run("first.sh", source)).toMatchObject({ status: "succeeded" });
				await expect.poll(async () => (await waiting(containers)).length, { timeout: 20_000 }).toBe(1);
				const [kept] = await waiting(containers);
				const second = await containers.run("second.sh", source);
				// The one that waited had it, in directories of its own.
				expect(printed(second)).toContain("second.sh");
				expect(printed(second)).not.toContain("first.sh");
				expect((await containersOf(engine, host.id)).map(({ id }) => id)).not.toContain(kept?.id);
				// Another image has one of its own.
				expect(await containers.run("third.py", "print(1)")).toMatchObject({ status: "succeeded" });
				await expect.poll(async () => (await waiting(containers)).length, { timeout: 20_000 }).toBe(2);
				// One that was killed by somebody else is not given a job.
				for (const { id } of await waiting(containers)) await engine.killContainer(id, "SIGKILL");
				await expect.poll(async () => (await waiting(containers)).length, { timeout: 20_000 }).toBe(0);
				expect(await containers.run("fourth.sh", "echo fine")).toMatchObject({ status: "succeeded" });
				await expect.poll(async () => (await waiting(containers)).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(1);
			} finally {
				await host.dispose();
				await containers.requireNothingLeft();
			}
		},
		60_000,
	);

	test.skipIf(isElsewhere)("are shared out among namespaces", async () => {
		await using containers = await openContainerHost(kind, { limits: { maxContainers: 2 } });
		const order: string[] = [];
		const run = async (namespace: string, name: string) => {
			const outcome = await containers.run("turn.sh", "sleep 0.2", { namespace });
			expect(outcome.status).toBe("succeeded");
			order.push(name);
		};
		// A flood of one, and then somebody else, who has not to wait for all of it.
		await Promise.all([...Array(5).keys()].map((index) => run("flood", `flood ${index}`)).concat(run("other", "other")));
		expect(order.indexOf("other")).toBeLessThan(order.indexOf("flood 3"));
		await containers.requireNothingLeft();
	});

	test.skipIf(isMissing)(
		"end with a host that was killed, and its successor finds the run lost and removes what is left",
		async () => {
			const address = await requireAddress(kind);
			const dataDirectory = await mkdtemp(join(tmpdir(), "doomed-"));
			// Another installation, and a second host of this one: neither is the dead one's.
			await using stranger = await openContainerHost(kind);
			await using neighbour = await openContainerHost(kind, { dataDirectory });
			const stop = new AbortController();
			const others = [stranger, neighbour].map((one) => one.run("other.sh", "sleep 60", { signal: stop.signal }));
			try {
				const child = spawn(process.execPath, [join(import.meta.dirname, "doomed-host.ts"), dataDirectory, address], {
					stdio: ["ignore", "pipe", "inherit"],
				});
				children.push(child);
				const [line] = (await once(createInterface(child.stdout as NonNullable<typeof child.stdout>), "line")) as [string];
				const { id, hostId } = JSON.parse(line) as { id: string; hostId: string };
				await expect.poll(async () => (await waiting(neighbour)).length, { timeout: 20_000 }).toBe(1);
				await expect.poll(async () => (await waiting(stranger)).length, { timeout: 20_000 }).toBe(1);
				const before = await neighbour.engine.listContainers({ [containerLabels.host]: hostId });
				expect(before.length).toBeGreaterThan(0);
				child.kill("SIGKILL");
				await once(child, "exit");
				// Nobody tells it: it sees that its input has ended.
				const running = async () =>
					(await neighbour.engine.listContainers({ [containerLabels.host]: hostId })).filter(({ isRunning }) => isRunning);
				await expect.poll(running, { timeout: 20_000 }).toEqual([]);
				await using successor = await openContainerHost(kind, { dataDirectory });
				expect(await successor.host.executions.outcome(id)).toMatchObject({ status: "lost", error: { code: "lost" } });
				await successor.host.prepareContainers();
				expect(await neighbour.engine.listContainers({ [containerLabels.host]: hostId })).toEqual([]);
				expect((await successor.left()).filter((what) => what.startsWith(`directory ${hostId.slice(0, 10)}`))).toEqual([]);
				expect(await waiting(neighbour)).toHaveLength(1);
				expect(await waiting(stranger)).toHaveLength(1);
			} finally {
				stop.abort();
				for (const outcome of await Promise.all(others)) expect(outcome.status).toBe("cancelled");
				await neighbour.host.dispose();
				expect(processesThatSee(dataDirectory)).toEqual([]);
				await rm(dataDirectory, { recursive: true, force: true });
			}
		},
		60_000,
	);

	test.skipIf(isElsewhere)("of a copy of the data directory are another installation's", async () => {
		await using original = await openContainerHost(kind);
		const copy = await mkdtemp(join(tmpdir(), "copy-"));
		const stop = new AbortController();
		const held = original.run("held.sh", "sleep 60", { signal: stop.signal });
		try {
			await expect.poll(async () => (await waiting(original)).length, { timeout: 20_000 }).toBe(1);
			await cp(original.dataDirectory, copy, { recursive: true, filter: (path) => !/\.sock$/.test(path) });
			await using other = await openContainerHost(kind, { dataDirectory: copy });
			await other.host.prepareContainers();
			expect(await waiting(original)).toHaveLength(1);
		} finally {
			stop.abort();
			await held;
			await rm(copy, { recursive: true, force: true });
		}
		await original.requireNothingLeft();
	});
});
