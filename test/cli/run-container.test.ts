import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findEngine } from "../../host/executors/container/engine-client.ts";
import { engineKinds, findTestEngine, keepKnownIsolation, takeKnownIsolation } from "../containers/engines.ts";
import { type CliOptions, createDirectory, cronium, projectDirectory } from "./cronium.ts";

/** Nobody listens there: what is refused before a container is made never asks it. */
const nowhere = "unix:///nonexistent/engine.sock";

/** Writes the files, and runs the first of them. */
async function runFile(files: Readonly<Record<string, string>>, argv: readonly string[], options: CliOptions = {}) {
	const directory = options.cwd ?? createDirectory();
	for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
	const [file = ""] = Object.keys(files);
	const env = { CRONIUM_DATA: join(directory, "data"), CRONIUM_CONTAINER_ENGINE: nowhere, ...options.env };
	takeKnownIsolation(join(directory, "data"));
	try {
		return await cronium(["run", file, ...argv], { ...options, cwd: directory, env });
	} finally {
		keepKnownIsolation(join(directory, "data"));
	}
}

describe("cronium run, of scripts for containers", () => {
	test.each([
		["a.sh", "echo", ["--in", "sandbox"], '"a.sh" is bash, which the sandbox does not run; --in container does.'],
		["a.sh", "echo", ["--in", "vm"], '--in is "vm"; it must be sandbox, container, or ssh:NAME with the name of an SSH host.'],
		[
			"a.js",
			"1",
			["--image", "x"],
			"--image is for containers, and this script runs in the sandbox; --in container runs it in one.",
		],
		[
			"a.js",
			"1",
			["--file", "x"],
			"--file is for Python, containers and SSH hosts, and this script runs in the sandbox; --in container runs it in one.",
		],
		["a.js", "1", ["--with", "x.whl"], '--with is for Python in the sandbox; "a.js" is javascript.'],
		[
			"a.sh",
			"echo",
			["--with", "x.whl"],
			"--with is for Python in the sandbox, and this script runs in a container; --file gives it files.",
		],
		[
			"a.py",
			"",
			["--in", "container", "--with", "x.whl"],
			"--with is for Python in the sandbox, and this script runs in a container; --file gives it files.",
		],
		[
			"a.py",
			"",
			["--image", "x"],
			"--image is for containers, and this script runs in the sandbox; --in container runs it in one.",
		],
		["a.py", "", ["--engine", "quickjs-wasi"], '--engine is for JavaScript and TypeScript in the sandbox; "a.py" is python.'],
		["a.js", "1", ["x"], '"x" is one argument too many: a script in the sandbox takes none.'],
		[
			"a.sh",
			"echo",
			["--engine", "quickjs-wasi"],
			"--engine is for JavaScript and TypeScript in the sandbox, and this script runs in a container.",
		],
		["a.sh", "echo", ["--allow-host", "example.com"], "--allow-host is for the sandbox, and this script runs in a container."],
		[
			"a.sh",
			"echo",
			["--container-allow", "seccmp"],
			/^"seccmp" cannot be allowed to be missing: it is none of user-namespace, /,
		],
		["a.sh", "echo", ["--container-engine", "/run/docker.sock"], '"/run/docker.sock" is not the address of a container engine'],
		["a.sh", "echo", ["--memory", "1KiB"], /^maxContainerMemoryBytes is 1024/],
		["a.rb", "puts", [], /^"a.rb" is in no language that is known; .*\.py.*#!\/usr\/bin\/env python3/],
		["a.py", "#!/usr/bin/env ruby\n", [], /^"a.py" is in no language that is known/],
	])("%s %j %j is a mistake of the command line", async (name, source, argv, message) => {
		const { code, stdout, stderr } = await runFile({ [name]: source }, argv);
		expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
		expect(stderr.replace(/^cronium: |\n$/g, "")).toMatch(
			typeof message === "string" ? new RegExp(`^${quote(message)}`) : message,
		);
	});

	test.each([
		["missing", /cannot be read \(ENOENT\)/],
		["directory", /is not a regular file/],
		["pipe", /is not a regular file/],
		["../outside", /is not in or below the directory of the script/],
		["link", /is not in or below the directory of the script/],
		["linked/outside", /is not in or below the directory of the script/],
		["a.sh", /would be in the place of the script/],
	])("--file %s is refused", async (file, message) => {
		const parent = createDirectory();
		const cwd = join(parent, "project");
		mkdirSync(join(cwd, "directory"), { recursive: true });
		writeFileSync(join(parent, "outside"), "secret");
		symlinkSync(join(parent, "outside"), join(cwd, "link"));
		symlinkSync(parent, join(cwd, "linked"));
		execFileSync("mkfifo", [join(cwd, "pipe")]);
		const { code, stdout, stderr } = await runFile({ "a.sh": "echo" }, ["--file", file], { cwd });
		expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
		expect(stderr).toMatch(message);
		expect(stderr).not.toContain("secret");
	});

	test("an engine that is not there fails the run, which is in the store with the reason", async () => {
		const cwd = createDirectory();
		const { code, stdout, stderr } = await runFile({ "a.py": "" }, ["--in", "container", "--json"], { cwd });
		expect(code).toBe(1);
		expect(stderr).toContain(nowhere);
		const { executionId } = JSON.parse(stdout) as { executionId: string };
		expect(JSON.parse(stdout)).toMatchObject({ status: "failed", exitCode: 1, error: { code: "engine-unavailable" } });
		const shown = await cronium(["executions", "show", executionId, "--json", "--data", join(cwd, "data")]);
		expect(JSON.parse(shown.stdout)).toMatchObject({ mode: "container", status: "failed", script: { name: "a.py" } });
	});

	const usual = ["/var/run/docker.sock", "/run/podman/podman.sock"].filter((path) => existsSync(path));
	test.skipIf(usual.length > 0)("without any engine it says how to get one", async () => {
		const env = { CRONIUM_CONTAINER_ENGINE: "", DOCKER_HOST: "", XDG_RUNTIME_DIR: "", PATH: "/nonexistent" };
		const { code, stderr } = await runFile({ "a.sh": "echo" }, [], { env });
		expect(code).toBe(1);
		expect(stderr).toMatch(/^cronium: There is no container engine: .* Install and start Docker or Podman, or name one with/);
	});

	test("what is wrong with TypeScript is said before there is a container", async () => {
		const { code, stderr } = await runFile({ "a.ts": "const a = 1;\nconst b = (((;\n" }, ["--in", "container"]);
		expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^cronium: a\.ts:2:\d+: /) });
	});
});

