import type { ExecutionStatus, LogLine } from "../execution.ts";
import type { ExecutionRecord } from "../executions.ts";
import type { JournalEntry } from "../helpers/journal-reader.ts";
import { type Command, type CommandGroup, exitCodes, requireOperands, UsageError } from "./command.ts";
import { indent, printJson, RawJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption, openHost } from "./options.ts";
import { describeDuration, describeSize, readCount } from "./quantity.ts";
import { escapeText, formatTable, paint, print, printError } from "./terminal.ts";

const statuses: readonly ExecutionStatus[] = ["created", "running", "succeeded", "failed", "timed-out", "cancelled", "lost"];

const list: Command = {
	name: "cronium executions list",
	operands: "",
	summary: "Lists runs, the newest first.",
	options: [
		{ name: "status", value: "STATUS", description: `${statuses.join(", ")}.` },
		{ name: "namespace", value: "NAME", description: "Only runs of this namespace." },
		{ name: "limit", value: "COUNT", description: "At most this many; 20 when not given." },
		dataOption,
		jsonOption("Print a JSON array."),
	],
	examples: ["cronium executions list", "cronium executions list --status failed --limit 5 --json"],
	async run(line) {
		requireOperands(line);
		const status = line.value("status");
		const namespace = line.value("namespace");
		if (status !== undefined && !(statuses as readonly string[]).includes(status))
			throw new UsageError(`--status is ${JSON.stringify(status)}; it must be ${statuses.join(", ")}.`);
		const limit = readCount("--limit", line.value("limit") ?? "20");
		await using host = await openHost(line);
		const records = await host.executions.list({
			...(status !== undefined && { status: status as ExecutionStatus }),
			...(namespace !== undefined && { namespace }),
			limit,
		});
		if (line.flag("json")) printJson(stringify(records));
		else if (records.length > 0)
			print(
				formatTable(
					["ID", "STATUS", "STARTED", "TOOK", "NAMESPACE", "SCRIPT"],
					records.map((record) => [
						record.id,
						record.status,
						time(record.startedAt),
						took(record),
						record.namespace,
						record.script?.name ?? "",
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

const show: Command = {
	name: "cronium executions show",
	operands: "<id>",
	summary: "Shows one run: how it ended, its output, its logs.",
	options: [dataOption, jsonOption("Print a JSON object: the record of the run, its output, condition and logs.")],
	examples: ["cronium executions show 019a6f3e-5b0c-7c1d-9e2f-3a4b5c6d7e8f"],
	async run(line) {
		const [id] = requireOperands(line, "The id of the execution");
		await using host = await openHost(line);
		const record = await host.executions.get(id);
		if (!record) return missing(id);
		const ended = record.endedAt === undefined ? undefined : await host.executions.outcome(id);
		const logs = await host.executions.logs(id);
		if (line.flag("json")) {
			printJson(
				stringify({
					...record,
					...(ended?.outputText !== undefined && { output: new RawJson(ended.outputText) }),
					condition: ended?.condition ?? null,
					logs: logs.map(({ fields, ...log }) => ({ ...log, ...(fields !== undefined && { fields: new RawJson(fields) }) })),
				}),
			);
			return exitCodes.succeeded;
		}
		print(describeRecord(record, ended?.condition ?? null));
		if (record.error?.stack !== undefined) print(`\n${escapeText(record.error.stack, { lines: true })}\n`);
		if (ended?.outputText !== undefined) print(section("Output", escapeText(indent(ended.outputText), { lines: true })));
		if (logs.length > 0) print(section("Logs", logs.map(describeLog).join("\n")));
		return exitCodes.succeeded;
	},
};

const journal: Command = {
	name: "cronium executions journal",
	operands: "<id>",
	summary: "Shows every helper call of a run, in order.",
	options: [dataOption, jsonOption("Print a JSON array.")],
	examples: ["cronium executions journal 019a6f3e-5b0c-7c1d-9e2f-3a4b5c6d7e8f --json"],
	async run(line) {
		const [id] = requireOperands(line, "The id of the execution");
		await using host = await openHost(line);
		const record = await host.executions.get(id);
		if (!record) return missing(id);
		const entries = await host.executions.journal(id);
		if (line.flag("json")) printJson(stringify(entries));
		else if (entries.length > 0)
			print(
				formatTable(
					["#", "AFTER", "CALL", "ARGUMENTS", "ANSWER"],
					entries.map((entry) => [
						String(entry.sequence),
						describeDuration(Math.max(0, Date.parse(entry.at) - record.startedAt)),
						entry.operation,
						cut(Object.values(entry.arguments).map(describeValue).join(", "), 60),
						cut(describeAnswer(entry), 80),
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium executions",
	summary: "Runs: what they did and how they ended.",
	commands: { list, show, journal },
};

function missing(id: string): number {
	printError(`There is no execution ${JSON.stringify(id)}; cronium executions list shows those that there are.`);
	return exitCodes.failed;
}

function describeRecord(record: ExecutionRecord, condition: boolean | null): string {
	const { usage, error } = record;
	const rows: (readonly [string, string])[] = [
		["Execution", record.id],
		["Script", record.script ? `${record.script.name} (${describeSize(record.script.bytes)})` : "runs elsewhere"],
		["Status", record.status + (record.exitCode === undefined ? "" : `, exit code ${record.exitCode}`)],
		["Namespace", record.namespace],
		["Started", time(record.startedAt)],
		["Took", took(record)],
		["Condition", condition === null ? "not set" : String(condition)],
	];
	if (usage) {
		const { cpuTimeMs, memoryBytes, hostCalls, logBytes } = usage;
		rows.push([
			"Used",
			`${describeDuration(cpuTimeMs)} of processor, ${describeSize(memoryBytes)} of memory, ${hostCalls} host calls, ${describeSize(logBytes)} of logs`,
		]);
	}
	if (error) rows.push(["Error", `${error.code}: ${error.message}`]);
	return rows.map(([name, value]) => `${paint(process.stdout, "bold", name.padEnd(10))} ${escapeText(value)}\n`).join("");
}

function section(title: string, text: string): string {
	return `\n${paint(process.stdout, "bold", title)}\n${text}\n`;
}

function describeLog({ at, level, message, fields }: LogLine): string {
	const text = escapeText(message, { lines: true }).replaceAll("\n", "\n  ");
	return `${escapeText(at)} ${level.padEnd(5)} ${text}${fields === undefined ? "" : ` ${escapeText(fields)}`}`;
}

function describeAnswer(entry: JournalEntry): string {
	if (entry.error) return `${entry.error.code}: ${entry.error.message}`;
	if (entry.repeats !== undefined) return `as call ${entry.repeats}`;
	if ("result" in entry) return describeValue(entry.result);
	return entry.version === undefined ? "none before the end" : "done";
}

/** JSON texts are in the journal as strings, large ones as references. */
function describeValue(value: unknown): string {
	if (typeof value === "string") return value;
	if (typeof value === "object" && value !== null && "sha256" in value && "size" in value)
		return `${describeSize(Number(value.size))} of JSON`;
	return value === undefined ? "" : JSON.stringify(value);
}

const cut = (text: string, length: number): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);

const time = (at: number): string => new Date(at).toISOString();

const took = ({ startedAt, endedAt }: ExecutionRecord): string =>
	endedAt === undefined ? "" : describeDuration(endedAt - startedAt);
