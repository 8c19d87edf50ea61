/** The first line of every generated TypeScript file. */
export const banner = "// Generated from wit/ by `npm run generate`. Do not edit.\n";

/** A doc comment, indented with tabs, with its line break; WIT documentation is Markdown, as JSDoc is. */
export function docComment(text: string, depth = 0): string {
	const indent = "\t".repeat(depth);
	const lines = text.replaceAll("*/", "*\\/").split("\n");
	if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
	return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join("\n")}\n${indent} */\n`;
}

/** A value as a TypeScript literal: plain data, one line when it fits into 130 columns. */
export function literal(value: unknown, depth = 0): string {
	const flat = flatLiteral(value);
	if (flat.length + depth * 4 <= 120 || typeof value !== "object" || value === null) return flat;
	const indent = "\t".repeat(depth + 1);
	const end = "\t".repeat(depth);
	if (Array.isArray(value)) return `[\n${value.map((item) => `${indent}${literal(item, depth + 1)},\n`).join("")}${end}]`;
	const members = entries(value).map(([name, member]) => `${indent}${memberName(name)}: ${literal(member, depth + 1)},\n`);
	return `{\n${members.join("")}${end}}`;
}

function flatLiteral(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(flatLiteral).join(", ")}]`;
	if (typeof value !== "object" || value === null) return JSON.stringify(value);
	const members = entries(value).map(([name, member]) => `${memberName(name)}: ${flatLiteral(member)}`);
	return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}

function entries(value: object): [string, unknown][] {
	return Object.entries(value).filter(([, member]) => member !== undefined);
}

function memberName(name: string): string {
	return /^[A-Za-z_$][\w$]*$/.test(name) && name !== "__proto__" ? name : JSON.stringify(name);
}
