import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostsFile, SshHosts } from "../../host/executors/ssh/hosts-file.ts";
import { type RunningServer, serve } from "../../host/serve.ts";
import { cronium } from "../cli/cronium.ts";
import { filesWith, processesWith, secretOf } from "../ssh/secret-search.ts";
import { sshdObstacle, startSshd, type TestSshd } from "../ssh/sshd.ts";

const obstacle = sshdObstacle(true);

/** Says by what it reaches its helpers, and tries what it may and what it may not. */
const bash = `. cronium.sh
echo "url=\${CRONIUM_API_URL:+yes} socket=\${CRONIUM_SOCKET:+yes} trust=\${CRONIUM_CA_CERT:+yes}"
cronium_get_input
cronium_set_variable seen 1 || true
cronium_set_output '{"kept":1.0}'
exit 7
`;
const python = `import cronium
cronium.set_output(cronium.get_input())
`;
const javascript = `import { getInput, setOutput } from "cronium";
await setOutput(await getInput());
`;

describe.skipIf(obstacle !== undefined)("a script on an SSH host, of a data directory that is being served", () => {
	const opened = new AsyncDisposableStack();
	let sshd: TestSshd;
	let server: RunningServer;
	let data: string;
	let directory: string;
	beforeAll(async () => {
		directory = mkdtempSync(join(tmpdir(), "served-scripts-"));
		opened.defer(() => rmSync(directory, { recursive: true, force: true }));
		data = join(directory, "data");
		sshd = opened.use(await startSshd());
		server = await serve({
			dataDirectory: data,
			listen: { host: "0.0.0.0", port: 0 },
			controlListen: { path: join(directory, "control.sock") },
			tlsNames: ["127.0.0.1"],
			drainMs: 0,
			limits: { maxWorkers: 1 },
		});
		opened.defer(() => server.close());
		const hosts = new SshHosts(hostsFile(data));
		const { address, port, account, keyFile, fingerprint } = sshd;
		const members = { address, port, user: account.name, key: keyFile, fingerprints: [fingerprint], shared: true };
		await hosts.add("web", members);
		await hosts.add("pinned", { ...members, "pin-address": true });
		await hosts.add("tunnel", { ...members, reach: "tunnel" });
	});
	afterAll(() => opened.disposeAsync());

	const run = (name: string, source: string, ...given: string[]) => {
		const file = join(directory, name);
		writeFileSync(file, source);
		return cronium(["run", "--data", data, file, "--input", "[1.0]", ...given]);
	};

	test.each(["web", "pinned"])("is handed to the server, which gives it the URL: %s", async (host) => {
		const result = await run("by-url.sh", bash, "--in", `ssh:${host}`);
		expect(result.stderr).toContain("url=yes socket= trust=yes");
		expect(result).toMatchObject({ code: 7, stdout: '{"kept":1.0}\n' });
		expect(result.stderr).toContain("[1.0]");
		expect(result.stderr).toContain("variables:write");
	});

	test("has the socket of its connection where the host's entry says so", async () => {
		const result = await run("by-socket.sh", bash, "--in", "ssh:tunnel");
		expect(result.stderr).toContain("url= socket=yes trust=");
		expect(result).toMatchObject({ code: 7, stdout: '{"kept":1.0}\n' });
	});

	test.each([
		["a.py", python],
		["a.mjs", javascript],
	])("verifies the certificate of the server's own in every language: %s", async (name, source) => {
		expect(await run(name, source, "--in", "ssh:web")).toMatchObject({
			code: 0,
			stdout: expect.stringMatching(/^\[1(\.0)?\]\n$/),
		});
	});

	test("has a token for the URL that is in no list of processes and no file, and none that is shown to who asks for the run", async () => {
		const file = join(directory, "secret.sh");
		writeFileSync(file, ". cronium.sh; cronium_get_input; echo begun; sleep 60");
		let found: readonly string[] | undefined;
		let secret = "";
		const result = await cronium(["run", "--data", data, file, "--in", "ssh:web", "--input", "1"], {
			onStderr: (text, child) => {
				if (found || !text.includes("begun")) return;
				secret = secretOf(sshd);
				found = [...processesWith(secret), ...filesWith(secret, [directory, sshd.directory])];
				child.kill("SIGINT");
			},
		});
		expect(found).toEqual([]);
		expect(result.stdout + result.stderr).not.toContain(secret);
		for (const argv of [
			["executions", "list", "--json"],
			["audit", "list"],
		])
			expect((await cronium([...argv, "--data", data])).stdout).not.toContain(secret);
		expect(filesWith(secret, [directory, sshd.directory])).toEqual([]);
	});

	test("prints all of the outcome, and records it, as if it had run here", async () => {
		const recording = join(directory, "recording.json");
		const result = await run("whole.py", python, "--in", "ssh:web", "--json", "--record", recording);
		expect(JSON.parse(result.stdout)).toMatchObject({ status: "succeeded", exitCode: 0, executionId: expect.any(String) });
		expect(existsSync(recording)).toBe(true);
	});

	test("is cancelled there by Ctrl-C here, and leaves no process on the host", async () => {
		const file = join(directory, "endless.sh");
		writeFileSync(file, "echo started\nexec sleep 4242\n");
		let isAsked = false;
		const result = await cronium(["run", "--data", data, file, "--in", "ssh:web"], {
			onStderr: (text, child) => {
				if (!isAsked && text.includes("started")) isAsked = child.kill("SIGINT");
			},
		});
		expect(result.code).toBe(130);
		await expect
			.poll(() => sshd.processesOf(sshd.account).filter((line) => line.includes("4242")), { timeout: 10_000 })
			.toEqual([]);
	});

	test("is refused for a host that there is not, by the name of those that there are", async () => {
		const result = await run("nowhere.sh", bash, "--in", "ssh:nowhere");
		expect(result.code).not.toBe(0);
		expect(result.stderr).toMatch(/nowhere.*(pinned|tunnel|web)/s);
	});
});
