import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Candidate, interleave } from "./interleave.ts";
import type { Effort, Measurement, Row } from "./measurement.ts";
import { ratioByRound } from "./statistics.ts";

export const clone = fileURLToPath(new URL("..", import.meta.url));
const factor = 2.5;
const allowanceMs = 100;
/** A process that has not ended by then never will. */
const longestMs = 60_000;

/** How long does a person at a terminal wait for the first result of `cronium run`, against starting Node for nothing? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		const javascript = join(directory, "hello.js");
		const typescript = join(directory, "hello.ts");
		await writeFile(javascript, 'export default (name) => "Hello " + name;\n');
		await writeFile(typescript, 'export default (name: string): string => "Hello " + name;\n');
		let count = 0;
		const fresh = (): string => join(directory, `data-${++count}`);
		const published = join(directory, "cronium-runtime");
		await buildPackage(published);
		const run = (program: string, file: string, data: string): Promise<number> =>
			timeToOutput([join(program, "bin", "cronium.js"), "run", file, "--input", '"Ada"', "--data", data], '"Hello Ada"\n');
		// One each: they would write their runs into each other's.
		const usedPublished = join(directory, "data-published");
		const usedClone = join(directory, "data-clone");
		const samplesPerRound = quick ? 2 : 4;
		const row = (name: string, sample: () => Promise<number>): Candidate => ({ name, unit: "ms", samplesPerRound, sample });
		const rows = await interleave(
			[
				row("hello.js, published package, new data directory", () => run(published, javascript, fresh())),
				row("hello.js, published package, used data directory", () => run(published, javascript, usedPublished)),
				row("hello.js, clone, new data directory", () => run(clone, javascript, fresh())),
				row("hello.js, clone, used data directory", () => run(clone, javascript, usedClone)),
				row("hello.ts, clone, used data directory", () => run(clone, typescript, usedClone)),
				row("node -e 0 (start to end)", () => timeToEnd(["-e", "0"])),
			],
			quick ? 5 : 12,
			effort,
		);
		const [own] = rows as [Row];
		const node = rows.at(-1) as Row;
		const allowed = node.rounds.map((value) => value * factor + allowanceMs);
		const ratio = ratioByRound(own.rounds, allowed);
		return {
			question: "process start of `cronium run` → its result on standard output",
			rows,
			targets: [
				{
					text: `a fresh host's first result, as published ≤ ${factor}× \`node -e 0\` plus ${allowanceMs} ms`,
					measured: `${own.p50.toFixed(0)} of ${(node.p50 * factor + allowanceMs).toFixed(0)} ms`,
					ratio,
					limit: 1,
					comparison: "at most",
					met: ratio.median <= 1,
				},
			],
			notes: [],
		};
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/** What `npm install cronium-runtime` would give, but for the declarations of types. */
export async function buildPackage(directory: string): Promise<void> {
	for (const name of ["bin", "package.json"]) await cp(join(clone, name), join(directory, name), { recursive: true });
	for (const name of ["node_modules", "guest-sdks"]) await symlink(join(clone, name), join(directory, name));
	await promisify(execFile)(process.execPath, [join(clone, "build.ts"), join(directory, "dist")]);
}

/** Milliseconds from the start of the process to its output. Waits for the process to end. */
async function timeToOutput(parameters: readonly string[], expected: string): Promise<number> {
	const started = performance.now();
	const child = spawn(process.execPath, parameters, {
		stdio: ["ignore", "pipe", "pipe"],
		timeout: longestMs,
		killSignal: "SIGKILL",
	});
	const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
	let output = "";
	let errors = "";
	let took = Number.NaN;
	child.stdout.on("data", (chunk: Buffer) => {
		output += chunk;
		took = performance.now() - started;
	});
	child.stderr.on("data", (chunk: Buffer) => {
		errors += chunk;
	});
	const [code, signal] = await closed;
	if (signal === "SIGKILL")
		throw new Error(
			`${parameters.slice(1, 3).join(" ")} wrote ${JSON.stringify(output)}, but did not end within ${longestMs} ms`,
		);
	if (code !== 0 || output !== expected)
		throw new Error(
			`${parameters.slice(1, 3).join(" ")} ended with ${code} and wrote ${JSON.stringify(output)}; errors: ${errors.slice(0, 500)}`,
		);
	return took;
}

async function timeToEnd(parameters: readonly string[]): Promise<number> {
	const started = performance.now();
	const child = spawn(process.execPath, parameters, { stdio: "ignore" });
	const [code] = (await once(child, "exit")) as [number | null];
	if (code !== 0) throw new Error(`node ${parameters.join(" ")} ended with ${code}`);
	return performance.now() - started;
}
