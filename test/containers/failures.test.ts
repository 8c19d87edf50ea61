import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectEngine } from "../../host/executors/container/engine-client.ts";
import { type ImageName, imageReference } from "../../host/images/images.ts";
import { printed } from "../printed.ts";
import { type ContainerHost, openContainerHost, processesThatSee } from "./container-host.ts";
import { type EngineProcess, engineObstacle, startEngine } from "./engine-process.ts";
import { type EngineKind, engineKinds, findTestEngine, importTestImage } from "./engines.ts";

describe("without an engine that can be used", () => {
	test("a run fails, says why, and leaves nothing", async () => {
		const directory = await mkdtemp(join(tmpdir(), "no-engine-"));
		const old = createServer((_request, response) => {
			response.setHeader("content-type", "application/json");
			response.end(JSON.stringify({ Version: "19.03.15", ApiVersion: "1.40", MinAPIVersion: "1.12", Components: [] }));
		}).listen(join(directory, "old.sock"));
		const silent = createServer((_request, response) => response.destroy()).listen(join(directory, "silent.sock"));
		try {
			for (const [name, reason] of [
				["missing.sock", /missing\.sock.*no such socket/],
				["old.sock", /"19\.03\.15" with API "1\.40" is too old.*1\.41/],
				["silent.sock", /hung up|socket/],
			] as const) {
				await using containers = await openContainerHost("docker", { address: `unix://${join(directory, name)}` });
				const outcome = await containers.run("script.sh", "echo never");
				expect(outcome, name).toMatchObject({ status: "failed", exitCode: 1, logs: [], error: { code: "engine-unavailable" } });
				expect(outcome.error?.message).toMatch(reason);
				expect(processesThatSee(containers.dataDirectory)).toEqual([]);
				expect(existsSync(join(containers.dataDirectory, "runs"))).toBe(false);
			}
		} finally {
			old.close();
			silent.close();
			await rm(directory, { recursive: true, force: true });
		}
	});
});

