import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row } from "./measurement.ts";
import { runProgram } from "./program.ts";
import { buildJavaScript, sdks } from "./sdk-calls.ts";

const callers = fileURLToPath(new URL("./callers", import.meta.url));

/** What does it take to load an SDK, beyond the modules of the language that it needs? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	try {
		const languages = await describeLanguages(directory);
		const complete: number[][][] = languages.map(() => []);
		const samplesPerRound = quick ? 2 : 5;
		const rows = await interleave(
			languages.map(({ name, command, environment }, index): Candidate => {
				let taken = 0;
				return {
					name,
					unit: "ms",
					samplesPerRound,
					sample: async () => {
						const [own, all] = JSON.parse(await runProgram(command, { cwd: directory, environment })) as [number, number];
						if (taken++ % samplesPerRound === 0) complete[index]?.push([]);
						complete[index]?.at(-1)?.push(all);
						return own;
					},
				};
			}),
			quick ? 5 : 20,
			effort,
		);
		// The first round warmed up. Bash needs no modules.
		const all = languages
			.slice(0, 2)
			.map(({ name }, index) => createRow(`${name}, with them`, "ms", complete[index]?.slice(1) ?? []));
		return {
			question: "loading an SDK in a fresh process, once the modules of the language that it needs are there",
			rows: [...rows, ...all],
			targets: languages.map(({ name, limit }, index) => {
				const { p50, rounds } = rows[index] as Row;
				return atMostTarget(`${name} ≤ ${limit} ms`, p50, limit, "ms", rounds);
			}),
			notes: ["Python has its byte code in a cache, as after the first import of an installed package"],
		};
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

interface Language {
	readonly name: string;
	/** Prints a list of two numbers of milliseconds: the SDK alone, and with the modules that it needs. */
	readonly command: readonly [string, ...string[]];
	readonly environment: Readonly<Record<string, string>>;
	readonly limit: number;
}

async function describeLanguages(directory: string): Promise<readonly Language[]> {
	const built = buildJavaScript(directory);
	const modules = [...(await readFile(built, "utf8")).matchAll(/^import .*from "(node:\w+)";$/gm)].map(([, name = ""]) => name);
	const environment = {
		PYTHONPATH: join(sdks, "python"),
		PYTHONPYCACHEPREFIX: join(directory, "byte-code"),
		// Empty is not set: byte code is kept.
		PYTHONDONTWRITEBYTECODE: "",
	};
	const python = ["python3", join(callers, "import_python.py")] as const;
	const needed = (await runProgram(python, { cwd: directory, environment })).trim().split(" ");
	return [
		{
			name: `import of JavaScript`,
			command: [process.execPath, join(callers, "import-javascript.ts"), built, ...new Set(modules)],
			environment: {},
			limit: 5,
		},
		{ name: "import of Python", command: [...python, ...needed], environment, limit: 15 },
		{
			name: "source of Bash",
			command: ["bash", join(callers, "source-bash.sh"), join(sdks, "bash/cronium.sh")],
			environment: {},
			limit: 15,
		},
	];
}
