import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { packZip } from "../../host/executors/ssh/zip-archive.ts";
import { createHost, type Host, type Outcome, type RunOptions } from "../../host/index.ts";
import { pythonImages } from "../../host/store/data-directory.ts";
import { printed } from "../printed.ts";
import { imageTimeoutMs, placePythonImage } from "../python-image.ts";
import { temporaryDirectory } from "../store/directory.ts";

describe.each([
	["thread", "threads"],
	["process", "process"],
] as const)("a script in Python, in a %s", (_, guests) => {
	const directory = temporaryDirectory();
	let host: Host;
	beforeAll(async () => {
		await placePythonImage(directory.path);
		host = await createHost({ guests, dataDirectory: directory.path, limits: { maxWorkers: 2, cancelGraceMs: 500 } });
	}, imageTimeoutMs);
	afterAll(async () => {
		await host.dispose();
		directory.remove();
	});

	const run = (source: string, options: Partial<RunOptions> = {}): Promise<Outcome> =>
		host.run({ script: { name: "app/main.py", source }, ...options });

	test("finds its arguments, its modules and packages, its data and what wheels have", async () => {
		const wheel = packZip(
			new Map([
				["rates/__init__.py", Buffer.from("from rates.table import rate")],
				["rates/table.py", Buffer.from("rate = 0.25")],
			]),
		);
		const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
		const outcome = await run(
			`import json, sys, helper, rates
from pkg.deep import inner
from pathlib import Path
here = Path(__file__).parent
data = (here / "data" / "all.bin").read_bytes()
print(json.dumps([sys.argv, helper.name, inner.name, rates.rate, len(data), sum(data), str(here), __name__]))`,
			{
				arguments: ["--since", "", "ä\n🎈"],
				files: {
					"helper.py": "name = 'größe'",
					"pkg/__init__.py": "",
					"pkg/deep/inner.py": "name = __name__",
					"data/all.bin": bytes,
					"rates-1.0-py3-none-any.whl": wheel,
				},
			},
		);
		expect(outcome.error).toBeUndefined();
		expect(JSON.parse(printed(outcome))).toEqual([
			["app/main.py", "--since", "", "ä\n🎈"],
			...["größe", "pkg.deep.inner", 0.25, bytes.length, bytes.reduce((sum, byte) => sum + byte, 0), "/script/app", "__main__"],
		]);
	});

	test("has nothing of the files of another run", async () => {
		const look = "import os; print(sorted(f for _, _, files in os.walk('/script') for f in files), os.listdir('/tmp'))";
		const left = "open('/tmp/left', 'w').write('x'); open('/script/left', 'w').write('x')";
		for (let turn = 0; turn < 3; turn++) expect(await run(left, { files: { "secret.txt": "x" } })).toMatchObject({ exitCode: 0 });
		for (let turn = 0; turn < 3; turn++) expect(printed(await run(look))).toBe("['main.py'] []");
	});

	test.each([
		["raise SystemExit(7)", { status: "failed", exitCode: 7, error: { code: "script-error" } }],
		["import sys; sys.exit(0)", { status: "succeeded", exitCode: 0 }],
		["import sys; sys.exit(256 + 3)", { status: "failed", exitCode: 3 }],
		["import sys; sys.exit('why')", { status: "failed", exitCode: 1 }],
		["1 / 0", { status: "failed", exitCode: 1, error: { code: "script-error", name: "ZeroDivisionError" } }],
		["while True: pass", { status: "timed-out", exitCode: 124, error: { code: "wall-time-exceeded" } }],
		["import os; os._exit(9)", { status: "failed", exitCode: 9 }],
		["(", { status: "failed", exitCode: 1, error: { code: "syntax-error" } }],
	])("%j ends with its exit code, which is kept with the run and its engine", async (source, expected) => {
		const outcome = await run(source, { limits: { maxWallTimeMs: 3_000 } });
		expect(outcome).toMatchObject(expected);
		expect(await host.executions.outcome(outcome.executionId)).toEqual(outcome);
		expect(await host.executions.get(outcome.executionId)).toMatchObject({
			engine: "python",
			mode: "sandbox",
			exitCode: expected.exitCode,
			script: { name: "app/main.py" },
		});
	});

	test("can be cancelled, and JavaScript runs beside it and after it", async () => {
		const abort = new AbortController();
		const running = run("import time\nprint('begun')\nwhile True: time.sleep(0.01)", {
			signal: abort.signal,
			onLog: () => abort.abort(),
		});
		const javascript = { script: { name: "a.js", source: "export default () => 1" }, namespace: "other" };
		expect(await host.run(javascript)).toMatchObject({ output: 1 });
		expect(await running).toMatchObject({ status: "cancelled", exitCode: 130 });
		expect(await host.run(javascript)).toMatchObject({ output: 1 });
		expect(printed(await run("print('next')"))).toBe("next");
	});

	test("as many run at one time as there are workers for", async () => {
		const outcomes = await Promise.all(
			Array.from({ length: 6 }, (_, index) => run(`print(${index})`, { namespace: `n${index % 2}` })),
		);
		expect(outcomes.map((outcome) => printed(outcome))).toEqual(["0", "1", "2", "3", "4", "5"]);
	});
});

test("a run whose image cannot be made says so, and the next one tries again", { timeout: imageTimeoutMs }, async () => {
	const directory = temporaryDirectory();
	onTestFinished(directory.remove);
	const warnings = vi.spyOn(process, "emitWarning").mockReturnValue();
	onTestFinished(() => void warnings.mockRestore());
	await using host = await createHost({ dataDirectory: directory.path, limits: { maxWorkers: 1 } });
	// A file in the place of the directory.
	writeFileSync(pythonImages(directory.path), "");
	const script = { name: "a.py", source: "print(1)" };
	for (let turn = 0; turn < 2; turn++) {
		const outcome = await host.run({ script });
		expect(outcome).toMatchObject({ status: "failed", exitCode: 1, error: { code: "engine-unavailable" } });
		expect(outcome.error?.message).not.toContain(directory.path);
	}
	expect(warnings).toHaveBeenCalledTimes(2);
	expect(warnings).toHaveBeenCalledWith(expect.stringContaining(directory.path), "CroniumWarning");
	rmSync(pythonImages(directory.path));
	await placePythonImage(directory.path);
	expect(printed(await host.run({ script }))).toBe("1");
});
