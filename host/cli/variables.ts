import type { KeyInfo } from "../contract/generated/types.ts";
import { type Command, type CommandGroup, type CommandLine, type CommandOption, exitCodes, requireOperands } from "./command.ts";
import { readJsonArgument } from "./json-argument.ts";
import { printJson, RawJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption, namespaceOption, openHost } from "./options.ts";
import { describeSize, readCount, readDuration } from "./quantity.ts";
import { formatTable, print, printError } from "./terminal.ts";

const ifVersion: CommandOption = {
	name: "if-version",
	value: "VERSION",
	description: "Only if the variable has this version now.",
};

const get: Command = {
	name: "cronium variables get",
	operands: "<key>",
	summary: "Prints the value of a variable as JSON.",
	options: [namespaceOption, dataOption, jsonOption("Print the metadata as well.")],
	examples: ["cronium variables get runs", "cronium variables get runs --namespace billing --json"],
	async run(line) {
		const [key] = requireOperands(line, "The key");
		await using host = await openHost(line);
		const entry = await host.variables(line.value("namespace")).getEntry(key);
		if (!entry) return missing(key);
		printJson(line.flag("json") ? stringify({ key, value: new RawJson(entry.value), metadata: entry.metadata }) : entry.value);
		return exitCodes.succeeded;
	},
};

const set: Command = {
	name: "cronium variables set",
	operands: "<key> <value>",
	summary: "Sets a variable. The value is JSON, @file, or - for standard input.",
	options: [
		ifVersion,
		{ name: "if-absent", description: "Only if there is no such variable." },
		{ name: "expires-in", value: "DURATION", description: "How long it lives: 90s, 12h, 30d. For ever when not given." },
		namespaceOption,
		dataOption,
		jsonOption("Print the new version."),
	],
	examples: [
		"cronium variables set threshold 5000",
		"cronium variables set currency '\"EUR\"'",
		"cronium variables set rates @rates.json --expires-in 1d",
	],
	async run(line) {
		const [key, argument] = requireOperands(line, "The key", "The value");
		const value = readJsonArgument("The value", argument);
		const expiresIn = line.value("expires-in");
		const version = line.value("if-version");
		const options = {
			...(version !== undefined && { ifVersion: version }),
			...(line.flag("if-absent") && { ifAbsent: true }),
			...(expiresIn !== undefined && { expiresInMs: readDuration("--expires-in", expiresIn) }),
		};
		await using host = await openHost(line);
		const written = await host.variables(line.value("namespace")).set(key, value, options);
		if (line.flag("json")) printJson(stringify({ key, version: written }));
		return exitCodes.succeeded;
	},
};

const remove: Command = {
	name: "cronium variables delete",
	operands: "<key>",
	summary: "Deletes a variable.",
	options: [ifVersion, namespaceOption, dataOption],
	examples: ["cronium variables delete threshold"],
	async run(line) {
		const [key] = requireOperands(line, "The key");
		const version = line.value("if-version");
		await using host = await openHost(line);
		const found = await host
			.variables(line.value("namespace"))
			.delete(key, version === undefined ? undefined : { ifVersion: version });
		return found ? exitCodes.succeeded : missing(key);
	},
};

const list: Command = {
	name: "cronium variables list",
	operands: "",
	summary: "Lists the variables of a namespace.",
	options: [
		{ name: "prefix", value: "TEXT", description: "Only keys that begin with this text." },
		{ name: "limit", value: "COUNT", description: "At most this many; all when not given." },
		namespaceOption,
		dataOption,
		jsonOption("Print a JSON array."),
	],
	examples: ["cronium variables list", "cronium variables list --prefix orders/ --namespace billing --json"],
	async run(line) {
		requireOperands(line);
		const items = await listAll(line);
		if (line.flag("json")) printJson(stringify(items));
		else if (items.length > 0)
			print(
				formatTable(
					["KEY", "SIZE", "UPDATED", "BY", "EXPIRES"],
					items.map(({ key, metadata }) => [
						key,
						describeSize(metadata.size),
						metadata.updatedAt,
						metadata.updatedBy,
						metadata.expiresAt ?? "never",
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium variables",
	summary: "Values that outlive a run, by namespace.",
	commands: { get, set, list, delete: remove },
};

async function listAll(line: CommandLine): Promise<readonly KeyInfo[]> {
	const prefix = line.value("prefix");
	const given = line.value("limit");
	const limit = given === undefined ? Number.POSITIVE_INFINITY : readCount("--limit", given);
	await using host = await openHost(line);
	const variables = host.variables(line.value("namespace"));
	const items: KeyInfo[] = [];
	let cursor: string | undefined;
	while (items.length < limit) {
		const page = await variables.list({
			...(prefix !== undefined && { prefix }),
			...(cursor !== undefined && { cursor }),
			limit: Math.min(1_000, limit - items.length),
		});
		items.push(...page.items);
		cursor = page.cursor;
		if (cursor === undefined) break;
	}
	return items;
}

function missing(key: string): number {
	printError(`There is no variable ${JSON.stringify(key)}.`);
	return exitCodes.failed;
}
