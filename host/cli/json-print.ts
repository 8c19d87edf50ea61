import { escapeText, print } from "./terminal.ts";

/** A JSON text that is embedded as it is, so that no number in it loses digits. */
export class RawJson {
	readonly text: string;

	constructor(text: string) {
		this.text = text;
	}
}

/** JSON of plain data in which some values are JSON texts already. */
export function stringify(value: unknown): string {
	if (value instanceof RawJson) return value.text;
	if (Array.isArray(value)) return `[${value.map((item) => stringify(item ?? null)).join(",")}]`;
	if (typeof value === "object" && value !== null) {
		const members = Object.entries(value).filter(([, member]) => member !== undefined);
		return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${stringify(member)}`).join(",")}}`;
	}
	return JSON.stringify(value) ?? "null";
}

/** Prints a JSON text on standard output: exactly as it is, or, for people at a terminal, indented and with control characters escaped. */
export function printJson(text: string): void {
	print(`${process.stdout.isTTY ? escapeText(indent(text), { lines: true }) : text}\n`);
}

/** Lays a JSON text out in lines. Every token stays as it was written: `1.0`, `1e400` and 2**60 are not what a JavaScript number makes of them. */
export function indent(text: string): string {
	let depth = 0;
	let result = "";
	const newline = (): string => `\n${"  ".repeat(depth)}`;
	const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/gs) ?? [];
	for (let index = 0; index < tokens.length; index += 1) {
		const token = tokens[index] as string;
		const next = tokens[index + 1];
		if ((token === "{" && next === "}") || (token === "[" && next === "]")) {
			result += token + next;
			index += 1;
		} else if (token === "{" || token === "[") {
			depth += 1;
			result += token + newline();
		} else if (token === "}" || token === "]") {
			depth -= 1;
			result += newline() + token;
		} else if (token === ",") result += token + newline();
		else result += token === ":" ? ": " : token;
	}
	return result;
}