const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

for (const kind of engineKinds) {
	const engine = await findTestEngine(kind);
	if ("missing" in engine) test.skip(`cronium run with ${kind}: ${engine.missing}`);
	else
		describe(`cronium run with ${kind}`, () => {
			runInContainers(engine.address);
			// What the command line does with a container is the same with all of them.
			if (kind === "docker") runOnce(engine.address);
		});
}

function runInContainers(address: string): void {
	const env = { CRONIUM_CONTAINER_ENGINE: address };

	test("a first line #! is enough: arguments, files and input reach the script, and its exit code comes back", async () => {
		const cwd = createDirectory();
		mkdirSync(join(cwd, "lib"));
		writeFileSync(join(cwd, "lib", "beside"), "from beside");
		const source = `#!/usr/bin/env -S bash -u
printf '<%s>' "$#" "$@" "$(cat /script/lib/beside)" >&2
source cronium.sh
cronium_set_output "$(cronium_get_input)"
exit 3`;
		const argv = ["one", "--input", '{"a":1.0}', "--file", "lib/beside", "--json", "--", "--two", "", "th\"r'ee"];
		const { code, stdout, stderr } = await runFile({ tool: source }, argv, { cwd, env });
		expect({ code, stderr }).toEqual({
			code: 3,
			stderr: `<4><one><--two><><th"r'ee><from beside>\ncronium: The script ended with exit code 3.\n`,
		});
		expect(stdout).toContain('"output":{"a":1.0}');
		expect(JSON.parse(stdout)).toMatchObject({ status: "failed", exitCode: 3, error: { code: "script-error" } });
	});

	test("SIGINT cancels, and leaves no container and no directory behind", async () => {
		const cwd = createDirectory();
		let sent = false;
		const { code, stderr } = await runFile({ "a.sh": "trap '' TERM; echo waiting; while :; do sleep 1; done" }, [], {
			cwd,
			env,
			onStderr: (text, child) => {
				if (!sent && text.includes("waiting")) sent = child.kill("SIGINT");
			},
		});
		expect({ code, stderr }).toEqual({ code: 130, stderr: "waiting\ncronium: The run was cancelled.\n" });
		expect(readdirSync(join(cwd, "data", "runs")).filter((name) => /^[0-9a-f]{10}-/.test(name))).toEqual([]);
		const [record] = JSON.parse((await cronium(["executions", "list", "--json", "--data", join(cwd, "data")])).stdout) as [
			{ hostId: string },
		];
		expect(record).toMatchObject({ mode: "container", status: "cancelled", exitCode: 130 });
		await using client = await findEngine(address);
		expect(await client.listContainers({ "cronium.host": record.hostId })).toEqual([]);
	});
}

