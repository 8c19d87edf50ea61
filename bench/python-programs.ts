import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keepAlive } from "../host/keep-alive.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import { ensurePythonImage } from "../host/sandbox/python/image.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { createRow, type Effort, type Measurement, type Row } from "./measurement.ts";
import { runProgram } from "./program.ts";
import { createExecution, createRunInEngine } from "./run-in-engine.ts";

const programs = ["calls", "floats", "text", "sorting", "json_texts"] as const;
const directoryOfPrograms = fileURLToPath(new URL("./programs", import.meta.url));

/** Prints what the program took, in milliseconds, and its result. */
const measured = `
import json, time

started = time.perf_counter()
result = run()
took = (time.perf_counter() - started) * 1000
print(json.dumps([took, result]))
`;

/** How much longer does the sandbox compute than the machine's Python? */
export async function measure(effort: Effort): Promise<Measurement> {
	using _alive = keepAlive();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		const version = (await runProgram(["python3", "--version"], { cwd: directory })).trim();
		using engine = await createEngine("python", { pythonImage: await ensurePythonImage(join(directory, "images")) });
		const candidates: Candidate[] = [];
		for (const name of programs) {
			const source = (await readFile(join(directoryOfPrograms, `${name}.py`), "utf8")) + measured;
			const file = join(directory, `${name}.py`);
			await writeFile(file, source);
			const results = new Set<string>();
			const took = (printed: string): number => {
				const [milliseconds, result] = JSON.parse(printed) as [number, unknown];
				results.add(JSON.stringify(result));
				if (results.size > 1) throw new Error(`${name} has different results: ${[...results].join(" and ")}`);
				return milliseconds;
			};
			const candidate = (where: string, run: () => Promise<string>): Candidate => ({
				name: `${name}, ${where}`,
				unit: "ms",
				samplesPerRound: effort.quick ? 1 : 3,
				sample: async () => took(await run()),
			});
			candidates.push(
				candidate("sandbox", async () => {
					let printed = "";
					await createRunInEngine(engine, createExecution(), (_, text) => {
						printed += text;
					})(source);
					return printed;
				}),
				candidate("python3", () => runProgram(["python3", file], { cwd: directory })),
			);
		}
		const rows = await interleave(candidates, effort.quick ? 5 : 20, effort);
		const ratios = programs.map((name, index) => {
			const [own, other] = [rows[2 * index] as Row, rows[2 * index + 1] as Row];
			const byRound = own.rounds.map((value, round) => [value / (other.rounds[round] as number)]);
			return createRow(`${name}, sandbox by python3`, "×", byRound);
		});
		return {
			question: "programs that compute, in the sandbox and in the machine's Python",
			rows: [...rows, ...ratios],
			targets: [],
			notes: [
				`the programs are in bench/programs, measure themselves, and must have equal results; python3 is ${version}, the sandbox CPython 3.14`,
			],
		};
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}
