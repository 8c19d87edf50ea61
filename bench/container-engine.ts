import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { type ContainerEngine, connectEngine, findEngine } from "../host/executors/container/engine-client.ts";
import { buildOffline } from "../host/images/build-image.ts";
import { type ImageName, imageReference } from "../host/images/images.ts";

/** An engine with our images: the machine's own, or one that is started for as long as the bench takes. */
export interface BenchEngine extends AsyncDisposable {
	readonly engine: ContainerEngine;
}

const startMs = 20_000;

/** Undefined where there is none and none can be started. */
export async function openBenchEngine(images: readonly ImageName[]): Promise<BenchEngine | undefined> {
	await using opened = new AsyncDisposableStack();
	const engine = await findEngine().catch(() => startDocker(opened));
	if (!engine) return undefined;
	opened.use(engine);
	for (const image of images)
		if (!(await engine.inspectImage(imageReference(image)))) await buildOffline(engine, image, new AbortController().signal);
	const owned = opened.move();
	return { engine, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startDocker(opened: AsyncDisposableStack): Promise<ContainerEngine | undefined> {
	if (process.getuid?.() !== 0 || spawnSync("sh", ["-c", "command -v dockerd"]).status !== 0) return undefined;
	const directory = await mkdtemp(join(tmpdir(), "engine-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const place = (name: string): string => join(directory, name);
	const address = `unix://${place("socket")}`;
	const child = spawn(
		"dockerd",
		[
			...["--bridge=none", "--iptables=false", "--ip6tables=false", "--userns-remap=default", "-H", address],
			...["--data-root", place("data"), "--exec-root", place("exec"), "--pidfile", place("pid")],
		],
		{ stdio: "ignore" },
	);
	opened.defer(() => stop(child));
	for (const end = performance.now() + startMs; performance.now() < end; await wait(100)) {
		if (child.exitCode !== null) return undefined;
		const engine = await connectEngine(address).catch(() => undefined);
		if (engine) return engine;
	}
	return undefined;
}

async function stop(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null) return;
	const ended = once(child, "exit");
	child.kill("SIGTERM");
	await ended;
}