function runOnce(address: string): void {
	const env = { CRONIUM_CONTAINER_ENGINE: address };

	test("what a run in Python has found is recorded, and replayed by the stub", async () => {
		const cwd = createDirectory();
		const source =
			"import cronium\ncronium.set_output([cronium.get_input(), cronium.get_variable('rate'), cronium.get_event_context().name])\n";
		const given = [
			"--in",
			"container",
			"--input",
			'{"total":80}',
			"--var",
			"rate=0.25",
			"--event",
			'{"name":"nightly"}',
			"--record",
			"recorded.json",
		];
		const { code, stdout, stderr } = await runFile({ "a.py": source }, given, { cwd, env });
		expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '[{"total":80},0.25,"nightly"]\n', stderr: "" });
		const again = execFileSync(
			"python3",
			["-B", "-c", "import cronium; print(cronium.get_input(), cronium.get_variable('rate'))"],
			{
				cwd,
				env: {
					PATH: process.env.PATH,
					PYTHONPATH: join(projectDirectory, "guest-sdks/python"),
					CRONIUM_STUB_FIXTURE: join(cwd, "recorded.json"),
				},
				stdio: ["ignore", "pipe", "ignore"],
			},
		);
		expect(again.toString()).toBe("{'total': 80} 0.25\n");
	});

	test("TypeScript with modules of Node.js, of the project and of CommonJS runs as one file; the default export gives the output", async () => {
		const cwd = createDirectory();
		for (const name of ["ours", "common"]) mkdirSync(join(cwd, "node_modules", name), { recursive: true });
		writeFileSync(join(cwd, "package.json"), "{}");
		writeFileSync(join(cwd, "node_modules/ours/package.json"), '{"name":"ours","type":"module","exports":"./index.js"}');
		writeFileSync(join(cwd, "node_modules/ours/index.js"), "export const name = 'ours';");
		writeFileSync(join(cwd, "node_modules/common/package.json"), '{"name":"common","main":"index.js"}');
		writeFileSync(join(cwd, "node_modules/common/index.js"), "module.exports = require('path').basename('/a/common');");
		const source = `import { readdirSync } from "node:fs";
import common from "common";
import { name } from "ours";
import { log } from "cronium";
enum Level { low = 1 }
export default async (input: { n: number }) => {
	await log.info("listed", { files: readdirSync("/script").filter((file) => !file.startsWith(".")) });
	return [common, name, Level[1], input.n, process.argv.slice(2)];
};`;
		const argv = ["--in", "container", "--input", '{"n":1}', "--", "-x"];
		const { code, stdout, stderr } = await runFile({ "a.ts": source }, argv, { cwd, env });
		expect({ code, stdout, stderr }).toEqual({
			code: 0,
			stdout: '["common","ours","low",1,["-x"]]\n',
			stderr: 'info  listed {"files":["a.mjs"]}\n',
		});
	});

	test("--timeout and --memory end the script with the limit named", async () => {
		const late = await runFile({ "a.sh": "sleep 600" }, ["--timeout", "2s"], { env });
		expect(late).toMatchObject({ code: 124, stderr: expect.stringContaining("(maxWallTimeMs)") });
		const source = "import sys\nall = []\nwhile True:\n    all.append(bytearray(1 << 20))\n";
		const large = await runFile({ "a.py": source }, ["--in", "container", "--memory", "32MiB", "--json"], { env });
		expect(large.code).toBe(1);
		expect(JSON.parse(large.stdout)).toMatchObject({
			error: { code: "memory-exceeded", limit: { name: "maxContainerMemoryBytes", value: 32 * 1024 * 1024 } },
		});
	});

	test("an image that the engine has not is named", async () => {
		const { code, stdout } = await runFile({ "a.sh": "echo" }, ["--image", "localhost/none/such:1", "--json"], { env });
		expect(code).toBe(1);
		expect(JSON.parse(stdout)).toMatchObject({
			error: { code: "image-unavailable", message: expect.stringContaining("localhost/none/such:1") },
		});
	});
}
