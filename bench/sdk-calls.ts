import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Candidate, interleave } from "./interleave.ts";
import { type Effort, type Measurement, type Row, ratioTarget } from "./measurement.ts";
import { Program } from "./program.ts";
import { RuntimeServer, type TokenHolder } from "./runtime-server.ts";

const callers = fileURLToPath(new URL("./callers", import.meta.url));
export const sdks = fileURLToPath(new URL("../guest-sdks", import.meta.url));

interface Language {
	readonly name: string;
	/** Its own client, as the rows call it. */
	readonly client: string;
	readonly limit: number;
	readonly callsPerRound: number;
	readonly start: (environment: Readonly<Record<string, string>>) => Program;
}

/** What does an SDK add to a call, against a client of its language that an author would write? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	await using opened = new AsyncDisposableStack();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	opened.defer(() => rm(directory, { recursive: true, force: true }));
	const languages = describeLanguages(directory, quick);
	const server = opened.use(await RuntimeServer.start(directory, "tcp"));
	const holders = await server.startRuns(languages.length);
	const candidates: Candidate[] = [];
	for (const [index, { name, client, callsPerRound, start }] of languages.entries()) {
		const { token } = holders[index] as TokenHolder;
		const caller = opened.use(start({ ...server.environment, CRONIUM_EXECUTION_TOKEN: token }));
		candidates.push(
			calls(`${name}, ${client}`, caller, "raw", callsPerRound),
			calls(`${name}, SDK`, caller, "sdk", callsPerRound),
		);
	}
	const rows = await interleave(candidates, quick ? 5 : 15, effort);
	return {
		question: "one getVariable of 100 bytes over loopback, one call after the other",
		rows,
		targets: languages.map(({ name, client, limit }, index) =>
			ratioTarget(`${name}: the SDK ≤ ${limit}× ${client}`, rows[index * 2 + 1] as Row, rows[index * 2] as Row, limit),
		),
		notes: [
			"the other clients send the token and parse the answer, and do nothing else: no errors, no repetition, no renewal",
			"in Bash a call is a process and a connection, with the SDK as without",
		],
	};
}

function describeLanguages(directory: string, quick: boolean): readonly Language[] {
	const built = buildJavaScript(directory);
	const start =
		(command: readonly [string, ...string[]], more: Readonly<Record<string, string>> = {}): Language["start"] =>
		(environment) =>
			Program.start(command, { cwd: directory, environment: { ...environment, ...more } });
	return [
		{
			name: "JavaScript",
			client: "node:http, kept connection",
			limit: 1.5,
			callsPerRound: quick ? 200 : 1_000,
			start: start([process.execPath, join(callers, "javascript.ts"), built]),
		},
		{
			name: "Python",
			client: "http.client, kept connection",
			limit: 1.5,
			callsPerRound: quick ? 200 : 1_000,
			start: start(["python3", "-B", join(callers, "python.py")], { PYTHONPATH: join(sdks, "python") }),
		},
		{
			name: "Bash",
			client: "plain curl",
			limit: 2,
			callsPerRound: quick ? 5 : 20,
			start: start(["bash", join(callers, "bash.sh"), join(sdks, "bash/cronium.sh")]),
		},
	];
}

/** Builds what is published of the JavaScript SDK. Returns its module. */
export function buildJavaScript(directory: string): string {
	execFileSync(process.execPath, [join(sdks, "js/build.ts"), join(directory, "js")]);
	return join(directory, "js", "index.js");
}

function calls(name: string, caller: Program, kind: "sdk" | "raw", callsPerRound: number): Candidate {
	const took: number[] = [];
	return {
		name,
		unit: "µs",
		samplesPerRound: callsPerRound,
		sample: async () => {
			if (took.length === 0) took.push(...(JSON.parse(await caller.ask(`${kind} ${callsPerRound}`)) as number[]));
			return took.pop() as number;
		},
	};
}
