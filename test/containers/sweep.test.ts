import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connectEngine } from "../../host/executors/container/engine-client.ts";
import { containerLabels, slotName, sweepContainers } from "../../host/executors/container/sweep.ts";
import { imageReference } from "../../host/images/images.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

describe.each(engineKinds)("%s", async (kind) => {
	const found = await findTestEngine(kind, ["bash"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}

	test("what a dead host has left is removed, and not what a host makes that starts meanwhile", async () => {
		await using engine = await connectEngine(found.address);
		const { path: directory, remove } = temporaryDirectory();
		const installation = `sweep-${kind}-${process.pid}`;
		const make = async (host: string): Promise<string> => {
			mkdirSync(join(directory, slotName(host, "00000000")));
			return await engine.createContainer(`cronium-test-${installation}-${host}`, {
				Image: imageReference("bash"),
				Cmd: ["true"],
				Labels: { [containerLabels.installation]: installation, [containerLabels.host]: host },
			});
		};
		const isThere = async (host: string, id: string) => [
			existsSync(join(directory, slotName(host, "00000000"))),
			(await engine.inspectContainer(id)) !== undefined,
		];
		const [dead, young] = ["d".repeat(24), "a".repeat(24)];
		const containers = [await make(dead)];
		try {
			await sweepContainers(engine, {
				installation,
				directory,
				// It was not there yet when the others were asked whether they live.
				liveHosts: async () => {
					containers.push(await make(young));
					return [];
				},
			});
			expect(await isThere(dead, containers[0] as string)).toEqual([false, false]);
			expect(await isThere(young, containers[1] as string)).toEqual([true, true]);
		} finally {
			for (const id of containers) await engine.removeContainer(id);
			remove();
		}
	});
});
