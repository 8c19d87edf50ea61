import { fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { ChildReport } from "./child.ts";
import { describeMachine, observeLoad } from "./machine.ts";
import type { Measurement } from "./measurement.ts";
import { formatLoad, formatMachine, formatMeasurement } from "./report.ts";

/** One file each. */
const questions = [
	"script-start",
	"helper-call",
	"host-run",
	"cli-first-result",
	"memory",
	"http-calls",
	"sdk-calls",
	"sdk-imports",
	"revocation",
	"sidecar",
	"container",
	"ssh-runs",
	"ssh-calls",
	"agents",
	"python-runs",
	"python-start",
	"python-calls",
	"python-memory",
	"python-programs",
] as const;

/** Those that take long even when they are quick, whose 90 seconds are full: to be asked for by name then. */
const slow: ReadonlySet<string> = new Set([
	"sidecar",
	"container",
	"ssh-runs",
	"ssh-calls",
	"agents",
	"python-runs",
	"python-start",
	"python-memory",
	"python-programs",
]);

/** Several at once. */
const groups: Readonly<Record<string, readonly string[]>> = {
	http: ["http-calls", "sdk-calls", "sdk-imports", "revocation"],
	ssh: ["ssh-runs", "ssh-calls", "agents"],
	python: ["python-runs", "python-start", "python-calls", "python-memory", "python-programs"],
};

const usage = `usage: npm run bench -- [name …] [--quick] [--json FILE]

names: ${questions.join(", ")}; all of them when none is given
${Object.entries(groups)
	.map(([name, members]) => `${name}: ${members.join(", ")}`)
	.join("\n")}
--quick      fewer rounds: at most 90 seconds in all, without ${[...slow].join(", ")}
--json FILE  writes machine, load and results to FILE

Exit code 0, also when a target is missed (that depends on the machine); 1 when a bench crashed; 2 for wrong usage.`;

process.exitCode = await main();

async function main(): Promise<number> {
	const options = parse();
	if (typeof options === "number") return options;
	const machine = describeMachine();
	const before = await observeLoad(1_000);
	console.log(`${formatMachine(machine, before)}\n`);
	const measurements: Record<string, Measurement> = {};
	const crashed: string[] = [];
	for (const name of options.names) {
		const started = performance.now();
		try {
			measurements[name] = await measureInChild(name, options.quick);
			const seconds = ((performance.now() - started) / 1_000).toFixed(1);
			console.log(`${formatMeasurement(name, measurements[name])}\n  took ${seconds} s\n`);
		} catch (error) {
			crashed.push(name);
			console.log(`${name}: CRASHED: ${error instanceof Error ? error.message : error}\n`);
		}
	}
	const after = await observeLoad(1_000);
	console.log(formatLoad("after", after));
	const missed = Object.values(measurements).flatMap(({ targets }) => targets.filter(({ met }) => !met));
	const targets = Object.values(measurements).flatMap((measurement) => measurement.targets);
	console.log(
		`targets  ${targets.length - missed.length} ok, ${missed.length} MISSED${crashed.length > 0 ? `; crashed: ${crashed.join(", ")}` : ""}`,
	);
	if (options.json !== undefined)
		writeFileSync(
			options.json,
			`${JSON.stringify({ machine, load: { before, after }, quick: options.quick, measurements, crashed }, null, "\t")}\n`,
		);
	return crashed.length > 0 ? 1 : 0;
}

function parse(): { readonly names: readonly string[]; readonly quick: boolean; readonly json: string | undefined } | number {
	try {
		const { values, positionals } = parseArgs({
			allowPositionals: true,
			options: {
				quick: { type: "boolean", default: false },
				json: { type: "string" },
				help: { type: "boolean", default: false },
			},
		});
		if (values.help) {
			console.log(usage);
			return 0;
		}
		const names = positionals.flatMap((name) => groups[name] ?? [name]);
		for (const name of names)
			if (!(questions as readonly string[]).includes(name))
				throw new TypeError(`There is no bench named ${JSON.stringify(name)}.`);
		const all = questions.filter((name) => !values.quick || !slow.has(name));
		return { names: names.length > 0 ? names : all, quick: values.quick, json: values.json };
	} catch (error) {
		console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
		return 2;
	}
}

function measureInChild(name: string, quick: boolean): Promise<Measurement> {
	return new Promise((resolve, reject) => {
		const child = fork(fileURLToPath(new URL("./child.ts", import.meta.url)), [name, quick ? "quick" : "full"], {
			execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
		});
		let measurement: Measurement | undefined;
		child.on("message", (report: ChildReport) => {
			measurement = report.measurement;
		});
		child.on("error", reject);
		child.on("exit", (code, signal) => {
			if (measurement && code === 0) resolve(measurement);
			else
				reject(
					new Error(`its process ended with ${signal ?? `exit code ${code}`}${measurement ? " after it had measured" : ""}`),
				);
		});
	});
}
