import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { interleave } from "./interleave.ts";
import type { Effort, Measurement, Row } from "./measurement.ts";
import { ratioByRound } from "./statistics.ts";

const command = fileURLToPath(new URL("../bin/cronium.js", import.meta.url));
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
		const used = join(directory, "data");
		const run = (file: string, data: string): Promise<number> =>
			timeToOutput([command, "run", file, "--input", '"Ada"', "--data", data], '"Hello Ada"\n');
		const samplesPerRound = quick ? 2 : 4;
		const rows = await interleave(
			[
				{ name: "cronium run hello.js, new data directory", unit: "ms", samplesPerRound, sample: () => run(javascript, fresh()) },
				{ name: "cronium run hello.js, used data directory", unit: "ms", samplesPerRound, sample: () => run(javascript, used) },
				{ name: "cronium run hello.ts, used data directory", unit: "ms", samplesPerRound, sample: () => run(typescript, used) },
				{ name: "node -e 0 (start to end)", unit: "ms", samplesPerRound, sample: () => timeToEnd(["-e", "0"]) },
			],
			quick ? 5 : 12,
			effort,
		);
		const [own, , , node] = rows as [Row, Row, Row, Row];
		const allowed = node.rounds.map((value) => value * factor + allowanceMs);
		const ratio = ratioByRound(own.rounds, allowed);
		return {
			question: "process start of `cronium run` → its result on standard output",
			rows,
			targets: [
				{
					text: `a fresh host's first result ≤ ${factor}× \`node -e 0\` plus ${allowanceMs} ms`,
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
