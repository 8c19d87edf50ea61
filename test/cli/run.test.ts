import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireUnprivileged } from "../other-user.ts";
import { type CliOptions, createDirectory, cronium, launcher, projectDirectory } from "./cronium.ts";

/** Runs a script of these lines in a directory of its own, with a data directory of its own unless one is given. */
async function runScript(source: string, argv: readonly string[] = [], options: CliOptions & { file?: string } = {}) {
	const directory = options.cwd ?? createDirectory();
	const file = options.file ?? "script.js";
	writeFileSync(join(directory, file), source);
	return await cronium(["run", file, ...argv], {
		...options,
		cwd: directory,
		env: { CRONIUM_DATA: join(directory, "data"), ...options.env },
	});
}

describe("cronium run", () => {
	test("prints the output on standard output and what the script logs on standard error", async () => {
		const ended = await runScript(
			'import { log } from "cronium";\nexport default async (input) => { console.log("printed"); console.error("complained"); await log.warn("structured", { n: 1 }); return { got: input }; };',
			["--input", '{"a":1}'],
		);
		expect(ended).toEqual({ code: 0, stdout: '{"got":{"a":1}}\n', stderr: 'printed\ncomplained\nwarn  structured {"n":1}\n' });
	});

	test("prints the output exactly as it was set: numbers that JavaScript cannot hold come through", async () => {
		const text = '{ "big": 1152921504606846977, "one": 1.0, "name": "\u009b é" }';
		const directory = createDirectory();
		writeFileSync(join(directory, "value.json"), text);
		const stored = await cronium(["variables", "set", "exact", "@value.json"], {
			cwd: directory,
			env: { CRONIUM_DATA: join(directory, "data") },
		});
		expect(stored).toEqual({ code: 0, stdout: "", stderr: "" });
		const { stdout } = await cronium(["variables", "get", "exact"], {
			cwd: directory,
			env: { CRONIUM_DATA: join(directory, "data") },
		});
		expect(stdout).toBe(`${text}\n`);
	});

	test.each([
		["a script without output", "globalThis.x = 1;", "", 0],
		["null", "export default () => null;", "null\n", 0],
		["false", "export default () => false;", "false\n", 0],
		["an empty text", 'export default () => "";', '""\n', 0],
		["the output of a script that fails later", 'import { setOutput } from "cronium"; await setOutput(1); throw 2;', "1\n", 1],
	])("%s", async (_, source, stdout, code) => {
		expect(await runScript(source)).toMatchObject({ code, stdout });
	});

	test("a failing script ends with 1 and says where, in the author's file", async () => {
		const source =
			"interface Order { total: number }\n\nfunction total(orders: Order[]): number {\n\treturn orders.length.missing.total;\n}\n\nexport default () => total([]);\n";
		const { code, stdout, stderr } = await runScript(source, [], { file: "orders.ts" });
		expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
		expect(stderr).toMatch(/^cronium: TypeError: .*\n {2}at total \(orders\.ts:4:\d+\)\n/);
		expect(stderr).not.toMatch(/node_modules|node:|worker/);
	});

	test("a failure inside an imported file names that file", async () => {
		const directory = createDirectory();
		mkdirSync(join(directory, "lib"));
		writeFileSync(join(directory, "package.json"), "{}");
		writeFileSync(
			join(directory, "lib", "deep.ts"),
			'export type A = 1;\n\nexport function deep(): never {\n\tthrow new RangeError("too deep");\n}\n',
		);
		const ended = await runScript('import { deep } from "./lib/deep.ts";\nexport default () => deep();\n', [], {
			cwd: directory,
			file: "main.ts",
		});
		expect(ended.code).toBe(1);
		expect(ended.stderr).toMatch(/^cronium: RangeError: too deep\n {2}at deep \(lib\/deep\.ts:4:\d+\)\n/);
	});

	test("TypeScript that is more than types runs when the CLI prepares it", async () => {
		const source = "enum Level { low = 1, high = 10 }\nexport default (): string => [Level.high, Level[1]].join(' ');";
		expect(await runScript(source, [], { file: "enum.ts" })).toEqual({ code: 0, stdout: '"10 low"\n', stderr: "" });
	});

	test.each(["script.ts", "script.js"])(
		"a syntax error in %s ends with 1, names the place, and is in the store",
		async (file) => {
			const directory = createDirectory();
			const { code, stdout, stderr } = await runScript("const a = 1;\nconst b = (((;\n", ["--json"], { cwd: directory, file });
			expect(code).toBe(1);
			expect(stderr).toMatch(new RegExp(`^cronium: .*${file}:2`));
			expect(JSON.parse(stdout)).toMatchObject({ status: "failed", exitCode: 1, error: { code: "syntax-error" } });
			const { stdout: list } = await cronium(["executions", "list", "--json", "--data", join(directory, "data")]);
			expect(JSON.parse(list)).toMatchObject([{ status: "failed", script: { name: file } }]);
		},
	);

	test("an import that the sandbox has not ends with 1 before anything runs", async () => {
		const { code, stdout, stderr } = await runScript('import fs from "node:fs"; console.log("ran");', ["--json"]);
		expect(code).toBe(1);
		expect(stderr).toBe(
			'cronium: script.js:1:16: "node:fs" is part of Node.js, which the sandbox is not. Use the helpers of "cronium", or run the script in container mode.\n',
		);
		expect(JSON.parse(stdout)).toMatchObject({
			executionId: null,
			status: "failed",
			exitCode: 1,
			error: { code: "import-error" },
		});
	});

	test("--json prints the whole outcome, the output embedded as it is", async () => {
		const source =
			'import { log, setCondition } from "cronium"; await setCondition(true); await log.info("x", { a: [1] }); export default () => 1.50;';
		const { code, stdout } = await runScript(source, ["--json"]);
		expect(code).toBe(0);
		expect(JSON.parse(stdout)).toMatchObject({
			executionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
			status: "succeeded",
			exitCode: 0,
			output: 1.5,
			condition: true,
			logs: [{ sequence: 1, level: "info", source: "log", message: "x", fields: { a: [1] } }],
			usage: { hostCalls: expect.any(Number) },
		});
		expect(JSON.parse(stdout)).not.toHaveProperty("outputText");
	});

	test("an over-long run ends with 124", async () => {
		const { code, stdout, stderr } = await runScript("for (;;);", ["--timeout", "300ms"]);
		expect({ code, stdout }).toEqual({ code: 124, stdout: "" });
		expect(stderr).toBe("cronium: The run took longer than 300 milliseconds (maxWallTimeMs).\n");
	});

	test.each(["SIGINT", "SIGTERM"] as const)("%s cancels the run: 130, and the store says so", async (signal) => {
		const directory = createDirectory();
		let sent = false;
		const { code, stderr } = await runScript(
			'console.log("waiting"); await new Promise((done) => setTimeout(done, 60_000));',
			[],
			{
				cwd: directory,
				onStderr: (text, child) => {
					if (!sent && text.includes("waiting")) sent = child.kill(signal);
				},
			},
		);
		expect({ code, stderr }).toEqual({ code: 130, stderr: "waiting\ncronium: The run was cancelled.\n" });
		const { stdout } = await cronium(["executions", "list", "--json", "--data", join(directory, "data")]);
		expect(JSON.parse(stdout)).toMatchObject([{ status: "cancelled", exitCode: 130 }]);
	});

	test("SIGINT also stops a script that computes", async () => {
		let sent = false;
		const { code } = await runScript('console.log("busy"); for (;;);', [], {
			onStderr: (text, child) => {
				if (!sent && text.includes("busy")) sent = child.kill("SIGINT");
			},
		});
		expect(code).toBe(130);
	});

	test("memory over --memory ends with 1 and names the limit", async () => {
		const { code, stderr } = await runScript("const all = []; for (;;) all.push(new Array(1000).fill(all.length));", [
			"--memory",
			"16MiB",
		]);
		expect(code).toBe(1);
		expect(stderr).toMatch(/^cronium: .*maxMemoryBytes/);
	});

	test("--limit sets any other limit of the run", async () => {
		const { code, stderr } = await runScript('export default () => "x".repeat(2000);', ["--limit", "maxOutputBytes=1KiB"]);
		expect(code).toBe(1);
		expect(stderr).toMatch(/^cronium: .*maxOutputBytes.*1024/);
	});

	test("--var, --event and --namespace reach the script", async () => {
		const source =
			'import { getEventContext, getVariable } from "cronium"; const { execution, ...event } = await getEventContext();\nexport default async () => [await getVariable("a=b"), await getVariable("text"), event, execution.namespace];';
		const { stdout, stderr } = await runScript(source, [
			"--var",
			'text="=x"',
			"--var",
			"a=1",
			"--event",
			'{"id":"e1","successCount":2}',
			"--namespace",
			"team.a",
		]);
		expect(stderr).toBe("");
		expect(JSON.parse(stdout)).toEqual([null, "=x", { id: "e1", successCount: 2 }, "team.a"]);
	});

	test("what the host finds wrong in the options ends with 2", async () => {
		expect(await runScript("1", ["--namespace", "a/b"])).toMatchObject({
			code: 2,
			stderr: expect.stringMatching(/^cronium: The namespace "a\/b"/),
		});
		expect(await runScript("1", ["--memory", "1KiB"])).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("maxMemoryBytes is 1024"),
		});
		expect(await runScript("1", ["--input", '{"a":1,"a":2}'])).toMatchObject({
			code: 2,
			stderr: expect.stringMatching(/^cronium: .*input/i),
		});
	});

	test("a data directory that cannot be used ends with 125 and one line", async () => {
		const directory = createDirectory();
		writeFileSync(join(directory, "file"), "");
		const { code, stdout, stderr } = await runScript("1", ["--data", join(directory, "file")]);
		expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
		expect(stderr).toMatch(/^cronium: [^\n]*data directory[^\n]*\n$/);
	});

	test("a data directory without rights ends with 125", async (context) => {
		// Modes do not stop root; somebody else is stopped by the owner, too.
		const identity = requireUnprivileged(context);
		const directory = createDirectory();
		chmodSync(directory, 0o755);
		mkdirSync(join(directory, "locked"), { mode: 0o500 });
		writeFileSync(join(directory, "script.js"), "1", { mode: 0o644 });
		const argv = ["run", join(directory, "script.js"), "--data", join(directory, "locked", "data")];
		const { code, stdout, stderr } = await cronium(argv, { cwd: directory, identity });
		expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
		expect(stderr).toMatch(/^cronium: [^\n]*\n$/);
		chmodSync(join(directory, "locked"), 0o700);
	});

	test("the data directory is the user's own when none is given, closed to others", async () => {
		const home = createDirectory();
		const env = { CRONIUM_DATA: "", XDG_DATA_HOME: "", HOME: home };
		expect((await runScript('import { setVariable } from "cronium"; await setVariable("a", 1);', [], { env })).code).toBe(0);
		const data = join(home, ".local", "share", "cronium");
		expect(statSync(data).mode & 0o777).toBe(0o700);
		const relative = { CRONIUM_DATA: "", XDG_DATA_HOME: "relative", HOME: home };
		expect(await cronium(["variables", "get", "a"], { env: relative })).toMatchObject({ code: 0, stdout: "1\n" });
	});

	test("control characters of a script reach standard error escaped", async () => {
		const source = 'console.log("\\u001b[2Jcleared\\u202e"); throw new Error("\\u001b]0;x\\u0007 y");';
		const { code, stderr } = await runScript(source);
		expect(code).toBe(1);
		expect(stderr).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
		expect(stderr).toContain("\\u001b[2Jcleared\\u202e\n");
		expect(stderr.match(/^cronium: /gm)).toHaveLength(1);
	});

	test("a reader that goes away is no error", async () => {
		const directory = createDirectory();
		writeFileSync(join(directory, "big.js"), 'export default () => "x".repeat(900_000);');
		const { spawnSync } = await import("node:child_process");
		const command = `"$NODE" "$LAUNCHER" run ${directory}/big.js --data ${directory}/data | head -c 10; exit "\${PIPESTATUS[0]}"`;
		const { status, stderr, stdout } = spawnSync("bash", ["-c", command], {
			cwd: projectDirectory,
			env: { ...process.env, NODE: process.execPath, LAUNCHER: launcher },
			encoding: "utf8",
		});
		expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '"xxxxxxxxx', stderr: "" });
	});

	test("input comes from a file or from standard input", async () => {
		const directory = createDirectory();
		writeFileSync(join(directory, "in.json"), "\ufeff[1,\n 2]\n");
		expect(await runScript("export default (x) => x;", ["--input", "@in.json"], { cwd: directory })).toMatchObject({
			code: 0,
			stdout: "[1,2]\n",
		});
		expect(await runScript("export default (x) => x;", ["--input", "-"], { cwd: directory, stdin: '"piped"' })).toMatchObject({
			code: 0,
			stdout: '"piped"\n',
		});
	});

	test("both engines run scripts", async () => {
		for (const engine of ["quickjs-wasi", "quickjs-emscripten"])
			expect(await runScript("export default () => 6 * 7;", ["--engine", engine])).toEqual({
				code: 0,
				stdout: "42\n",
				stderr: "",
			});
	});
});

