import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createImageKey, readEngine } from "../host/sandbox/image-file.ts";
import { placePythonImage } from "./python-image.ts";

const run = promisify(execFile);
const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");

let directory: string;
/** Where the package is, as after `npm install cronium-runtime`. */
let installed: string;

beforeAll(async () => {
	directory = await mkdtemp(join(tmpdir(), "cronium-package-"));
	const built = join(directory, "built");
	installed = join(directory, "node_modules", "cronium-runtime");
	await mkdir(installed, { recursive: true });
	// A copy of what is tracked, so that a build in the clone is neither needed nor touched.
	await run(
		"sh",
		["-c", 'git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$1"', "sh", await mkdir(built).then(() => built)],
		{
			cwd: repository,
		},
	);
	await symlink(join(repository, "node_modules"), join(built, "node_modules"));
	await run("npm", ["pack", "--pack-destination", directory], { cwd: built });
	const archive = (await readdir(directory)).find((name) => name.endsWith(".tgz"));
	if (!archive) throw new Error("npm pack made no archive.");
	await run("tar", ["-xzf", join(directory, archive), "-C", installed, "--strip-components=1"]);
	await symlink(join(repository, "node_modules"), join(installed, "node_modules"));
}, 120_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

test("the published package holds what is built, and no sources or tests", async () => {
	const names = await readdir(installed, { recursive: true });
	expect(names).toEqual(
		expect.arrayContaining([
			"bin/cronium.js",
			"dist/index.js",
			"dist/types/host/index.d.ts",
			"dist/quickjs-wasi.image",
			"dist/quickjs-emscripten.image",
			"dist/python-image-maker.js",
			"dist/python-guest/_cronium_main.py",
			"guest-sdks/python/cronium/__init__.py",
			"README.md",
			"images/node/Dockerfile",
			"images/harden.sh",
			"guest-sdks/js/package.json",
			"LICENSE",
		]),
	);
	expect(names.filter((name) => /^(host|test|bench)\b|__pycache__|\.pyc$/.test(name))).toEqual([]);
});

test("its command line runs a script", async () => {
	const script = join(directory, "double.ts");
	await writeFile(script, "export default (n: number) => n * 2;\n");
	const args = [join(installed, "bin", "cronium.js"), "run", script, "--input", "21", "--data", join(directory, "data")];
	expect((await run(process.execPath, args)).stdout).toBe("42\n");
});

test("it runs Python in a process without rights and in a thread, from one image, which it makes anew where it finds a damaged one; a run that is cancelled meanwhile is not begun", {
	timeout: 120_000,
}, async () => {
	const image = await placePythonImage(join(directory, "python-data"), "built");
	await rm(image);
	await writeFile(image, "half of it");
	await writeFile(join(directory, "package.json"), '{"type":"module"}');
	const program = `
		import { createHost } from "cronium-runtime";
		for (let turn = 0; turn < 2; turn++) {
			await using host = await createHost({ guests: "process", dataDirectory: "python-data", limits: { maxWorkers: 1 } });
			const source = "import cronium, zoneinfo; cronium.set_output([cronium.get_input() * 2, cronium.increment_variable('runs')])";
			const running = host.run({ script: { name: "double.py", source }, input: "21" });
			if (turn === 0) {
				const abort = new AbortController();
				const late = host.run({ script: { name: "late.py", source: "import cronium; cronium.set_variable('late', True)" }, signal: abort.signal });
				abort.abort();
				process.stdout.write(\`\${(await late).status} \${(await host.variables().get("late")) ?? "not begun"} \`);
			}
			const { output, error } = await running;
			process.stdout.write(\`\${JSON.stringify(output) ?? error.message} \`);
		}
	`;
	await writeFile(join(directory, "python.js"), program);
	const { stdout } = await run(process.execPath, [join(directory, "python.js")], { cwd: directory });
	expect(stdout).toBe("cancelled not begun [42,1] [42,2] ");
	await writeFile(join(directory, "rates.py"), "rate = 2\n");
	await writeFile(join(directory, "double.py"), "import cronium, rates\ncronium.set_output(cronium.get_input() * rates.rate)\n");
	const args = [join(installed, "bin", "cronium.js"), "run", "double.py", "--input", "21", "--data", "python-data"];
	expect((await run(process.execPath, args, { cwd: directory })).stdout).toBe("42\n");
	expect(await readdir(join(directory, "python-data", "images"))).toEqual([basename(image)]);
	const { mode, size } = await stat(image);
	expect({ mode: mode & 0o777, isWhole: size > 1_000_000 }).toEqual({ mode: 0o600, isWhole: true });
});

test("it has the SDKs' stub for scripts in each language", async () => {
	const scripts = {
		"stub.ts": 'import { getInput, setOutput } from "cronium/sync"; setOutput(getInput() as number);',
		"stub.py": "import cronium\ncronium.set_output(cronium.get_input())\n",
		"stub.sh": 'source cronium.sh\ncronium_set_output "$(cronium_get_input)"\n',
	};
	for (const [name, source] of Object.entries(scripts)) {
		await writeFile(join(directory, name), source);
		const args = [join(installed, "bin", "cronium.js"), "dev", "--once", join(directory, name), "--input", "[1]"];
		expect((await run(process.execPath, args, { cwd: directory })).stderr, name).toMatch(
			/ is the stub .*\ncronium: output \[1\]\n$/,
		);
	}
	const main = join(directory, "stub-main.mjs");
	await writeFile(main, 'import { twice } from "./stub-lib.mjs"; export default twice;');
	await writeFile(join(directory, "stub-lib.mjs"), "export const twice = (n) => n * 2;");
	const args = [join(installed, "bin", "cronium.js"), "dev", "--once", main, "--input", "21"];
	expect((await run(process.execPath, args)).stderr).toMatch(/cronium: output 42\n$/);
});

test("its engine's memory image is the one that its own program takes", async () => {
	const dist = join(installed, "dist");
	const sources = await Promise.all(
		(await readdir(dist)).filter((name) => name.endsWith(".js")).map((name) => readFile(join(dist, name), "utf8")),
	);
	const glue = sources.filter((source) => /^var QuickJsWasiGuest = class/m.test(source));
	expect(glue).toHaveLength(1);
	const module = await readFile(join(repository, "node_modules", "quickjs-wasi", "quickjs.wasm"));
	const prelude = await readFile(join(dist, "prelude.js"), "utf8");
	const parts = [createHash("sha256").update(module).digest("hex"), ...glue, prelude];
	expect(readEngine(join(dist, "quickjs-wasi.image"), createImageKey("quickjs-wasi", parts))).toBeDefined();
});

test("its library runs a script in a process without rights, which reads nothing beside the program", async () => {
	await writeFile(join(directory, "package.json"), '{"type":"module"}');
	const program = `
		import { createHost } from "cronium-runtime";
		await using host = await createHost({ guests: "process", limits: { maxWorkers: 1 } });
		for (const engine of ["quickjs-wasi", "quickjs-emscripten"]) {
			const { output, error } = await host.run({
				script: { name: "double.js", source: "export default async () => (await cronium.getInput()) * 2" }, input: "21", engine,
			});
			process.stdout.write(\`\${output ?? error.message} \`);
		}
	`;
	await writeFile(join(directory, "process.js"), program);
	expect((await run(process.execPath, [join(directory, "process.js")])).stdout).toBe("42 42 ");
});

test("it writes nothing beside itself, not even an image that is missing", async () => {
	const image = join(installed, "dist", "quickjs-emscripten.image");
	await rm(image);
	const script = join(directory, "engine.js");
	await writeFile(script, "export default () => 1;\n");
	const before = (await stat(join(installed, "dist"))).mtimeMs;
	const args = ["run", script, "--engine", "quickjs-emscripten", "--data", join(directory, "data-emscripten")];
	expect((await run(process.execPath, [join(installed, "bin", "cronium.js"), ...args])).stdout).toBe("1\n");
	expect((await stat(join(installed, "dist"))).mtimeMs).toBe(before);
});

test("its library runs a script, and its types are there", async () => {
	const program = `
		import { createHost, type Outcome } from "cronium-runtime";
		await using host = await createHost({ limits: { maxWorkers: 1 } });
		const outcome: Outcome = await host.run({ script: { name: "double.js", source: "export default (n) => n * 2" }, input: "21" });
		const status: "succeeded" | "failed" | "timed-out" | "cancelled" | "lost" = outcome.status;
		process.stdout.write(status + " " + String(outcome.output));
	`;
	await writeFile(join(directory, "package.json"), '{"type":"module"}');
	await writeFile(join(directory, "program.ts"), program);
	await symlink(join(repository, "node_modules", "@types"), join(directory, "node_modules", "@types"));
	const { stdout } = await run(process.execPath, [join(directory, "program.ts")]);
	expect(stdout).toBe("succeeded 42");
	const options = [
		"--noEmit",
		"--strict",
		"--skipLibCheck",
		"--ignoreConfig",
		"--module",
		"nodenext",
		"--target",
		"es2024",
		"--lib",
		"es2024,esnext.disposable",
		"--types",
		"node",
	];
	await run(process.execPath, [tsc, ...options, join(directory, "program.ts")]);
});
