import { readFileSync, writeFileSync } from "node:fs";
import type { AuditEntry, AuditFilter, AuditProblem, AuditTrail, ChainCheckpoint } from "../index.ts";
import {
	type Command,
	type CommandGroup,
	type CommandLine,
	type CommandOption,
	exitCodes,
	requireOperands,
	UsageError,
} from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson, RawJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption } from "./options.ts";
import { readCount, readDuration } from "./quantity.ts";
import { escapeText, formatTable, print, printError } from "./terminal.ts";

const types = ["chain", "control", "effect", "denied", "authentication-failure"];

const checkpointOption: CommandOption = {
	name: "write-checkpoint",
	value: "FILE",
	description: "Write down where every chain ends now, for a later verify --checkpoint. Keep it elsewhere.",
};

const list: Command = {
	name: "cronium audit list",
	operands: "",
	summary: "Lists entries of the audit log, the newest last.",
	options: [
		{ name: "execution", value: "ID", description: "Only entries of this run." },
		{ name: "type", value: "TYPE", description: `${types.join(", ")}.` },
		{
			name: "since",
			value: "TIME",
			description: "Only entries from this time on: 2026-01-31T12:00:00Z, or 2h for two hours ago.",
		},
		{ name: "limit", value: "COUNT", description: "At most this many, the newest; 50 when not given." },
		dataOption,
		jsonOption("Print a JSON array."),
	],
	examples: [
		"cronium audit list --since 1d --type denied",
		"cronium audit list --execution 019a6f3e-5b0c-7c1d-9e2f-3a4b5c6d7e8f",
	],
	async run(line) {
		requireOperands(line);
		const filter = readFilter(line);
		await using trail = await openTrail(line);
		const entries = await trail.list(filter);
		if (line.flag("json")) printJson(stringify(entries.map(({ text }) => new RawJson(text))));
		else if (entries.length > 0)
			print(
				formatTable(
					["AT", "HOST", "#", "TYPE", "WHAT"],
					entries.map((entry) => [
						entry.at,
						entry.host.slice(0, 8),
						String(entry.sequence),
						String(entry.entry.type),
						describe(entry),
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

const verify: Command = {
	name: "cronium audit verify",
	operands: "",
	summary: "Checks that nobody has changed, removed, moved or added entries of the audit log.",
	details:
		"Exit code 1 when something is wrong: every problem is named. That the newest entries were cut off shows only with --checkpoint.",
	options: [
		{
			name: "checkpoint",
			value: "FILE",
			description: "What --write-checkpoint wrote earlier: everything up to it must be there.",
		},
		checkpointOption,
		dataOption,
		jsonOption("Print a JSON object with chains and problems."),
	],
	examples: ["cronium audit verify --checkpoint last.json --write-checkpoint next.json"],
	async run(line) {
		requireOperands(line);
		const file = line.value("checkpoint");
		const checkpoint = file === undefined ? [] : readCheckpoint(file);
		await using trail = await openTrail(line);
		const { chains, problems } = await trail.verify(checkpoint);
		if (line.flag("json")) printJson(stringify({ chains, problems }));
		for (const problem of problems) printError(describeProblem(problem));
		// What is wrong now must not become what is expected later.
		if (problems.length > 0) return exitCodes.failed;
		writeCheckpoint(line, chains);
		const entries = chains.reduce((sum, { count }) => sum + count, 0);
		if (!line.flag("json"))
			print(`${entries} entries in ${chains.length} ${chains.length === 1 ? "chain" : "chains"} are in order.\n`);
		return exitCodes.succeeded;
	},
};

const exportAll: Command = {
	name: "cronium audit export",
	operands: "",
	summary: "Prints the whole audit log as JSON Lines, chain by chain.",
	options: [
		{ name: "output", value: "FILE", description: "Write to this file, which must not exist, instead of standard output." },
		checkpointOption,
		dataOption,
	],
	examples: ["cronium audit export --output audit.jsonl --write-checkpoint audit.checkpoint.json"],
	async run(line) {
		requireOperands(line);
		const output = line.value("output");
		const write = output === undefined ? print : createFile("--output", output);
		const chains: ChainCheckpoint[] = [];
		await using trail = await openTrail(line);
		for await (const entry of trail.entries()) {
			write(`${output === undefined && process.stdout.isTTY ? escapeText(entry.text) : entry.text}\n`);
			noteEnd(chains, entry);
		}
		writeCheckpoint(line, chains);
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium audit",
	summary: "The audit log: who did what.",
	commands: { list, verify, export: exportAll },
};

async function openTrail(line: CommandLine): Promise<AuditTrail> {
	const { openAuditTrail } = await import("../index.ts");
	return openAuditTrail(resolveDataDirectory(line.value("data")));
}

function readFilter(line: CommandLine): AuditFilter {
	const execution = line.value("execution");
	const type = line.value("type");
	const since = line.value("since");
	if (type !== undefined && !types.includes(type))
		throw new UsageError(`--type is ${JSON.stringify(type)}; it must be ${types.join(", ")}.`);
	return {
		...(execution !== undefined && { execution }),
		...(type !== undefined && { type }),
		...(since !== undefined && { since: readTime(since) }),
		limit: readCount("--limit", line.value("limit") ?? "50"),
	};
}

function readTime(text: string): number {
	const isTime = /^\d{4}-\d\d-\d\d/.test(text);
	if (!isTime && /^\d/.test(text)) return Date.now() - readDuration("--since", text);
	const time = isTime ? Date.parse(text) : Number.NaN;
	if (Number.isNaN(time))
		throw new UsageError(
			`--since is ${JSON.stringify(text)}; it must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 1d.`,
		);
	return time;
}

function describe({ entry }: AuditEntry): string {
	const { type: _, ...members } = entry;
	return Object.entries(members)
		.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
		.join(" ");
}

function describeProblem({ host, sequence, problem }: AuditProblem): string {
	if (host === undefined) return `${problem}.`;
	return `host ${host}${sequence === undefined ? "" : `, entry ${sequence}`}: ${problem}.`;
}

function noteEnd(chains: ChainCheckpoint[], { host, sequence, text }: AuditEntry): void {
	const last = chains.at(-1);
	const isSame = last?.host === host;
	const { mac } = JSON.parse(text) as { mac: string };
	if (isSame) chains.pop();
	chains.push({ host, sequence, mac, count: (isSame ? last.count : 0) + 1 });
}

function readCheckpoint(file: string): readonly ChainCheckpoint[] {
	let read: unknown;
	try {
		read = JSON.parse(readFileSync(file, "utf8"));
	} catch (error) {
		throw new UsageError(`--checkpoint ${file} cannot be read: ${(error as Error).message}`);
	}
	const { chains } = (read ?? {}) as { chains?: unknown };
	if (Array.isArray(chains) && chains.every(isEnd)) return chains;
	throw new UsageError(`--checkpoint ${file} is no checkpoint: it was not written by --write-checkpoint.`);
}

function isEnd(value: unknown): value is ChainCheckpoint {
	const { host, sequence, mac } = (value ?? {}) as Partial<ChainCheckpoint>;
	return typeof host === "string" && Number.isSafeInteger(sequence) && typeof mac === "string";
}

function writeCheckpoint(line: CommandLine, chains: readonly ChainCheckpoint[]): void {
	const file = line.value("write-checkpoint");
	if (file === undefined) return;
	try {
		writeFileSync(file, `${JSON.stringify({ chains })}\n`, { mode: 0o600 });
	} catch (error) {
		throw new UsageError(`--write-checkpoint ${file} cannot be written: ${(error as Error).message}`);
	}
}

const isThere = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "EEXIST";

/** Appends to a new file. */
function createFile(option: string, file: string): (text: string) => void {
	try {
		writeFileSync(file, "", { flag: "wx", mode: 0o600 });
	} catch (error) {
		throw new UsageError(`${option} ${file} cannot be made: ${isThere(error) ? "it exists already" : (error as Error).message}.`);
	}
	return (text) => writeFileSync(file, text, { flag: "a" });
}
