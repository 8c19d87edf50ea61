import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { packZip } from "../../host/executors/ssh/zip-archive.ts";
import { imageTimeoutMs, placePythonImage } from "../python-image.ts";
import { cloneLauncher, createDirectory, cronium, type Ended, launcher, projectDirectory, writeFiles } from "./cronium.ts";

let directory: string;
beforeEach(() => {
	directory = createDirectory();
	// Nothing above it is the project.
	write({ "project/package.json": "{}" });
});

const data = (): string => join(directory, "data");

const write = (files: Readonly<Record<string, string | Uint8Array>>): void => writeFiles(directory, files);

async function run(...argv: string[]): Promise<Ended> {
	return await cronium(["run", ...argv], { cwd: join(directory, "project"), env: { CRONIUM_DATA: data() } });
}

const wheel = (module: string, source: string): Buffer => packZip(new Map([[`${module}.py`, Buffer.from(source)]]));

describe("cronium run, of Python in the sandbox", () => {
	beforeEach(async () => {
		await placePythonImage(data(), "built");
	}, imageTimeoutMs);

	test("its own modules go with it, what --with and --file name, and its arguments; its exit code comes back", async () => {
		write({
			"project/app/main.py": `#!/usr/bin/env python3
import sys
import beside, rates, tax, other, tools.inner
from pathlib import Path
print(beside.name, rates.rate, tax.rate, other.name, tools.inner.name, Path(__file__).with_name("table.csv").read_text(), sys.argv)
sys.exit(3)`,
			"project/app/beside.py": "from deep.below import name",
			"project/app/deep/below.py": "name = 'below'",
			"project/app/table.csv": "1;2",
			"wheels/rates-1.0-py3-none-any.whl": wheel("rates", "rate = 0.25"),
			"downloads/tax-1.0-py3-none-any.whl": wheel("tax", "rate = 0.19"),
			"lib/other.py": "name = __name__",
			"lib/tools/__init__.py": "",
			"lib/tools/inner.py": "name = __name__",
			"lib/tools/__pycache__/inner.pyc": "x",
		});
		const gave = [
			"--with",
			"../wheels/rates-1.0-py3-none-any.whl",
			"--with",
			"../downloads",
			"--with",
			"../lib/other.py",
			"--with",
			"../lib/tools",
		];
		const { code, stdout, stderr } = await run("app/main.py", ...gave, "--file", "app/table.csv", "one", "--", "--two", "");
		expect({ code, stdout, stderr }).toEqual({
			code: 3,
			stdout: "",
			stderr: `below 0.25 0.19 other tools.inner 1;2 ['app/main.py', 'one', '--two', '']\ncronium: The script ended with exit code 3.\n`,
		});
	});

	test("a traceback shows the script's own frames with their lines, as Python does", async () => {
		write({
			"project/fails.py": "import part\n\npart.total(None)\n",
			"project/part.py": "def total(orders):\n    return sum(orders)\n",
		});
		const { code, stderr } = await run("fails.py");
		expect(code).toBe(1);
		expect(stderr).toMatch(
			/^cronium: TypeError: 'NoneType' object is not iterable\n {2}File "fails.py", line 3, in <module>\n {4}part.total\(None\)\n(?: {4,}[~^]+\n)? {2}File "part.py", line 2, in total\n {4}return sum\(orders\)\n/,
		);
	});

	test.each([
		[["--with", "data.csv"], /--with: "data.csv" is no wheel \(.whl\), module \(.py\) or directory of a package; --file/],
		[
			["--with", "numpy-2-cp314-cp314-manylinux_2_17_x86_64.whl"],
			/The wheel "numpy-2-.*" is for cp314-cp314-manylinux_2_17_x86_64: it has native code, .* container mode \(--in container\)/,
		],
		[["--engine", "quickjs-wasi"], /--engine is for JavaScript and TypeScript in the sandbox; "main.py" is python/],
		[["--image", "x"], /--image is for containers, and this script runs in the sandbox; --in container runs it in one/],
	])("%j is refused", async (argv, message) => {
		write({
			"project/main.py": "print(1)",
			"project/data.csv": "1",
			"project/numpy-2-cp314-cp314-manylinux_2_17_x86_64.whl": wheel("numpy", ""),
		});
		const { code, stdout, stderr } = await run("main.py", ...argv);
		expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
		expect(stderr).toMatch(message);
	});

	test("a module that leads out of the project keeps the run from being started", async () => {
		write({ "secret.py": "secret = 1", "project/main.py": "import secret" });
		symlinkSync("../secret.py", join(directory, "project/secret.py"));
		const { code, stdout, stderr } = await run("main.py", "--json");
		expect(code).toBe(1);
		expect(JSON.parse(stdout)).toMatchObject({ executionId: null, error: { code: "import-error" } });
		expect(stderr).toMatch(/^cronium: The modules of main.py: "secret.py" leads out of/);
	});

	test("examples/orders.py gives what examples/orders.ts gives", async () => {
		const input = ["--input", `@${join(projectDirectory, "examples/orders.json")}`];
		const results: Ended[] = [];
		for (const [index, language] of ["ts", "py"].entries())
			for (let turn = 0; turn < 2; turn++)
				results.push(await run(join(projectDirectory, `examples/orders.${language}`), ...input, "--namespace", `n${index}`));
		expect(results.slice(2)).toEqual(results.slice(0, 2));
		expect(JSON.parse(results[1]?.stdout ?? "")).toMatchObject({ runs: 2, changeSinceLastRun: 0 });
	});
});

test("a clone runs Python, too, in an image with a hash seed of its own", { timeout: imageTimeoutMs }, async () => {
	await placePythonImage(data());
	await placePythonImage(data(), "built");
	write({ "project/main.py": "print(hash('a text'))" });
	const hashes = [];
	for (const program of [launcher, cloneLauncher]) {
		const options = { cwd: join(directory, "project"), env: { CRONIUM_DATA: data() }, launcher: program };
		const { code, stdout, stderr } = await cronium(["run", "main.py"], options);
		expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: expect.stringMatching(/^-?\d+\n$/) });
		hashes.push(stderr);
	}
	expect(hashes[0]).not.toBe(hashes[1]);
});

test("a Node that cannot suspend WebAssembly is told what Python needs, and runs JavaScript", async () => {
	write({ "project/a.py": "print(1)", "project/a.js": "export default () => 1" });
	const older = ["--import", "data:text/javascript,delete WebAssembly.Suspending; delete WebAssembly.promising"];
	const runThere = (script: string): Promise<Ended> =>
		cronium(["run", join(directory, "project", script)], { nodeArguments: older, env: { CRONIUM_DATA: data() } });
	expect(await runThere("a.py")).toEqual({
		code: 1,
		stdout: "",
		stderr: `cronium: Python in the sandbox needs Node 24.20 or newer, and this is ${process.versions.node}: WebAssembly cannot be suspended there. --in container runs it.\n`,
	});
	expect(await runThere("a.js")).toEqual({ code: 0, stdout: "1\n", stderr: "" });
});
