import { type ContainerOptions, containerSpec } from "../../host/executors/container/container-spec.ts";
import type { ContainerEngine } from "../../host/executors/container/engine-client.ts";
import { engineFiles } from "../../host/executors/container/engine-files.ts";
import { imageReference } from "../../host/images/images.ts";

const MiB = 1024 * 1024;

/** What runs get, small. */
export const smallLimits: ContainerOptions["limits"] = {
	memoryBytes: 64 * MiB,
	cpuThousandths: 1_000,
	maxProcesses: 64,
	maxOpenFiles: 256,
	work: { bytes: 4 * MiB, inodes: 512 },
	temporary: { bytes: 4 * MiB, inodes: 512 },
};

/** Everything that a run's container has, by this engine, with a command of the test. */
export function options(engine: ContainerEngine, dataDirectory: string, command: readonly string[]): ContainerOptions {
	return {
		image: imageReference("bash"),
		user: { uid: 1_000, gid: 1_000 },
		command,
		environment: {},
		labels: { "cronium.test": "1" },
		limits: smallLimits,
		network: "none",
		userNamespace: engine.kind === "podman" ? "auto" : "engine",
		...engineFiles(engine, dataDirectory),
	};
}

export interface ContainerEnd {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
	readonly isOutOfMemory: boolean;
}

/** Runs a container to its end, and removes it. */
export async function runContainer(engine: ContainerEngine, given: ContainerOptions, input = ""): Promise<ContainerEnd> {
	const id = await engine.createContainer(`test-${crypto.randomUUID()}`, containerSpec(engine, given));
	try {
		await using streams = await engine.attach(id);
		await engine.startContainer(id);
		const exited = engine.waitForExit(id);
		exited.catch(() => {});
		streams.input.end(input);
		const texts = { stdout: "", stderr: "" };
		for await (const { source, bytes } of streams.output) texts[source] += bytes;
		const code = await exited;
		return { code, ...texts, isOutOfMemory: (await engine.inspectContainer(id))?.isOutOfMemory ?? false };
	} finally {
		await engine.removeContainer(id);
	}
}
