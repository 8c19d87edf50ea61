import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { printed } from "../printed.ts";
import { type ContainerHost, openContainerHost, reported } from "./container-host.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

const MiB = 1024 * 1024;
const exhaustion = readFileSync(join(import.meta.dirname, "attacks/exhaustion.py"), "utf8");

/** Counts to three by helpers: what every run can do as long as its neighbours are held. */
const neighbour = `source cronium.sh
for one in 1 2 3; do cronium_increment_variable counted; done`;

/** Connects without ever shaking hands, until nobody takes more; then shakes hands as often as it can. */
const flood = `
import json, socket, ssl, time
import cronium
def connect():
    one = socket.socket(socket.AF_UNIX)
    one.connect("/run/cronium/api.sock")
    return one
def is_kept(one):
    try:
        return one.recv(1, socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
many = [connect() for _ in range(300)]
print("flooding", flush=True)
while sum(map(is_kept, many)) > 8:
    time.sleep(0.05)
kept = sum(map(is_kept, many))
for one in many:
    one.close()
context = ssl.create_default_context(cafile="/run/cronium/ca.pem")
context.load_cert_chain("/run/cronium/client.pem", "/run/cronium/client.key")
shaken = 0
for _ in range(20):
    try:
        context.wrap_socket(connect(), server_hostname="localhost").close()
        shaken += 1
    except OSError:
        pass
cronium.set_output("through")
print(json.dumps({"kept": kept, "shaken": shaken}))
`;

