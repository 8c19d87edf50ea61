import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type CampaignReport, runCampaign } from "./campaign.ts";
import { runSchemathesis } from "./schemathesis.ts";

const usage = `usage: npm run fuzz [-- --requests N] [--seed N] [--schemathesis]

--requests N     random requests to the runtime API and the control API (20000)
--seed N         makes the requests of an earlier run again
--schemathesis   lets Schemathesis (Python) ask both servers, too; installs it into a temporary directory when it is not there,
                 and says so when it cannot be had

Exit code 0 when all is well, 1 when something is wrong, 2 for wrong usage.`;

process.exitCode = await main();

async function main(): Promise<number> {
	const options = parse();
	if (typeof options === "number") return options;
	const { seed, requests } = options;
	console.log(`seed ${seed}`);
	const directory = await mkdtemp(join(tmpdir(), "cronium-fuzz-"));
	try {
		const report = await runCampaign({ seed, requests, directory, onProgress: (line) => console.log(`  ${line}`) });
		console.log(describe(report));
		const problems = [...report.problems];
		if (options.schemathesis) problems.push(...(await runSchemathesis(directory, seed, (line) => console.log(line))));
		for (const problem of problems) console.log(`PROBLEM ${problem}`);
		console.log(problems.length === 0 ? "all is well" : `${problems.length} problems; seed ${seed}`);
		return problems.length === 0 ? 0 : 1;
	} finally {
		await rm(directory, { recursive: true, force: true });
	}
}

/** A table of what was answered how often. */
function describe({ requests, statuses, journalEntries }: CampaignReport): string {
	const lines = Object.entries(statuses)
		.sort(([one], [other]) => (one < other ? -1 : 1))
		.map(([operation, counts]) => {
			const all = Object.entries(counts).map(([status, count]) => `${status} ×${count}`);
			return `  ${operation}: ${all.join(", ")}`;
		});
	return [...lines, `${requests} requests, ${journalEntries} journal entries`].join("\n");
}

function parse() {
	try {
		const { values } = parseArgs({
			options: {
				requests: { type: "string", default: "20000" },
				seed: { type: "string" },
				schemathesis: { type: "boolean", default: false },
				help: { type: "boolean", default: false },
			},
		});
		if (values.help) {
			console.log(usage);
			return 0;
		}
		return {
			requests: requireWhole("--requests", values.requests),
			seed: values.seed === undefined ? randomInt(2 ** 31) : requireWhole("--seed", values.seed),
			schemathesis: values.schemathesis,
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
