import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connectEngine } from "../../host/executors/container/engine-client.ts";
import { slotName, sweepContainers } from "../../host/executors/container/sweep.ts";
import { findTestEngine } from "./engines.ts";

const docker = await findTestEngine("docker", []);

test.skipIf("missing" in docker)("what a host makes that comes while others are asked for is not swept", async () => {
	if ("missing" in docker) return;
	await using engine = await connectEngine(docker.address);
	const directory = mkdtempSync(join(tmpdir(), "sweep-"));
	onTestFinished(() => rmSync(directory, { recursive: true }));
	const [dead, live, late] = ["0", "1", "2"].map((digit) => digit.repeat(32)) as [string, string, string];
	const make = (hostId: string): string => {
		const name = slotName(hostId, "00000000");
		mkdirSync(join(directory, name));
		return name;
	};
	make(dead);
	const kept = [make(live), "of somebody else"];
	mkdirSync(join(directory, "of somebody else"));
	await sweepContainers(engine, {
		installation: "cronium-test-sweep",
		directory,
		liveHosts: async () => {
			kept.push(make(late));
			return [live];
		},
	});
	expect(readdirSync(directory).sort()).toEqual(kept.sort());
});
