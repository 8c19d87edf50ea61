import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { buildSdks } from "../conformance/sdk-guests.ts";

const project = join(import.meta.dirname, "../..");
const sdks = join(project, "guest-sdks");
const stub = { CRONIUM_STUB_INPUT: "[1]", PATH: process.env.PATH };
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

let directory: string;
beforeAll(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-packages-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the JavaScript package", () => {
	let app: string;
	beforeAll(() => {
		// What `npm pack` does in its directory, without leaving anything there.
		const source = join(directory, "js");
		mkdirSync(source);
		for (const name of ["package.json", "README.md", "LICENSE"]) cpSync(join(sdks, "js", name), join(source, name));
		buildSdks(join(directory, "built"));
		cpSync(join(directory, "built/js"), join(source, "dist"), { recursive: true });
		execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", directory], { cwd: source });
		app = join(directory, "app");
		mkdirSync(app);
		writeFileSync(join(app, "package.json"), '{"private":true}');
		execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--silent", join(directory, "cronium-0.1.0.tgz")], {
			cwd: app,
		});
	}, 60_000);
	const run = (name: string, source: string, node = process.execPath): string => {
		writeFileSync(join(app, name), source);
		return execFileSync(node, [name], { cwd: app, env: stub, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
	};

	test("is made by `npm pack`, and brings nothing along", () => {
		const { scripts, dependencies, engines } = JSON.parse(readFileSync(join(sdks, "js/package.json"), "utf8")) as Record<
			string,
			unknown
		>;
		expect({ scripts, dependencies, engines }).toEqual({
			scripts: { prepack: "node build.ts" },
			dependencies: undefined,
			engines: { node: ">=18" },
		});
		expect(readdirSync(join(app, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(["cronium"]);
		expect(readdirSync(join(app, "node_modules/cronium")).sort()).toEqual(["LICENSE", "README.md", "dist", "package.json"]);
	});

	test("is imported and required, and has every function of the contract, with and without promises", () => {
		const names = operations.map(({ sdkName }) => sdkName);
		const list = `const names = ${JSON.stringify(names)}; const report = (module) => console.log(names.every((name) => typeof module[name] === "function"), typeof module.log.info, typeof module.RuntimeError);`;
		expect(run("a.mjs", `import * as module from "cronium"; ${list} report(module); report(module.default)`)).toBe(
			"true function function\n".repeat(2),
		);
		expect(run("b.cjs", `${list} report(require("cronium")); report(require("cronium/sync"))`)).toBe(
			"true function function\n".repeat(2),
		);
		expect(run("c.mjs", `import { getInput } from "cronium"; console.log(await getInput())`)).toBe("[ 1 ]\n");
		expect(run("d.cjs", `console.log(require("cronium/sync").getInput())`)).toBe("[ 1 ]\n");
	});

	// What an old one does not have it would meet here. Where there is none beside the project's, the build's target stands for it.
	const installed = (process.env.PATH ?? "").split(":").map((place) => join(place, "node"));
	const other = installed.find(
		(node) => existsSync(node) && !execFileSync(node, ["--version"], { encoding: "utf8" }).includes(process.version),
	);
	test.skipIf(other === undefined)("works with the Node of the machine, too", () => {
		expect(
			run("e.cjs", `const sync = require("cronium/sync"); sync.setVariable("a", 1); console.log(sync.getVariable("a"))`, other),
		).toBe("1\n");
	});

	test("is typed for both kinds of modules", () => {
		const source = (open: string): string => `${open}
export async function check(): Promise<number> {
	const entry = await cronium.getVariableEntry<number>("a");
	const version: string = await cronium.setVariable("a", 1, { ifAbsent: true });
	const client: cronium.Client = cronium.createClient({ url: "https://a", token: version });
	try { await client.deleteVariable("a"); } catch (error) { if (error instanceof cronium.RuntimeError) { const code: cronium.ErrorCode = error.code; void code; } }
	// @ts-expect-error A key is a text.
	await cronium.getVariable(1);
	const now: string = sync.setVariable("a", 1);
	void now;
	return entry?.value ?? 0;
}
`;
		writeFileSync(join(app, "esm.mts"), source('import * as cronium from "cronium";\nimport * as sync from "cronium/sync";'));
		writeFileSync(join(app, "cjs.cts"), source('import cronium = require("cronium");\nimport sync = require("cronium/sync");'));
		const tsc = spawnSync(
			join(project, "node_modules/.bin/tsc"),
			["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "esm.mts", "cjs.cts", "--ignoreConfig"],
			{ cwd: app, encoding: "utf8" },
		);
		expect(tsc.stdout + tsc.stderr).toBe("");
	});

	test("an error is shown with its details when it has some, and a token file that is not there by the name of its option", () => {
		const printed = run(
			"i.mjs",
			`import { inspect } from "node:util"; import { RuntimeError, createClient } from "cronium";
			const plain = new RuntimeError("invalid", "text"), conflict = new RuntimeError("conflict", "text", { currentVersion: "7" });
			console.log(inspect(plain).includes("details"), plain.details, conflict.details, inspect(conflict).includes("currentVersion: '7'"));
			try { createClient({ url: "https://localhost", tokenFile: "/nowhere" }); } catch (error) { console.log(error.message); }`,
		);
		expect(printed).toBe("false {} { currentVersion: '7' } true\ntokenFile: /nowhere cannot be read (ENOENT).\n");
	});

	test("keeps no script alive", () => {
		run(
			"f.mjs",
			`import { createClient, getInput } from "cronium"; await getInput(); createClient({ url: "http://127.0.0.1:1", token: "${makeToken()}" });`,
		);
		run(
			"g.cjs",
			`const { createSyncClient } = require("cronium/sync"); createSyncClient({ url: "http://127.0.0.1:1", token: "${makeToken()}" });`,
		);
	});

	test("a token is in no text that a client or an error is shown as", () => {
		const printed = run(
			"h.mjs",
			`import { inspect } from "node:util"; import { createClient } from "cronium";
			const client = createClient({ url: "http://127.0.0.1:1", token: "the-secret" });
			const error = await client.getInput().catch((thrown) => thrown);
			console.log(inspect(client, { depth: 9, showHidden: true }), inspect(error, { depth: 9, showHidden: true }), JSON.stringify([client, error]), error.stack);`,
		);
		expect(printed).toContain("unavailable");
		expect(printed).not.toContain("the-secret");
	}, 60_000);
});

describe("the Python package", () => {
	const python = (source: string, env: NodeJS.ProcessEnv = {}): string =>
		execFileSync("python3", ["-B", "-c", source], {
			cwd: directory,
			env: { ...stub, PYTHONUTF8: "1", PYTHONPATH: join(directory, "site"), ...env },
			encoding: "utf8",
			stdio: ["ignore", "pipe", "pipe"],
		});
	beforeAll(() => {
		for (const name of ["first", "second"]) {
			mkdirSync(join(directory, name));
			execFileSync("python3", ["-B", join(sdks, "python/build_backend.py"), join(directory, name)]);
		}
		// A wheel is a zip file: it needs no pip to be installed.
		const wheel = join(directory, "first/cronium-0.1.0-py3-none-any.whl");
		execFileSync("python3", ["-m", "zipfile", "-e", wheel, join(directory, "site")]);
	});

	test("is a wheel that is the same whenever it is built, with what the standards ask for", () => {
		const name = "cronium-0.1.0-py3-none-any.whl";
		expect(readFileSync(join(directory, "first", name)).equals(readFileSync(join(directory, "second", name)))).toBe(true);
		const found = python(`
import base64, hashlib, importlib.metadata as metadata
one = metadata.distribution("cronium")
print(one.version, one.metadata["Requires-Python"], one.requires)
for file in one.files:
    data = file.read_binary() if hasattr(file, "read_binary") else open(one.locate_file(file), "rb").read()
    if file.hash: assert base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=") == file.hash.value, file
print(sorted(str(file) for file in one.files if "py.typed" in str(file)))`);
		expect(found).toBe("0.1.0 >=3.9 None\n['cronium/py.typed']\n");
	});

	test("has its licence where its metadata says, and in its source distribution", () => {
		const found = python(`
import importlib.metadata as metadata
one = metadata.distribution("cronium")
print(one.metadata["Metadata-Version"], one.metadata["License-Expression"], one.metadata.get_all("License-File"), one.metadata["License"])
print(one.read_text("licenses/LICENSE"), end="")
import sys, tarfile
sys.path.insert(0, ${JSON.stringify(join(sdks, "python"))})
import build_backend
with tarfile.open(build_backend.build_sdist(".")) as archive:
    print(archive.extractfile("cronium-0.1.0/LICENSE").read().decode(), end="")`);
		const licence = readFileSync(join(sdks, "python/LICENSE"), "utf8");
		expect(found).toBe(`2.4 MIT ['LICENSE'] None\n${licence}${licence}`);
	});

	test("a token file that is not there is named by its option", () => {
		const printed = python(`
import cronium
try:
    cronium.Client(url="https://localhost", token_file="/nowhere")
except cronium.RuntimeError as error:
    print(error)`);
		expect(printed).toBe("invalid: token_file: /nowhere cannot be read (FileNotFoundError).\n");
	});

	test.skipIf(spawnSync("python3", ["-m", "pip", "--version"]).status !== 0)("is installed by pip, without an index", () => {
		execFileSync("python3", [
			...["-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check", "--root-user-action", "ignore"],
			...["--target", join(directory, "pip"), join(directory, "first/cronium-0.1.0-py3-none-any.whl")],
		]);
		expect(python("import cronium; print(cronium.get_input())", { PYTHONPATH: join(directory, "pip") })).toBe("[1]\n");
	});

	test("has every function of the contract, as coroutines, too", () => {
		const names = operations.map(({ sdkName }) => snakeCase(sdkName));
		const checked = python(`
import inspect, cronium
from cronium import aio
names = ${JSON.stringify(names)}
print(all(callable(getattr(cronium, name)) for name in names), all(inspect.iscoroutinefunction(getattr(aio, name)) for name in names))
print(all(getattr(cronium, name).__doc__ for name in names), set(names) <= set(cronium.__all__), set(names) <= set(aio.__all__))`);
		expect(checked).toBe("True True\nTrue True True\n");
	});

	test("is written in the language of Python 3.9", () => {
		python(`
import ast, pathlib
for file in pathlib.Path(${JSON.stringify(join(sdks, "python/cronium"))}).glob("*.py"):
    ast.parse(file.read_text(), str(file), feature_version=(3, 9))`);
	});

	test("a token is in no text that a client or an error is shown as", () => {
		const printed = python(`
import traceback, cronium
client = cronium.Client(url="http://127.0.0.1:1", token="the-secret")
try:
    client.get_input()
except cronium.RuntimeError as error:
    traceback.print_exc()
    print(error, repr(error), repr(client), vars(error), traceback.format_exc())
print(repr(client._performer._connection))`);
		expect(printed).toContain("unavailable");
		expect(printed).not.toContain("the-secret");
	});

	test("an error survives being pickled, and is a RuntimeError of the language", () => {
		const printed = python(`
import builtins, pickle, cronium
error = pickle.loads(pickle.dumps(cronium.RuntimeError("conflict", "text", {"currentVersion": "7"})))
print(error.code, error.message, error.current_version, isinstance(error, builtins.RuntimeError), error)`);
		expect(printed).toBe("conflict text 7 True conflict: text\n");
	});
});

/** A token that is to be renewed in an hour. */
function makeToken(): string {
	const now = Math.floor(Date.now() / 1_000);
	return ["e30", Buffer.from(JSON.stringify({ iat: now, exp: now + 4_800 })).toString("base64url"), "c2ln"].join(".");
}
