import { type ParseArgsConfig, parseArgs } from "node:util";

/** The command line is wrong: said in one line, with exit code 2. */
export class UsageError extends Error {
	override readonly name = "UsageError";
}

/** The exit codes of every command, as shells and `timeout` have them. */
export const exitCodes = { succeeded: 0, failed: 1, usage: 2, timedOut: 124, hostFailure: 125, cancelled: 130 } as const;

export interface CommandOption {
	readonly name: string;
	/** What follows the name, such as `DURATION`; without it the option is a flag. */
	readonly value?: string;
	readonly repeats?: true;
	readonly description: string;
}

/** One command, or one group of them (`variables get`). */
export interface Command {
	/** `cronium run`. */
	readonly name: string;
	/** What follows the name: `<file>`. */
	readonly operands: string;
	readonly summary: string;
	readonly details?: string;
	readonly options: readonly CommandOption[];
	readonly examples: readonly string[];
	/** Returns the exit code. */
	run(line: CommandLine): Promise<number>;
}

export interface CommandGroup {
	readonly name: string;
	readonly summary: string;
	readonly commands: Readonly<Record<string, Command>>;
}

/** A command line that has been taken apart. */
export interface CommandLine {
	readonly operands: readonly string[];
	flag(name: string): boolean;
	/** The last one given. */
	value(name: string): string | undefined;
	values(name: string): readonly string[];
}

/** Takes the arguments apart by the command's options. Throws UsageError for one that it does not have. */
export function readCommandLine(command: Command, argv: readonly string[]): CommandLine {
	const options: NonNullable<ParseArgsConfig["options"]> = {};
	for (const option of command.options)
		options[option.name] = { type: option.value === undefined ? "boolean" : "string", multiple: true };
	let parsed: { values: Record<string, unknown>; positionals: string[] };
	try {
		parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
	} catch (cause) {
		throw new UsageError(describeMistake(command, cause as Error & { code?: string }));
	}
	const found = (name: string): readonly unknown[] => (parsed.values[name] as unknown[] | undefined) ?? [];
	for (const { name, value, repeats } of command.options)
		if (value !== undefined && !repeats && found(name).length > 1) throw new UsageError(`--${name} is given more than once.`);
	return {
		operands: parsed.positionals,
		flag: (name) => found(name).length > 0,
		value: (name) => found(name).at(-1) as string | undefined,
		values: (name) => found(name) as readonly string[],
	};
}

/** Exactly the operands that are named. Throws UsageError when one is missing or too many. */
export function requireOperands<Names extends readonly string[]>(
	line: CommandLine,
	...names: Names
): { readonly [Index in keyof Names]: string } {
	const missing = names[line.operands.length];
	if (missing !== undefined) throw new UsageError(`${missing} is missing.`);
	const extra = line.operands[names.length];
	if (extra !== undefined) throw new UsageError(`${JSON.stringify(extra)} is one argument too many.`);
	return line.operands as unknown as { readonly [Index in keyof Names]: string };
}

function describeMistake(command: Command, error: Error & { code?: string }): string {
	const name = /'(?:-\w, )?(--?[^' =]+)/.exec(error.message)?.[1] ?? "";
	const option = command.options.find((one) => `--${one.name}` === name);
	if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
		const near = command.options.find((one) => one.name.startsWith(name.slice(2, 5)) && name.length > 4);
		return `There is no option ${name}.${near ? ` Did you mean --${near.name}?` : ""}`;
	}
	if (option?.value !== undefined)
		return error.message.includes("ambiguous")
			? `${name} is followed by something that looks like an option; write ${name}=${option.value}.`
			: `${name} needs a value: ${name} ${option.value}.`;
	if (option) return `${name} takes no value.`;
	return error.message.split("\n", 1)[0] ?? error.message;
}