describe.each(engineKinds)("a script in a container of %s that takes all it can", async (kind) => {
	const isMissing = "missing" in (await findTestEngine(kind));
	/** What does not depend on the engine is tried with one of them. */
	const isElsewhere = isMissing || kind !== engineKinds[0];
	let containers: ContainerHost;
	beforeAll(async () => {
		if (!isMissing) containers = await openContainerHost(kind, { limits: { maxCpuTimeMs: 60_000 } });
	});
	afterAll(() => containers?.[Symbol.asyncDispose]());
	afterEach(() => containers?.requireNothingLeft());

	test.skipIf(isMissing)("gets processes, descriptors and files up to its limits, and the next run finds them all", async () => {
		const limits = {
			maxContainerMemoryBytes: 256 * MiB,
			maxContainerProcesses: 40,
			maxContainerOpenFiles: 64,
			maxContainerDiskBytes: 2 * MiB,
			maxContainerDiskFiles: 100,
		};
		const outcome = await containers.run("exhaustion.py", exhaustion, { limits });
		expect(outcome).toMatchObject({ status: "succeeded", output: "still there" });
		const { places, forks, threads, descriptors } = reported(outcome);
		// Message queues are no files: none can be made.
		expect(Object.keys(places).sort()).toEqual(
			["/dev/mqueue", "/dev/shm", "/tmp", "/work", ...(kind === "podman" ? ["/var/tmp"] : [])].sort(),
		);
		for (const [place, found] of Object.entries<{ bytes: number; stopped: string; inodes: { files: number; stopped: string } }>(
			places,
		)) {
			const limit = place === "/dev/mqueue" ? 0 : 2 * MiB;
			expect(found.stopped, place).toMatch(/^E(NOSPC|ACCES|MFILE|PERM|INVAL)$/);
			expect(found.bytes, place).toBeLessThanOrEqual(limit);
			// Podman has no limit of files: what they take is the container's memory.
			if (kind === "docker" || place === "/dev/mqueue") {
				expect(found.inodes.files, place).toBeLessThanOrEqual(100);
				expect(found.inodes.stopped, place).toMatch(/^E(NOSPC|MFILE|ACCES|PERM)$/);
			}
		}
		expect(places["/work"].bytes).toBeGreaterThan(MiB);
		expect(places["/tmp"].bytes).toBeGreaterThan(MiB);
		expect(forks.stopped).toBe("EAGAIN");
		expect(forks.count).toBeLessThan(40);
		expect(threads.stopped).toMatch(/can't start new thread/);
		expect(threads.count).toBeLessThan(40);
		expect(descriptors).toMatchObject({ stopped: "EMFILE", raised: false });
		expect(descriptors.count).toBeLessThan(64);
		await containers.requireNothingLeft();
		expect(
			await containers.run("next.sh", 'for file in /work/* /tmp/*; do [ -e "$file" ] && exit 1; done; exit 0'),
		).toMatchObject({
			status: "succeeded",
		});
	});

	test.skipIf(isMissing)(
		"is told that memory was what it lacked, and nobody else is",
		async () => {
			const limits = { maxContainerMemoryBytes: 48 * MiB, maxContainerDiskBytes: 4096 * MiB };
			const bomb = "tail /dev/zero";
			const [itself, child, afterwards, files, killed, crashed] = await Promise.all([
				containers.run("bomb.py", "taken = []\nwhile True: taken.append(bytes(1 << 20))", { limits }),
				containers.run("survivor.sh", `source cronium.sh\n${bomb}\ncronium_set_output "$?"`, { limits }),
				containers.run("afterwards.sh", `${bomb}\nexit 3`, { limits }),
				containers.run("files.sh", "exec cat /dev/zero > /work/zeroes", { limits }),
				containers.run("killed.sh", "kill -KILL $$", { limits }),
				containers.run("crashed.sh", "kill -SEGV $$", { limits }),
			]);
			expect(itself).toMatchObject({
				status: "failed",
				exitCode: 1,
				error: { code: "memory-exceeded", limit: { name: "maxContainerMemoryBytes", value: 48 * MiB, unit: "bytes" } },
			});
			// The main process lives on, and says itself how it went.
			expect(child).toMatchObject({ status: "succeeded", output: 137 });
			expect(afterwards).toMatchObject({ status: "failed", exitCode: 3, error: { code: "script-error" } });
			expect(files.status).toBe("failed");
			// With version 1 of control groups Podman's counter may be gone before it is read, when the container ends at once.
			if (kind === "docker") {
				expect(afterwards.error?.message).toContain("maxContainerMemoryBytes");
				expect(files.error?.code).toBe("memory-exceeded");
			} else if (files.error?.code !== "memory-exceeded") expect(files.error?.message).toContain("SIGKILL");
			expect(killed).toMatchObject({
				status: "failed",
				exitCode: 137,
				error: { code: "script-error", message: expect.stringContaining("SIGKILL") },
			});
			expect(crashed).toMatchObject({
				status: "failed",
				exitCode: 139,
				error: { code: "script-error", message: expect.stringContaining("SIGSEGV") },
			});
		},
		60_000,
	);

	test.skipIf(isElsewhere)(
		"prints more than is kept, and goes on, and others go on",
		async () => {
			const limits = { maxLogBytes: 64 * 1024, maxLogLineBytes: 4096 };
			const before = process.memoryUsage().rss;
			const flood = containers.run(
				"flood.sh",
				`source cronium.sh
head -c 100000000 /dev/zero | tr '\\0' 'x' &
yes | head -c 40000000 >&2
wait
cronium_set_output '"printed"'`,
				{ limits },
			);
			const calls = containers.run("neighbour.sh", neighbour, { namespace: "neighbour" });
			expect(await calls).toMatchObject({ status: "succeeded" });
			const outcome = await flood;
			expect(outcome).toMatchObject({ status: "succeeded", output: "printed" });
			expect(outcome.usage.logBytes).toBeLessThanOrEqual(64 * 1024);
			expect(outcome.logs.filter(({ source }) => source === "system")).toHaveLength(1);
			// 400 MB went by.
			expect(process.memoryUsage().rss - before).toBeLessThan(200 * MiB);
		},
		60_000,
	);

	test.skipIf(isElsewhere)("prints what is no text, and ends by its time when it never stops", async () => {
		const [strange, endless] = await Promise.all([
			containers.run(
				"strange.sh",
				"printf 'a\\0b\\n\\xff\\xfe\\n\\xe2\\x82'; printf '\\xac\\n'; printf '\\x1b[31m\\r\\n'; head -c 9000 /dev/zero | tr '\\0' 'y'; printf '\\nlast without end'",
				{ limits: { maxLogLineBytes: 4096 } },
			),
			containers.run("endless.sh", "yes", { limits: { maxLogBytes: 4096, maxWallTimeMs: 1_500 } }),
		]);
		expect(strange).toMatchObject({ status: "succeeded" });
		const lines = printed(strange).split("\n");
		expect(lines.slice(0, 4)).toEqual(["a\0b", "\ufffd\ufffd", "€", "\u001b[31m"]);
		expect(lines.at(-1)).toBe("last without end");
		for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(4096);
		expect(endless).toMatchObject({ status: "timed-out", exitCode: 124, error: { code: "wall-time-exceeded" } });
		expect(endless.logs.some(({ source }) => source === "system")).toBe(true);
	});

	test.skipIf(isElsewhere)("floods its door, and neither its neighbours nor its own calls are kept out", async () => {
		const flooding = Promise.withResolvers<void>();
		const outcome = containers.run("flood.py", flood, {
			limits: { maxRunConnections: 8, maxRunHandshakesPerSecond: 10 },
			onLog: ({ message }) => message === "flooding" && flooding.resolve(),
		});
		outcome.then(() => flooding.resolve());
		await flooding.promise;
		expect(await containers.run("neighbour.sh", neighbour, { namespace: "quiet" })).toMatchObject({ status: "succeeded" });
		expect(await containers.host.variables("quiet").get("counted")).toBe("3");
		expect(await outcome).toMatchObject({ status: "succeeded", output: "through" });
		expect(reported(await outcome)).toMatchObject({ kept: expect.any(Number), shaken: expect.any(Number) });
		expect(reported(await outcome).shaken).toBeGreaterThan(0);
	});
});
