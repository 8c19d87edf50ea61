import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { killRound } from "../store/kill-rounds.ts";
import { type KillReport, runHostKillRounds } from "./host-kill-rounds.ts";
import { createRandom } from "./random.ts";
import { runStorm, type StormReport } from "./storm.ts";

const usage = `usage: npm run soak [-- --runs N] [--rounds N] [--seconds S] [--seed N] [--keep]

--runs N     random runs in one host (100000); 0 for none
--rounds N   times that a process is killed while it writes (100), once around a host and once around the store; 0 for none
--seconds S  ends each part after this time at the latest
--seed N     makes the runs of an earlier soak again
--keep       leaves the data directories when something is wrong

Exit code 0 when all is well, 1 when something is wrong, 2 for wrong usage.`;

process.exitCode = await main();

async function main(): Promise<number> {
	const options = parse();
	if (typeof options === "number") return options;
	const { seed, runs, rounds, seconds } = options;
	console.log(`seed ${seed}`);
	const directory = await mkdtemp(join(tmpdir(), "cronium-soak-"));
	const limited = { ...(seconds !== undefined && { seconds }), onProgress: (line: string) => console.log(`  ${line}`) };
	const problems: string[] = [];
	if (runs > 0) {
		console.log(`storm of ${runs} random runs`);
		const report = await runStorm({ seed, dataDirectory: join(directory, "storm"), runs, ...limited });
		console.log(describeStorm(report));
		problems.push(...report.problems);
	}
	if (rounds > 0) {
		console.log(`${rounds} rounds of killing a process that writes to the store`);
		problems.push(...(await killStoreWriters({ seed, directory: join(directory, "written"), rounds, seconds })));
		console.log(`${rounds} rounds of killing a host`);
		const report = await runHostKillRounds({ seed, dataDirectory: join(directory, "killed"), rounds, ...limited });
		console.log(describeKills(report));
		problems.push(...report.problems);
	}
	for (const problem of problems) console.log(`PROBLEM ${problem}`);
	console.log(problems.length === 0 ? "all is well" : `${problems.length} problems; seed ${seed}`);
	if (problems.length > 0 && options.keep) console.log(`kept ${directory}`);
	else await rm(directory, { recursive: true, force: true });
	return problems.length === 0 ? 0 : 1;
}

/** Each round is audited before the next one. */
async function killStoreWriters(options: {
	readonly seed: number;
	readonly directory: string;
	readonly rounds: number;
	readonly seconds: number | undefined;
}): Promise<readonly string[]> {
	const random = createRandom(options.seed, -2);
	const deadline = performance.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1_000;
	const problems: string[] = [];
	let acknowledged = 0;
	let made = 0;
	for (; made < options.rounds && performance.now() < deadline; made++) {
		const round = await killRound(options.directory, random.integer(0, 300));
		acknowledged += round.acknowledged;
		problems.push(...round.faults.map((fault) => `store round ${made}: ${fault}`));
	}
	console.log(`  ${made} kills; ${acknowledged} acknowledged transactions audited`);
	return problems;
}

function describeStorm({ runs, seconds, endings, totals, facts }: StormReport): string {
	const MiB = 1024 * 1024;
	const lines = [...endings].sort().map(([ending, count]) => `  ${String(count).padStart(7)}  ${ending}`);
	lines.push(
		`  ${runs} runs in ${seconds.toFixed(0)} s; audited ${totals.runs} runs, ${totals.journalEntries} journal entries, ${totals.effects} effects`,
	);
	if (facts)
		lines.push(
			`  heap ${(facts.first.heapBytes / MiB).toFixed(1)} → ${(facts.last.heapBytes / MiB).toFixed(1)} MiB, anonymous memory ${(facts.first.anonymousBytes / MiB).toFixed(0)} → ${(facts.last.anonymousBytes / MiB).toFixed(0)} MiB, threads ${facts.first.threads} → ${facts.last.threads}, descriptors ${facts.first.descriptors} → ${facts.last.descriptors}`,
		);
	return lines.join("\n");
}

function describeKills({ rounds, acknowledged, ended, lost }: KillReport): string {
	return `  ${rounds} kills: ${ended} runs had ended, ${lost} were lost; ${acknowledged} acknowledged writes audited`;
}

function parse() {
	try {
		const { values } = parseArgs({
			options: {
				runs: { type: "string", default: "100000" },
				rounds: { type: "string", default: "100" },
				seconds: { type: "string" },
				seed: { type: "string" },
				keep: { type: "boolean", default: false },
				help: { type: "boolean", default: false },
			},
		});
		if (values.help) {
			console.log(usage);
			return 0;
		}
		return {
			runs: requireWhole("--runs", values.runs),
			rounds: requireWhole("--rounds", values.rounds),
			seconds: values.seconds === undefined ? undefined : requireWhole("--seconds", values.seconds),
			seed: values.seed === undefined ? randomInt(2 ** 31) : requireWhole("--seed", values.seed),
			keep: values.keep,
		};
	} catch (error) {
		console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
		return 2;
	}
}

function requireWhole(name: string, text: string): number {
	const value = Number(text);
	if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
		throw new TypeError(`${name} is ${JSON.stringify(text)}; it must be a whole number.`);
	return value;
}
