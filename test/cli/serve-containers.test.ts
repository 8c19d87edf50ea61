import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readCommandLine } from "../../host/cli/command.ts";
import { command } from "../../host/cli/serve.ts";
import { readServeSettings } from "../../host/cli/serve-settings.ts";
import { findEngine } from "../../host/executors/container/engine-client.ts";
import { createHost } from "../../host/index.ts";
import { findTestEngine } from "../containers/engines.ts";
import { createDirectory, cronium } from "./cronium.ts";

describe("the settings of containers", () => {
	const read = (argv: readonly string[], environment: NodeJS.ProcessEnv = {}) =>
		readServeSettings(readCommandLine(command, ["--data", "/data", ...argv]), environment).containers;

	test("come from the file, the environment and the line; the later ones win", () => {
		const file = join(createDirectory(), "cronium.toml");
		writeFileSync(
			file,
			'container-engine = "unix:///file.sock"\ncontainer-images = "a:1, b:2"\ncontainer-allow = "cpu-limit"\ncontainer-listen = "10.0.0.1:9000"\ncontainer-network = "own"\n',
		);
		expect(read(["--config", file])).toEqual({
			engine: "unix:///file.sock",
			images: ["a:1", "b:2"],
			allowMissing: ["cpu-limit"],
			tcp: { host: "10.0.0.1", port: 9_000, name: "10.0.0.1", network: "own" },
		});
		const environment = { CRONIUM_CONTAINER_ENGINE: "unix:///environment.sock", CRONIUM_CONTAINER_IMAGES: "c:3" };
		expect(read(["--config", file], environment)).toMatchObject({ engine: "unix:///environment.sock", images: ["c:3"] });
		const line = ["--config", file, "--container-engine", "unix:///line.sock", "--container-host", "host.internal"];
		expect(read(line, environment)).toMatchObject({ engine: "unix:///line.sock", tcp: { name: "host.internal" } });
	});

	test("are none when nothing is said: no image beside ours, nothing allowed, no address", () => {
		expect(read([])).toEqual({ images: [], allowMissing: [] });
	});

	test.each([
		[["--container-host", "a"], "--container-host needs --container-listen."],
		[["--container-network", "a"], "--container-network needs --container-listen."],
		[["--container-listen", "unix:/a.sock"], '--container-listen is "unix:/a.sock"; it must be HOST:PORT.'],
		[["--container-listen", "9000"], '--container-listen is "9000"; it must be HOST:PORT, [IPV6]:PORT or unix:PATH.'],
	])("%j is a mistake", (argv, message) => {
		expect(() => read(argv)).toThrow(message);
	});

	test.each([
		["--container-allow", "user-namespace,seccmp", '"seccmp" cannot be allowed to be missing: it is none of user-namespace, '],
		["--container-engine", "/run/docker.sock", '"/run/docker.sock" is not the address of a container engine: '],
		["--container-engine", "tcp://192.0.2.1:2375", "tcp://192.0.2.1:2375 would be reached without TLS: "],
	])("%s %s is a mistake that no server starts with", async (option, value, message) => {
		const { code, stderr } = await cronium(["serve", "--data", join(createDirectory(), "data"), option, value]);
		expect(code).toBe(2);
		expect(stderr).toContain(`cronium: ${message}`);
	});
});

const docker = await findTestEngine("docker");
if ("missing" in docker) test.skip(`hosts and containers: ${docker.missing}`);
else
	describe("hosts and containers", () => {
		test("a host removes what one that has died has left in the engine and in the data directory, and nothing of others", async () => {
			const dataDirectory = join(createDirectory(), "data");
			const script = { name: "a.sh", source: "echo begun; sleep 600" };
			// It is killed with its run under way.
			const program = `import { createHost } from ${JSON.stringify(new URL("../../host/index.ts", import.meta.url).href)};
const host = await createHost({ dataDirectory: ${JSON.stringify(dataDirectory)}, limits: { maxWorkers: 1, maxIdleContainers: 0 }, containers: { engine: ${JSON.stringify(docker.address)} } });
await host.run({ script: ${JSON.stringify(script)}, onLog: () => { console.log(host.id); process.kill(process.pid, "SIGKILL"); } });`;
			let dead = "";
			try {
				execFileSync(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
			} catch (error) {
				dead = String((error as { stdout: Buffer }).stdout).trim();
			}
			await using engine = await findEngine(docker.address);
			const others = (await engine.listContainers({})).map(({ id }) => id);
			expect(await engine.listContainers({ "cronium.host": dead })).toHaveLength(1);
			const slots = (): string[] => readdirSync(join(dataDirectory, "runs")).filter((name) => /^[0-9a-f]{10}-/.test(name));
			expect(slots()).toHaveLength(1);
			// The name of a directory of the host's own, and one that is nobody's.
			mkdirSync(join(dataDirectory, "runs", `${"0".repeat(10)}-${"0".repeat(8)}`));
			mkdirSync(join(dataDirectory, "runs", "kept"));
			await using host = await createHost({
				dataDirectory,
				warm: false,
				limits: { maxWorkers: 1, maxIdleContainers: 0 },
				containers: { engine: docker.address },
			});
			await host.prepareContainers();
			expect(await engine.listContainers({ "cronium.host": dead })).toEqual([]);
			expect(slots()).toEqual([]);
			expect(readdirSync(join(dataDirectory, "runs"))).toContain("kept");
			expect(others.length).toBeGreaterThan(0);
			const [record] = await host.executions.list();
			expect(record).toMatchObject({ mode: "container", status: "lost", hostId: dead });
		});

		test("where no socket can be mounted a container reaches its helpers at an address, with the same credentials", async () => {
			const name = `cronium-test-${randomBytes(4).toString("hex")}`;
			const run = (...argv: string[]): string =>
				execFileSync("docker", ["--host", docker.address, ...argv], { encoding: "utf8" });
			run("network", "create", name);
			onTestFinished(() => void run("network", "rm", name));
			const gateway = run("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", name).trim();
			await using host = await createHost({
				dataDirectory: join(createDirectory(), "data"),
				warm: false,
				limits: { maxWorkers: 1, maxIdleContainers: 0 },
				containers: {
					engine: docker.address,
					allowMissing: ["network-none"],
					tcp: { host: gateway, port: 0, name: gateway, network: name },
				},
			});
			const source =
				'source cronium.sh; cronium_set_output "$(cronium_get_input)"; [[ ! -S /run/cronium/api.sock && -z "$(printenv CRONIUM_SOCKET)" ]] && echo "$CRONIUM_API_URL"';
			const { status, output, logs, error } = await host.run({ script: { name: "a.sh", source }, input: "[1]" });
			expect({ status, output, error }).toEqual({ status: "succeeded", output: [1], error: undefined });
			expect(logs.map(({ message }) => message)).toEqual([expect.stringMatching(`^https://${gateway}:[1-9]\\d*$`)]);
		});
	});
