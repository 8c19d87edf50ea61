import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildSdks } from "../conformance/sdk-guests.ts";
import { type Door, openDoor } from "../http/door.ts";
import { placePythonImage } from "../python-image.ts";

/*
 * The examples of the SDKs' READMEs and the three programs in their `examples/` are run: against a server, without one, and, in Python, in the sandbox. A fenced block with the
 * mark `run` is a script; `input=…` and `variables=…` (JSON without spaces) are what it finds, the block ```json output``` behind it its output.
 */

const project = join(import.meta.dirname, "../..");
const languages = [
	{ name: "js", fence: "js", extension: "mjs", command: [process.execPath] },
	{ name: "python", fence: "python", extension: "py", command: ["python3", "-B"] },
	{ name: "bash", fence: "bash", extension: "sh", command: ["bash", "-euo", "pipefail"] },
] as const;

let directory: string;
let door: Door;
beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "cronium-readmes-"));
	buildSdks(join(directory, "built"));
	// Where Node looks for the package, as npm would have put it there.
	const installed = join(directory, "node_modules/cronium");
	mkdirSync(installed, { recursive: true });
	cpSync(join(project, "guest-sdks/js/package.json"), join(installed, "package.json"));
	cpSync(join(directory, "built/js"), join(installed, "dist"), { recursive: true });
	door = await openDoor();
	await placePythonImage(join(door.directory, "data"));
}, 120_000);
afterAll(async () => {
	await door[Symbol.asyncDispose]();
	rmSync(directory, { recursive: true, force: true });
});

interface Example {
	readonly line: number;
	readonly source: string;
	readonly input: string | undefined;
	readonly variables: Readonly<Record<string, unknown>>;
	readonly output: unknown;
}

describe.each(languages)("$name", ({ name, fence, extension, command }) => {
	const readme = readFileSync(join(project, "guest-sdks", name, "README.md"), "utf8");
	const examples = readExamples(readme, fence);
	let scripts = 0;

	/** Runs a script, and returns what it has said on standard error. */
	async function run(source: string, environment: Readonly<Record<string, string>>): Promise<string> {
		const place = join(directory, `${name}-${scripts++}`);
		mkdirSync(place);
		const file = join(place, `script.${extension}`);
		writeFileSync(file, source);
		const [program, ...words] = command;
		const child = spawn(program, [...words, file], {
			cwd: place,
			env: {
				PATH: `${join(project, "guest-sdks/bash")}:${process.env.PATH}`,
				PYTHONPATH: join(project, "guest-sdks/python"),
				PYTHONUTF8: "1",
				...environment,
			},
			stdio: ["ignore", "pipe", "pipe"],
		});
		const [printed, said, status] = await Promise.all([
			text(child.stdout),
			text(child.stderr),
			new Promise((resolve) => child.once("close", resolve)),
		]);
		expect(status, printed + said).toBe(0);
		return said;
	}

	async function runOnServer(source: string, { input, variables }: Pick<Example, "input" | "variables">) {
		const texts = Object.entries(variables).map(([key, value]) => [key, JSON.stringify(value)] as const);
		const namespace = `readme-${name}-${scripts}`;
		const given = await door.startRun({ namespace, variables: Object.fromEntries(texts), ...(input !== undefined && { input }) });
		expect(await run(source, given.env)).toBe("");
		return given.end();
	}

	/** The package of Python is the same in the sandbox. */
	const runInSandbox =
		name === "python" &&
		(async (source: string, { input, variables }: Pick<Example, "input" | "variables">) => {
			const texts = Object.entries(variables).map(([key, value]) => [key, JSON.stringify(value)] as const);
			return door.host.run({
				script: { name: "script.py", source },
				namespace: `readme-sandbox-${scripts++}`,
				variables: Object.fromEntries(texts),
				...(input !== undefined && { input }),
			});
		});

	/** The last output that the stub has printed. */
	async function runInStub(source: string, { input, variables }: Pick<Example, "input" | "variables">): Promise<unknown> {
		const said = await run(source, {
			...(input !== undefined && { CRONIUM_STUB_INPUT: input }),
			CRONIUM_STUB_VARIABLES: JSON.stringify(variables),
		});
		expect(said).toMatch(/^cronium: no connection is configured; this is the stub/);
		const [, output = "null"] = /^cronium: output (.*)$/m.exec(said) ?? [];
		return JSON.parse(output) as unknown;
	}

	test("has examples", () => expect(examples.length).toBeGreaterThan(1));

	test.each(examples)("the example in line $line of the README does what it says", async (example) => {
		const outcome = await runOnServer(example.source, example);
		expect(outcome.output).toEqual(example.output);
		expect(await runInStub(example.source, example)).toEqual(example.output);
		if (runInSandbox) expect((await runInSandbox(example.source, example)).output).toEqual(example.output);
	});

	test.each([
		[100, true],
		[100.25, true],
		[100.254, false],
	])("examples/orders does the same wherever it runs: the threshold %d is reached: %s", async (threshold, condition) => {
		const source = readFileSync(join(project, `guest-sdks/${name}/examples/orders.${extension}`), "utf8");
		const given = { input: '{"orders":[{"total":99.5},{"total":0.75}]}', variables: { "revenue-threshold": threshold } };
		const expected = { orders: 2, revenue: 100.25, runs: 1 };
		for (const run of runInSandbox ? [runOnServer, runInSandbox] : [runOnServer]) {
			const outcome = await run(source, given);
			expect(outcome).toMatchObject({ output: expected, condition });
			expect(outcome.logs).toMatchObject([{ level: "info", message: "Orders read", fields: '{"orders":2}' }]);
		}
		expect(await runInStub(source, given)).toEqual(expected);
	});
});

function readExamples(page: string, fence: string): readonly Example[] {
	const blocks = [...page.matchAll(/^```(\S+) ?(.*)\n([\s\S]*?)^```$/gm)].map(
		([found, language, marks = "", source = ""], index) => ({
			index,
			language,
			marks,
			source,
			line: page.slice(0, page.indexOf(found)).split("\n").length,
		}),
	);
	return blocks
		.filter(({ language, marks }) => language === fence && marks.startsWith("run"))
		.map(({ index, line, source, marks }) => {
			const mark = (name: string): string | undefined => new RegExp(`${name}=(\\S+)`).exec(marks)?.[1];
			const output = blocks[index + 1];
			if (output?.marks !== "output") throw new Error(`The example in line ${line} does not say what comes out.`);
			return {
				line,
				source,
				input: mark("input"),
				variables: JSON.parse(mark("variables") ?? "{}") as Record<string, unknown>,
				output: JSON.parse(output.source) as unknown,
			};
		});
}
