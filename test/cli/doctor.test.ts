import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { guaranteeNames } from "../../host/executors/container/isolation.ts";
import { imageReference } from "../../host/images/images.ts";
import { engineKinds, findTestEngine } from "../containers/engines.ts";
import { createDirectory, cronium } from "./cronium.ts";

describe("without an engine", () => {
	test("it says so, what is there, and what to do, and ends with 1", async () => {
		const data = join(createDirectory(), "data");
		const engine = "unix:///nowhere/engine.sock";
		const { code, stdout, stderr } = await cronium(["doctor", "--data", data, "--container-engine", engine]);
		expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
		expect(stdout).toContain(`Node            ${process.version}\n`);
		expect(stdout).toContain(`Data directory  ${data} (not there yet)\n`);
		expect(stdout).toContain("\nunix:///nowhere/engine.sock: cannot ask for the version: there is no such socket\n");
		expect(stdout.split("\n").length).toBeLessThan(10);
	});

	test("as JSON it has the code of what is in the way", async () => {
		const data = createDirectory();
		mkdirSync(join(data, "d"));
		const given = ["doctor", "--json", "--data", join(data, "d")];
		const { code, stdout } = await cronium(given, { env: { CRONIUM_CONTAINER_ENGINE: "tcp://192.0.2.1:2375" } });
		expect(code).toBe(1);
		expect(JSON.parse(stdout)).toMatchObject({
			canRunContainers: false,
			node: process.version,
			dataDirectory: { path: join(data, "d"), exists: true },
			problems: [{ code: "engine-unreachable", message: expect.stringContaining("without TLS") }],
		});
	});
});

describe.each(engineKinds)("with %s", async (kind) => {
	const found = await findTestEngine(kind, ["bash"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}

	test("it names the engine, its images and every guarantee, and ends with 0", async () => {
		const env = { CRONIUM_CONTAINER_ENGINE: found.address };
		const data = join(createDirectory(), "data");
		const text = await cronium(["doctor", "--data", data], { env });
		expect(text).toMatchObject({ code: 0, stderr: "" });
		expect(text.stdout).toMatch(new RegExp(`^Engine {10}${kind} [\\d.]+.* at ${found.address}$`, "m"));
		for (const name of guaranteeNames) expect(text.stdout).toMatch(new RegExp(`^${name} +yes *$`, "m"));
		expect(text.stdout).toMatch(/\nScripts can run in containers\.\n$/);

		const json = await cronium(["doctor", "--json", "--data", data], { env });
		expect(json.code).toBe(0);
		const findings = JSON.parse(json.stdout);
		expect(findings).toMatchObject({ canRunContainers: true, problems: [], engine: { kind, address: found.address } });
		expect(findings.images[imageReference("bash")]).toBe(true);
		expect(findings.guarantees.map(({ name, isKept }: { name: string; isKept: boolean }) => [name, isKept])).toEqual(
			guaranteeNames.map((name) => [name, true]),
		);
	});
});
