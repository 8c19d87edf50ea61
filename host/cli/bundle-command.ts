import { bundledLanguages } from "../script-language.ts";
import { BundleError } from "./bundle-error.ts";
import { type Command, type CommandLine, exitCodes, requireOperands, UsageError } from "./command.ts";
import { printJson, stringify } from "./json-print.ts";
import { prepareScriptFile, readScriptFile } from "./script-file.ts";
import { printError } from "./terminal.ts";

export const command: Command = {
	name: "cronium bundle",
	operands: "<file>",
	summary: "Prints a script and what it imports as one JSON object, which the control API takes as a bundle.",
	options: [
		{ name: "root", value: "DIR", description: "Where imports may come from; the nearest directory with package.json or .git." },
	],
	examples: ["cronium bundle report.ts > report.bundle.json"],
	run,
};

async function run(line: CommandLine): Promise<number> {
	const [file] = requireOperands(line, "The script's file");
	try {
		const scriptFile = readScriptFile(file, line.value("root"));
		if (!bundledLanguages.includes(scriptFile.language))
			throw new UsageError(
				`${JSON.stringify(file)} is ${scriptFile.language}; bundles are made of ${bundledLanguages.join(" and ")}.`,
			);
		const { script, warnings } = await prepareScriptFile(scriptFile);
		for (const warning of warnings) printError(`warning: ${warning}`);
		printJson(stringify(script));
		return exitCodes.succeeded;
	} catch (cause) {
		if (!(cause instanceof BundleError)) throw cause;
		printError(cause.message);
		return exitCodes.failed;
	}
}
