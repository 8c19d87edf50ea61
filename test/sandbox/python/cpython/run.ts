import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { limitDefinitions, resolveLimits } from "../../../../host/contract/limits.ts";
import { keepAlive } from "../../../../host/keep-alive.ts";
import { createEngine } from "../../../../host/sandbox/engines.ts";
import type { GuestEngine } from "../../../../host/sandbox/guest-engine.ts";
import { ensurePythonImage } from "../../../../host/sandbox/python/image.ts";
import { drawSeed } from "../../../../host/sandbox/seed.ts";
import { expectations } from "./expected.ts";
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
	using _alive = keepAlive();
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
		const found = Object.entries(failed);
		const unexpected = found.filter(([id, why]) => !isExpected(id, why));
		const expected = found.length - unexpected.length;
		console.log(
			`${name}: ${ran} ran, ${skipped} skipped themselves, ${expected} failed as expected, ${unexpected.length} others failed`,
		);
		for (const [id, why] of unexpected) console.log(`  FAILED ${id}: ${why}`);
		sum.ran += ran;
		sum.skipped += skipped;
		sum.expected += expected;
		sum.unexpected += unexpected.length;
	}
	console.log(
		`all: ${sum.ran} ran, ${sum.skipped} skipped themselves, ${sum.expected} failed as expected, ${sum.unexpected} others failed`,
	);
	return sum.unexpected > 0 ? 1 : 0;
}

/** Runs one module in an interpreter of its own. One that ends it counts as a test that has failed. */
async function runModule(engine: GuestEngine, directory: string, name: string): Promise<Report> {
	const leftOut = expectations
		.filter(({ isLeftOut }) => isLeftOut)
		.flatMap(({ tests = [] }) => tests.map((test) => toPattern(test).source));
	const limits = resolveLimits({
		maxMemoryBytes: limitDefinitions.maxMemoryBytes.maximum / 2,
		maxWallTimeMs: 1_800_000,
		maxCpuTimeMs: 1_800_000,
	});
	const printed = { stdout: "", stderr: "" };
	const script = {
		name: "run_tests.py",
		source: readFileSync(new URL("run_tests.py", import.meta.url), "utf8"),
		files: readTests(directory, name),
		arguments: [JSON.stringify(leftOut), name],
	};
	const execution = { limits, deadlineAt: Date.now() + limits.maxWallTimeMs, signal: new AbortController().signal };
	const surroundings = {
		seed: drawSeed(),
		print: (source: "stdout" | "stderr", text: string): void => {
			printed[source] += text;
		},
	};
	const { failure } = await engine.run(script, execution, { call: () => "" }, surroundings, new Int32Array(1));
	if (!failure) return JSON.parse(lastLine(printed.stdout)) as Report;
	const why = `${failure.code}: ${failure.message}${failure.stack === undefined ? "" : `\n${failure.stack}`}`;
	return { ran: 0, skipped: 0, failed: { [lastLine(printed.stderr) || name]: `ended the run of ${name}: ${why}` } };
}

function isExpected(id: string, why: string): boolean {
	return expectations.some(
		({ tests = [], says }) => tests.some((test) => toPattern(test).test(id)) || (says !== undefined && why.includes(says)),
	);
}

/** Of a test with that name, and of all in a class or module of that name. */
function toPattern(test: string): RegExp {
	return new RegExp(`^${test.replaceAll(".", "\\.").replaceAll("*", "[^.]+")}(?:\\.|$)`);
}

function lastLine(text: string): string {
	return text.trimEnd().split("\n").at(-1) ?? "";
}
