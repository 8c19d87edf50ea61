import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row } from "./measurement.ts";
import { runProgram } from "./program.ts";

const callers = fileURLToPath(new URL("./callers", import.meta.url));

/** How long does a new host process take to its first outcome of a script in Python? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		const used = join(directory, "used");
		const first = (dataDirectory: string): Promise<number> => runCaller("first-python-run.ts", directory, dataDirectory);
		const made: number[] = [];
		for (let sample = 0; sample < (quick ? 1 : 3); sample++)
			made.push(await first(sample === 0 ? used : join(directory, `${sample}`)));
		const fromKept: number[][] = [];
		const candidates: Candidate[] = [
			{
				name: "process start → first outcome, image kept",
				unit: "ms",
				samplesPerRound: 1,
				sample: async () => {
					const started = performance.now();
					fromKept.push([await first(used)]);
					return performance.now() - started;
				},
			},
			{
				name: "process start → first result of pyodide as shipped",
				unit: "ms",
				samplesPerRound: 1,
				sample: async () => {
					const started = performance.now();
					await runCaller("first-shipped-run.ts", directory);
					return performance.now() - started;
				},
			},
			{
				name: "node -e 0",
				unit: "ms",
				samplesPerRound: 1,
				sample: async () => {
					const started = performance.now();
					await runProgram([process.execPath, "-e", "0"], { cwd: directory });
					return performance.now() - started;
				},
			},
		];
		const rows = await interleave(candidates, quick ? 3 : 12, effort);
		// The first round warmed up the caches of the system.
		const own = createRow("  of this from createHost on", "ms", fromKept.slice(1));
		return {
			question: "first run of a script in Python by a new host process",
			rows: [
				...rows.slice(0, 1),
				own,
				...rows.slice(1),
				createRow(
					"createHost → first outcome, image made",
					"ms",
					made.map((one) => [one]),
				),
			] as Row[],
			targets: [atMostTarget("createHost → first outcome with a kept image ≤ 600 ms", own.p50, 600, "ms", own.rounds)],
			notes: ["a process is measured to its end; the image is made once per installation"],
		};
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/** Runs a program of callers/ to its end, and returns the milliseconds that it says. */
async function runCaller(name: string, directory: string, ...parameters: readonly string[]): Promise<number> {
	return JSON.parse(await runProgram([process.execPath, join(callers, name), ...parameters], { cwd: directory })) as number;
}
