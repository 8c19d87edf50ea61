import { type Command, type CommandGroup, exitCodes, requireOperands } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson, stringify } from "./json-print.ts";
import { dataOption, jsonOption, openHost } from "./options.ts";
import { formatTable, print } from "./terminal.ts";

const list: Command = {
	name: "cronium keys list",
	operands: "",
	summary: "Lists the keys that execution tokens are signed with, and the authorities that issue certificates.",
	options: [dataOption, jsonOption("Print a JSON array.")],
	examples: ["cronium keys list"],
	async run(line) {
		requireOperands(line);
		const { listKeys } = await import("../tokens/key-ring.ts");
		const { listAuthorities } = await import("../../sidecar/certificate-authority.ts");
		const directory = resolveDataDirectory(line.value("data"));
		const keys = [
			...listKeys(directory).map((key) => ({ kind: "token", ...key })),
			...listAuthorities(directory).map((authority) => ({ kind: "authority", ...authority })),
		].map(({ kind, id, createdAt, retiredAt }) => ({
			kind,
			id,
			createdAt: new Date(createdAt).toISOString(),
			...(retiredAt !== undefined && { retiredAt: new Date(retiredAt).toISOString() }),
		}));
		if (line.flag("json")) printJson(stringify(keys));
		else
			print(
				formatTable(
					["KEY", "FOR", "MADE", "RETIRED"],
					keys.map((key) => [key.id, key.kind, key.createdAt, key.retiredAt ?? ""]),
				),
			);
		return exitCodes.succeeded;
	},
};

const rotate: Command = {
	name: "cronium keys rotate",
	operands: "",
	summary:
		"Makes a new key for execution tokens, or a new certificate authority. A host that serves the directory takes it within a second.",
	details: `Tokens of the keys before stay good until they expire; a key that no token can need any more is removed. With --authority it is the authority that is
replaced: those before it are trusted until the certificates that they have issued have expired, which takes a day.`,
	options: [dataOption, { name: "authority", description: "Make a new certificate authority, not a key." }],
	examples: ["cronium keys rotate --data ./data", "cronium keys rotate --authority"],
	async run(line) {
		requireOperands(line);
		const directory = resolveDataDirectory(line.value("data"));
		const rotateAuthority = line.flag("authority");
		const { rotateKeys } = await import("../tokens/key-ring.ts");
		const authorities = await import("../../sidecar/certificate-authority.ts");
		await using host = await openHost(line, { audit: true });
		const { lockExclusive } = await import("../store/exclusive-role.ts");
		const role = await lockExclusive(directory, "key-rotation", host);
		try {
			await host.audit?.record({ action: rotateAuthority ? "rotate-authority" : "rotate-keys", actor: "operator" });
			print(`${(await (rotateAuthority ? authorities.rotateAuthority : rotateKeys)(directory)).id}\n`);
		} finally {
			await role.close();
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
		await using host = await openHost(line, { audit: true });
		await host.audit?.record({ action: "replace-operator-credential", actor: "operator" });
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
