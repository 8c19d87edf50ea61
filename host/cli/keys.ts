import { type Command, type CommandGroup, exitCodes, requireOperands } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption } from "./options.ts";
import { formatTable, print } from "./terminal.ts";

const list: Command = {
	name: "cronium keys list",
	operands: "",
	summary: "Lists the keys that execution tokens are signed with.",
	options: [dataOption, jsonOption("Print a JSON array.")],
	examples: ["cronium keys list"],
	async run(line) {
		requireOperands(line);
		const { listKeys } = await import("../tokens/key-ring.ts");
		const keys = listKeys(resolveDataDirectory(line.value("data"))).map(({ id, createdAt, retiredAt }) => ({
			id,
			createdAt: new Date(createdAt).toISOString(),
			...(retiredAt !== undefined && { retiredAt: new Date(retiredAt).toISOString() }),
		}));
		if (line.flag("json")) printJson(stringify(keys));
		else
			print(
				formatTable(
					["KEY", "MADE", "RETIRED"],
					keys.map((key) => [key.id, key.createdAt, key.retiredAt ?? ""]),
				),
			);
		return exitCodes.succeeded;
	},
};

const rotate: Command = {
	name: "cronium keys rotate",
	operands: "",
	summary: "Makes a new key for execution tokens. A host that serves the directory signs with it within a second.",
	details: "Tokens of the keys before stay good until they expire; a key that no token can need any more is removed.",
	options: [dataOption],
	examples: ["cronium keys rotate --data ./data"],
	async run(line) {
		requireOperands(line);
		const directory = resolveDataDirectory(line.value("data"));
		const [{ rotateKeys }, { claimHost }, { lockExclusive }, { prepareDataDirectory }] = await Promise.all([
			import("../tokens/key-ring.ts"),
			import("../store/hosts.ts"),
			import("../store/exclusive-role.ts"),
			import("../store/data-directory.ts"),
		]);
		prepareDataDirectory(directory);
		const presence = await claimHost(directory);
		try {
			const role = await lockExclusive(directory, "key-rotation", presence);
			try {
				print(`${(await rotateKeys(directory)).id}\n`);
			} finally {
				await role.close();
			}
		} finally {
			await presence.close();
		}
		return exitCodes.succeeded;
	},
};

const operator: Command = {
	name: "cronium keys operator",
	operands: "",
	summary: "Makes a new operator's credential. A host takes it when it starts again.",
	options: [dataOption],
	examples: ["cronium keys operator --data ./data"],
	async run(line) {
		requireOperands(line);
		const { makeOperatorCredential, operatorCredentialFile } = await import("../tokens/operator-credential.ts");
		const directory = resolveDataDirectory(line.value("data"));
		makeOperatorCredential(directory);
		print(`${operatorCredentialFile(directory)}\n`);
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium keys",
	summary: "Keys of a data directory.",
	commands: { list, rotate, operator },
};
