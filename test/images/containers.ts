import type { ContainerEngine } from "../../host/executors/container/engine-client.ts";

export interface Ended {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs a command in a container of its own, with nothing that a run does not have: no network, no capabilities, a root file system to read. */
export async function runConfined(engine: ContainerEngine, image: string, command: readonly string[]): Promise<Ended> {
	return await runContainer(engine, {
		Image: image,
		Cmd: command,
		User: "12345:12345",
		Env: ["CRONIUM_STUB_INPUT=[1]"],
		HostConfig: { ReadonlyRootfs: true, CapDrop: ["ALL"], Tmpfs: { "/tmp": "", "/work": "" } },
	});
}

export async function runContainer(
	engine: ContainerEngine,
	{ HostConfig, ...body }: { readonly HostConfig?: object; readonly [member: string]: unknown },
): Promise<Ended> {
	const id = await engine.createContainer(`images-${process.pid}-${Date.now()}`, {
		AttachStdout: true,
		AttachStderr: true,
		OpenStdin: true,
		StdinOnce: true,
		...body,
		// Without limits of its own Podman takes those of a login, which it may not be allowed to set.
		HostConfig: { ...HostConfig, NetworkMode: "none", Ulimits: limits },
	});
	try {
		await using streams = await engine.attach(id);
		await engine.startContainer(id);
		streams.input.end();
		const texts = { stdout: "", stderr: "" };
		for await (const { source, bytes } of streams.output) texts[source] += bytes.toString();
		return { code: await engine.waitForExit(id), ...texts };
	} finally {
		await engine.removeContainer(id);
	}
}

const limits = ["nofile", "nproc"].map((Name) => ({ Name, Soft: 256, Hard: 256 }));