describe.each(engineKinds)("with %s", async (kind) => {
	const isMissing = "missing" in (await findTestEngine(kind, ["bash"]));
	/** What does not depend on the engine is tried with one of them. */
	const isElsewhere = isMissing || kind !== engineKinds[0];
	const references = { empty: "localhost/cronium-test/empty:1", volume: "localhost/cronium-test/volume:1" };
	let containers: ContainerHost;
	beforeAll(async () => {
		if (isMissing) return;
		containers = await openContainerHost(kind, {
			containers: { images: [...Object.values(references), "localhost/cronium-test/none:1"] },
		});
		for (const [reference, changes] of [
			[references.empty, []],
			[references.volume, ["VOLUME /data"]],
		] as const) {
			const tar = spawn("tar", ["-c", "-C", "/var", "--no-recursion", "tmp"]);
			await containers.engine.importImage(tar.stdout, reference, { changes });
		}
	}, 120_000);
	afterAll(async () => {
		for (const reference of Object.values(references)) await containers?.engine.removeImage(reference);
		await containers?.[Symbol.asyncDispose]();
	});

	test.skipIf(isMissing)("a run that cannot have its image fails, and says why", async () => {
		const run = (image: string) => containers.run("script.sh", "echo never", { image });
		for (const [image, reason] of [
			["localhost/cronium-test/none:1", /no image localhost\/cronium-test\/none:1/],
			[references.volume, /has the volume \/data/],
			[references.empty, /no shell/],
		] as const) {
			const outcome = await run(image);
			expect(outcome, image).toMatchObject({ status: "failed", logs: [], error: { code: "image-unavailable" } });
			expect(outcome.error?.message).toMatch(reason);
			await containers.requireNothingLeft();
		}
		await expect(run("localhost/cronium-test/not-allowed:1")).rejects.toMatchObject({ code: "denied" });
		// A name is a name, and never an option or a path of the engine's.
		for (const name of ["../../../etc", "-v", "a b", ""]) await expect(run(name)).rejects.toMatchObject({ code: "denied" });
	});

	test.skipIf(isElsewhere || engineObstacle(kind) !== undefined)(
		"the image that an engine lacks is built once for all runs that wait for it, where that is allowed",
		async () => {
			await using own = await startOwnEngine(kind);
			const { address } = own;
			{
				await using strict = await openContainerHost(kind, { address });
				expect((await strict.run("script.sh", "echo never")).error).toEqual({
					code: "image-unavailable",
					message: expect.stringContaining("`cronium images build` makes it."),
				});
			}
			const missing: string[] = [];
			await using building = await openContainerHost(kind, {
				address,
				containers: { onImageMissing: (reference) => void missing.push(reference) },
			});
			const outcomes = await Promise.all([1, 2, 3].map((number) => building.run("script.sh", `echo ${number}`)));
			expect(outcomes.map((outcome) => printed(outcome))).toEqual(["1", "2", "3"]);
			expect(missing).toEqual([imageReference("bash")]);
			await building.requireNothingLeft();
		},
		120_000,
	);

	test.skipIf(isMissing || engineObstacle(kind) !== undefined)(
		"a run whose engine dies fails, ends, keeps what it has set, and the next one runs when the engine is back",
		async () => {
			await using own = await startOwnEngine(kind, "bash");
			await using dying = await openContainerHost(kind, { address: own.address });
			const outcome = await dying.run(
				"script.sh",
				"source cronium.sh; cronium_set_output '\"kept\"'; echo begun; while :; do sleep 1; done",
				{
					onLog: ({ message }) => message === "begun" && process.kill(own.pid, "SIGKILL"),
				},
			);
			expect(outcome).toMatchObject({ status: "failed", output: "kept", error: { code: "engine-unavailable" } });
			await expect.poll(() => processesThatSee(dying.dataDirectory), { timeout: 10_000 }).toEqual([]);
			await own.startAgain();
			const next = await dying.run("next.sh", "echo back");
			expect(next).toMatchObject({ status: "succeeded" });
			expect(printed(next)).toBe("back");
			await dying.requireNothingLeft();
		},
		120_000,
	);

	test.skipIf(isMissing || engineObstacle(kind) !== undefined)(
		"a run whose engine hangs has no process after its deadline and grace, and ends when the engine goes on",
		async () => {
			await using own = await startOwnEngine(kind, "bash");
			const { pid } = own;
			await using hanging = await openContainerHost(kind, { address: own.address, limits: { containerGraceMs: 500 } });
			const begun = Promise.withResolvers<void>();
			const running = hanging.run("script.sh", "trap '' TERM; echo begun; while :; do sleep 1; done", {
				limits: { maxWallTimeMs: 3_000 },
				onLog: ({ message }) => void (message === "begun" && begun.resolve()),
			});
			await begun.promise;
			process.kill(pid, "SIGSTOP");
			try {
				expect(processesThatSee(hanging.dataDirectory)).not.toEqual([]);
				// Less than the engine's own time for an answer, which is a minute.
				await expect.poll(() => processesThatSee(hanging.dataDirectory), { timeout: 40_000 }).toEqual([]);
			} finally {
				process.kill(pid, "SIGCONT");
			}
			expect(await running).toMatchObject({ status: "timed-out" });
			await hanging.requireNothingLeft();
		},
		120_000,
	);

	test.skipIf(isMissing || process.getuid?.() !== 0)(
		"a run that finds the disk full fails, and says so, and the next one runs",
		async () => {
			const directory = await mkdtemp(join(tmpdir(), "full-"));
			const data = join(directory, "data");
			mkdirSync(join(data, "runs"), { recursive: true, mode: 0o700 });
			// The directories of runs are what a run needs room for; the store has its own tests.
			const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", join(data, "runs")]);
			expect(mount.stderr.toString()).toBe("");
			try {
				await using full = await openContainerHost(kind, { dataDirectory: data });
				const big = { "big.bin": new Uint8Array(1024 * 1024) };
				const outcome = await full.run("script.sh", "echo never", { files: big });
				expect(outcome).toMatchObject({ status: "failed", logs: [], error: { code: "internal" } });
				expect(outcome.error?.message).toContain("disk of the data directory is full");
				await full.requireNothingLeft();
				expect(await full.run("script.sh", "echo fine")).toMatchObject({ status: "succeeded" });
				await full.requireNothingLeft();
			} finally {
				spawnSync("umount", ["-l", join(data, "runs")]);
				await rm(directory, { recursive: true, force: true });
			}
		},
	);
});

/** An engine of a test's own, which it may harm. */
interface OwnEngine extends AsyncDisposable {
	readonly address: string;
	readonly pid: number;
	/** After it has died. */
	startAgain(): Promise<void>;
}

async function startOwnEngine(kind: EngineKind, image?: ImageName): Promise<OwnEngine> {
	const directory = await mkdtemp(join(tmpdir(), "engine-"));
	// Containers' users have to get to what is theirs.
	chmodSync(directory, 0o711);
	const place = join(directory, "e");
	let started: EngineProcess | undefined;
	const own: OwnEngine = {
		get address() {
			return (started as EngineProcess).address;
		},
		get pid() {
			return Number(readFileSync(join(place, "pid"), "utf8"));
		},
		async startAgain() {
			// Where nobody reaps it, a dead containerd is taken for one that runs.
			rmSync(join(place, "exec/containerd/containerd.pid"), { force: true });
			started = await startEngine(kind, place);
		},
		async [Symbol.asyncDispose]() {
			await started?.stop();
			await rm(directory, { recursive: true, force: true });
		},
	};
	try {
		await own.startAgain();
		if (image === undefined) return own;
		await using engine = await connectEngine(own.address);
		await importTestImage(engine, image);
		return own;
	} catch (cause) {
		await own[Symbol.asyncDispose]();
		throw cause;
	}
}
