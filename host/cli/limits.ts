import { type LimitDefinition, limitDefinitions } from "../contract/limits.ts";
import { type Command, exitCodes, requireOperands } from "./command.ts";
import { printJson, stringify } from "./json-print.ts";
import { jsonOption } from "./options.ts";
import { describeDuration, describeSize } from "./quantity.ts";
import { formatTable, print } from "./terminal.ts";

export const command: Command = {
	name: "cronium limits",
	operands: "",
	summary: "Prints every limit with its default and its range.",
	details:
		"Limits of a run are set with --timeout, --memory and --limit of cronium run; those of the host with --limit of cronium serve, or the option limits of createHost.",
	options: [jsonOption("Print a JSON object by name.")],
	examples: ["cronium limits", "cronium run long.ts --limit maxCpuTimeMs=2m"],
	async run(line) {
		requireOperands(line);
		if (line.flag("json")) printJson(stringify(limitDefinitions));
		else
			print(
				formatTable(
					["LIMIT", "DEFAULT", "FROM", "TO", "OF A", "WHAT"],
					Object.entries<LimitDefinition>(limitDefinitions).map(([name, limit]) => [
						name,
						describe(limit, limit.default),
						describe(limit, limit.minimum),
						describe(limit, limit.maximum),
						limit.scope,
						limit.description,
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

function describe({ unit }: LimitDefinition, value: number): string {
	if (unit === "bytes") return describeSize(value);
	if (unit === "milliseconds") return describeDuration(value);
	return `${value.toLocaleString("en")} ${unit}`;
}