describe("the examples", () => {
	test("orders.ts adds up the orders, and counts its runs", async () => {
		const data = join(createDirectory(), "data");
		const argv = ["run", "examples/orders.ts", "--input", "@examples/orders.json", "--data", data, "--json"];
		const { orders } = JSON.parse(readFileSync(join(projectDirectory, "examples", "orders.json"), "utf8")) as {
			orders: { status: string; customer: { name: string }; items: { quantity: number; unitPriceCents: number }[] }[];
		};
		const totals = new Map<string, number>();
		let revenue = 0;
		for (const { status, customer, items } of orders.filter((order) => order.status === "paid")) {
			expect(status).toBe("paid");
			const total = items.reduce((sum, item) => sum + item.quantity * item.unitPriceCents, 0);
			revenue += total;
			totals.set(customer.name, (totals.get(customer.name) ?? 0) + total);
		}
		const best = [...totals].sort((a, b) => b[1] - a[1])[0];

		const first = await cronium(argv);
		expect({ code: first.code, stderr: first.stderr }).toEqual({
			code: 0,
			stderr: expect.stringMatching(/^info {2}Orders read/),
		});
		expect(JSON.parse(first.stdout)).toMatchObject({
			condition: true,
			output: {
				runs: 1,
				orders: orders.length,
				revenue: revenue / 100,
				changeSinceLastRun: null,
				topCustomers: { 0: { name: best?.[0], total: (best?.[1] ?? 0) / 100 }, length: 5 },
			},
		});
		const second = await cronium([...argv, "--var", "revenue-threshold=1000000"]);
		expect(JSON.parse(second.stdout)).toMatchObject({ condition: false, output: { runs: 2, changeSinceLastRun: 0 } });
		expect(second.stderr).toContain("warn  Revenue is below the threshold");
		expect(existsSync(data)).toBe(true);
	});

	test("report.sh says the same of the orders as orders.ts, where they are asked the same", async () => {
		const directory = createDirectory();
		// All of them take the stub seconds: Bash reads them by itself.
		const all = JSON.parse(readFileSync(join(projectDirectory, "examples/orders.json"), "utf8")) as {
			orders: readonly unknown[];
		};
		const some = join(directory, "orders.json");
		writeFileSync(some, JSON.stringify({ threshold: 20_000, orders: all.orders.slice(0, 40) }));
		const data = join(directory, "data");
		const typescript = await cronium(["run", "examples/orders.ts", "--input", `@${some}`, "--data", data]);
		const report = (...options: readonly string[]) =>
			cronium(["dev", "--once", "examples/report.sh", "--input", `@${some}`, ...options]);
		const { code, stderr } = await report();
		expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^cronium: condition true$/m) });
		const { orders, revenue, refunds, topCustomers, runs } = JSON.parse(typescript.stdout) as Record<string, unknown>;
		expect(JSON.parse(/^cronium: output (.*)$/m.exec(stderr)?.[1] ?? "")).toEqual({
			...{ orders, revenue, refunds, topCustomers, runs },
			threshold: 20_000,
			reached: true,
		});
		expect((await report("--var", "revenue-threshold=1000000")).stderr).toMatch(/^cronium: condition false$/m);
	});

	test("hello.js greets", async () => {
		const data = join(createDirectory(), "data");
		expect(await cronium(["run", "examples/hello.js", "--input", '{"name":"Ada"}', "--data", data])).toEqual({
			code: 0,
			stdout: '{"greeting":"Hello, Ada!"}\n',
			stderr: "Saying hello.\n",
		});
	});

	test("watch-page.ts reaches nothing that was not allowed", async () => {
		const data = join(createDirectory(), "data");
		const { code, stderr } = await cronium([
			"run",
			"examples/watch-page.ts",
			"--input",
			'"https://example.com/"',
			"--data",
			data,
		]);
		expect(code).toBe(1);
		expect(stderr).toMatch(/^cronium: RuntimeError: fetch .*is refused: .*--allow-host/);
	});
});
