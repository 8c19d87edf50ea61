import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPackage, clone } from "./cli-first-result.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement } from "./measurement.ts";
import { runProgram } from "./program.ts";

const callers = fileURLToPath(new URL("./callers", import.meta.url));

/** How long does a new host process take to its first outcome of a script in Python? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		const published = join(directory, "cronium-runtime");
		await buildPackage(published);
		const libraries = { published: join(published, "dist", "index.js"), clone: join(clone, "host", "index.ts") };
		const first = (library: keyof typeof libraries, dataDirectory: string): Promise<number> =>
			runCaller("first-python-run.ts", directory, libraries[library], join(directory, dataDirectory));
		const made = await first("published", "published");
		await first("clone", "clone");
		const startOf = (name: string, run: () => Promise<unknown>): Candidate => ({
			name,
			unit: "ms",
			samplesPerRound: 1,
			sample: async () => {
				const started = performance.now();
				await run();
				return performance.now() - started;
			},
		});
		const fromCreateHost: number[][] = [];
		const rows = await interleave(
			[
				startOf("process start → first outcome, published package", async () => {
					fromCreateHost.push([await first("published", "published")]);
				}),
				startOf("process start → first outcome, clone", () => first("clone", "clone")),
				startOf("process start → first result of pyodide as shipped", () => runCaller("first-shipped-run.ts", directory)),
				startOf("node -e 0", () => runProgram([process.execPath, "-e", "0"], { cwd: directory })),
			],
			quick ? 3 : 12,
			effort,
		);
		// The first round warmed up the caches of the system.
		const own = createRow("  of this from createHost on", "ms", fromCreateHost.slice(1));
		rows.splice(1, 0, own);
		return {
			question: "first run of a script in Python by a new host process",
			rows: [...rows, createRow("createHost → first outcome, image made", "ms", [[made]])],
			targets: [atMostTarget("createHost → first outcome, image kept, as published ≤ 600 ms", own.p50, 600, "ms", own.rounds)],
			notes: ["a process is measured to its end; the image is made once per installation, and is there except where it says so"],
		};
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/** Runs a program of callers/ to its end, and returns the milliseconds that it says. */
async function runCaller(name: string, directory: string, ...parameters: readonly string[]): Promise<number> {
	return JSON.parse(await runProgram([process.execPath, join(callers, name), ...parameters], { cwd: directory })) as number;
}
