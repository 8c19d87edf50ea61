// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what a shell expands.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type ServeOptions, serve } from "../../host/serve.ts";
import { createDirectory, cronium } from "../cli/cronium.ts";
import { openSshRuns, type SshRuns } from "./ssh-runs.ts";
import { freePort, sshdObstacle } from "./sshd.ts";

const obstacle = sshdObstacle(true);

describe.skipIf(obstacle !== undefined)("a script is put onto an SSH host", () => {
	let runs: SshRuns;
	beforeAll(async () => {
		runs = await openSshRuns();
	});
	afterAll(() => runs?.[Symbol.asyncDispose]());
	afterEach(() => runs.requireNothingLeft());

	const run = (source: string, ...argv: readonly string[]) => {
		const directory = createDirectory();
		writeFileSync(join(directory, "job.sh"), source);
		writeFileSync(join(directory, "beside.txt"), "beside\n");
		return cronium(["run", "job.sh", "--data", runs.dataDirectory, ...argv], { cwd: directory });
	};

	test("by cronium run, with its input, its arguments, its files and its exit code", async () => {
		const source = '. cronium.sh; cat "${0%/*}/beside.txt"; echo "$1" >&2; cronium_set_output "$(cronium_get_input)"; exit 7';
		const given = ["--in", "ssh:web", "--input", '{"a":1.0}', "--file", "beside.txt", "--", "it's $(id)"];
		expect(await run(source, ...given)).toEqual({
			code: 7,
			stdout: '{"a":1.0}\n',
			stderr: expect.stringMatching(
				/^(?:beside\nit's \$\(id\)|it's \$\(id\)\nbeside)\ncronium: The script ended with exit code 7\.\n$/,
			),
		});
	});

	test("by cronium run, with the scopes that it is given", async () => {
		const source = ". cronium.sh; cronium_increment_variable count";
		const refused = await run(source, "--in", "ssh:web");
		expect(refused.stderr).toContain("--scope of the run");
		expect(await run(source, "--in", "ssh:web", "--scope", "variables:write")).toMatchObject({ code: 0 });
	});

	test.each([
		[["--in", "ssh:nowhere"], 'There is no SSH host "nowhere"; there are web.'],
		[["--in", "ssh:"], '--in is "ssh:"; it must be sandbox, container, or ssh:NAME'],
		[["--in", "ssh:web", "--reach", "car"], '--reach is "car"; it must be one of auto, url, tunnel, agent.'],
		[["--in", "ssh:web", "--reach", "url"], "`cronium serve` with --url"],
		[["--in", "ssh:web", "--scope", "all"], '--scope is "all"; it must be one of '],
		[["--in", "ssh:web", "--memory", "1GiB"], "--memory is for the sandbox and containers, and this script runs on an SSH host."],
		[["--in", "ssh:web", "--image", "x"], "--image is for containers, and this script runs on an SSH host."],
		[["--in", "container", "--reach", "url"], "--reach is for SSH hosts, and this script runs in a container."],
	])("not with %j", async (argv, message) => {
		const { code, stdout, stderr } = await run("true", ...argv);
		expect({ code: code === 0, stdout }).toEqual({ code: false, stdout: "" });
		expect(stderr).toContain(message);
	});

	const serveData = async (options: Partial<ServeOptions> = {}) => {
		const server = await serve({
			dataDirectory: runs.dataDirectory,
			listen: { host: "127.0.0.1", port: 0 },
			controlListen: { host: "127.0.0.1", port: 0 },
			drainMs: 0,
			...options,
		});
		onTestFinished(() => server.close());
		return server;
	};

	test("by the process that serves the data directory, and reaches its helpers by the URL of that", async () => {
		const port = await freePort("127.0.0.1");
		const listen = { host: "127.0.0.1", port };
		await serveData({ listen, tlsNames: ["127.0.0.1"], scriptUrl: `https://127.0.0.1:${port}` });
		const source = '. cronium.sh; echo "${CRONIUM_API_URL%%:*} ${CRONIUM_SOCKET##*/}"; cronium_set_output "$(cronium_get_input)"';
		for (const [reach, way] of [
			["url", "https "],
			["auto", "https "],
			["tunnel", " api.sock"],
		] as const) {
			const outcome = await run(source, "--in", "ssh:web", "--reach", reach, "--input", "[1]");
			expect(outcome).toEqual({ code: 0, stdout: "[1]\n", stderr: `${way}\n` });
		}
	});

	test("by the tunnel when it does not reach the URL", async () => {
		await serveData({ tlsNames: ["localhost", "127.0.0.1"], scriptUrl: "https://127.0.0.1:1" });
		expect(await run('echo "${CRONIUM_SOCKET##*/}"', "--in", "ssh:web")).toMatchObject({ code: 0, stderr: "api.sock\n" });
	});

	test("by the control API, which shows where it ran", async () => {
		const server = await serveData();
		const credential = readFileSync(server.operatorTokenFile, "utf8").trim();
		const call = async (method: string, path: string, body?: object) => {
			const answer = await fetch(`${server.controlUrl}/control/v1${path}`, {
				method,
				headers: { authorization: `Bearer ${credential}`, ...(body && { "content-type": "application/json" }) },
				...(body && { body: JSON.stringify(body) }),
			});
			return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
		};
		const script = { name: "api.sh", source: '. cronium.sh; cronium_set_output "\\"$1 $(cat "${0%/*}/a.txt")\\""' };
		const started = await call("POST", "/runs", {
			mode: "ssh",
			host: "web",
			script,
			arguments: ["one"],
			files: { "a.txt": { base64: "dHdv" } },
			reach: "tunnel",
		});
		expect(started).toMatchObject({ status: 201, body: { mode: "ssh", host: "web" } });
		const outcome = await call("GET", `/runs/${started.body.id}/outcome?waitMs=20000`);
		expect(outcome).toMatchObject({ status: 200, body: { status: "succeeded", output: "one two" } });
		for (const [request, status, code] of [
			[{ mode: "ssh", script }, 400, "invalid"],
			[{ mode: "ssh", host: "nowhere", script }, 404, "not-found"],
			[{ mode: "ssh", host: "web", script, namespace: "other" }, 403, "denied"],
			[{ mode: "ssh", host: "web", script, reach: "agent" }, 503, "unavailable"],
			[{ mode: "ssh", host: "web", script, image: "x" }, 400, "invalid"],
			[{ mode: "container", host: "web", script }, 400, "invalid"],
			[{ mode: "external", host: "web" }, 400, "invalid"],
		] as const)
			expect(await call("POST", "/runs", request)).toMatchObject({ status, body: { code } });
	});
});
