import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { limitDefinitions, resolveLimits } from "../../../../host/contract/limits.ts";
import { createEngine } from "../../../../host/sandbox/engines.ts";
import type { GuestEngine } from "../../../../host/sandbox/guest-engine.ts";
import { ensurePythonImage } from "../../../../host/sandbox/python/image.ts";
import { drawSeed } from "../../../../host/sandbox/seed.ts";
import { type Expectation, expectations } from "./expected.ts";
import { modules } from "./modules.ts";
import { readTests } from "./test-files.ts";

const usage = `usage: npm run python-regression -- [DIRECTORY] [module …]

Runs CPython's own tests in the sandbox. DIRECTORY is where the package \`test\` of CPython 3.14 lies, with test/support in it (Debian has it in
libpython3.14-testsuite and libpython3.14-stdlib); CRONIUM_CPYTHON_TESTS says it, too. Modules: ${modules.join(", ")}.

Exit code 0 when only those fail of which expected.ts says why, 1 when others do, 2 for wrong usage or without the tests.`;

/** What run_tests.py tells of a module. */
interface Report {
	readonly ran: number;
	readonly skipped: number;
	/** By the id of the test: why. */
	readonly failed: Readonly<Record<string, string>>;
}

process.exitCode = await main(process.argv.slice(2));

async function main(given: readonly string[]): Promise<number> {
	const names = given.filter((name) => (modules as readonly string[]).includes(name));
	const [directory = process.env.CRONIUM_CPYTHON_TESTS, ...unknown] = given.filter((name) => !names.includes(name));
	if (directory === undefined || unknown.length > 0) {
		console.error(
			`${unknown.length > 0 ? `There is no module ${unknown[0]}.` : "The tests of CPython were not found: nobody said where they are."}\n\n${usage}`,
		);
		return 2;
	}
	if (!existsSync(join(directory, "test/support/__init__.py"))) {
		console.error(`The tests of CPython were not found: ${resolve(directory)} has no test/support.\n\n${usage}`);
		return 2;
	}
	const images = await mkdtemp(join(tmpdir(), "cronium-cpython-"));
	try {
		using engine = await createEngine("python", { pythonImage: await ensurePythonImage(images) });
		return await runModules(engine, directory, names.length > 0 ? names : modules);
	} finally {
		await rm(images, { recursive: true, force: true });
	}
}

async function runModules(engine: GuestEngine, directory: string, names: readonly string[]): Promise<number> {
	const sum = { ran: 0, skipped: 0, expected: 0, unexpected: 0 };
	for (const name of names) {
		const { ran, skipped, failed } = await runModule(engine, directory, name);
		const found = Object.keys(failed);
		const expected = found.filter((id) => expectations.some(({ tests }) => tests.some((test) => covers(test, id))));
		const unexpected = found.filter((id) => !expected.includes(id));
		console.log(
			`${name}: ${ran} ran, ${skipped} skipped themselves, ${expected.length} failed as expected, ${unexpected.length} others failed`,
		);
		for (const id of unexpected) console.log(`  FAILED ${id}: ${failed[id]}`);
		sum.ran += ran;
		sum.skipped += skipped;
		sum.expected += expected.length;
		sum.unexpected += unexpected.length;
	}
	console.log(
		`all: ${sum.ran} ran, ${sum.skipped} skipped themselves, ${sum.expected} failed as expected, ${sum.unexpected} others failed`,
	);
	return sum.unexpected > 0 ? 1 : 0;
}

/** Runs one module in an interpreter of its own. One that ends it counts as a test that has failed. */
async function runModule(engine: GuestEngine, directory: string, name: string): Promise<Report> {
	const leftOut = expectations.filter(({ isLeftOut }) => isLeftOut).flatMap(({ tests }) => tests);
	const limits = resolveLimits({
		maxMemoryBytes: limitDefinitions.maxMemoryBytes.maximum / 2,
		maxWallTimeMs: 1_800_000,
		maxCpuTimeMs: 1_800_000,
	});
	let printed = "";
	const script = {
		name: "run_tests.py",
		source: readFileSync(new URL("run_tests.py", import.meta.url), "utf8"),
		files: readTests(directory, name),
		arguments: [JSON.stringify(leftOut), name],
	};
	const execution = { limits, deadlineAt: Date.now() + limits.maxWallTimeMs, signal: new AbortController().signal };
	const surroundings = {
		seed: drawSeed(),
		print: (_: string, text: string): void => {
			printed += text;
		},
	};
	const { failure } = await engine.run(script, execution, { call: () => "" }, surroundings, new Int32Array(1));
	if (failure)
		return {
			ran: 0,
			skipped: 0,
			failed: { [name]: `${failure.code}: ${failure.message}\n${failure.stack ?? printed.slice(-2_000)}` },
		};
	return JSON.parse(printed.trimEnd().split("\n").at(-1) ?? "") as Report;
}

function covers(test: Expectation["tests"][number], id: string): boolean {
	return id === test || id.startsWith(`${test}.`);
}
