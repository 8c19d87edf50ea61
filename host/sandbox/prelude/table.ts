import { inspect } from "./inspect.ts";
import { isMap, isSet } from "./inspect-kinds.ts";
import { columnsOf } from "./inspect-text.ts";

/** The text of console.table, or undefined when `data` is nothing that has rows. */
export function formatTable(data: unknown, properties?: readonly string[]): string | undefined {
	if (typeof data !== "object" || data === null) return undefined;
	if (isMap(data)) {
		const pairs = [...(data as Map<unknown, unknown>)];
		const [keys, values] = [pairs.map(([key]) => cell(key)), pairs.map(([, value]) => cell(value))];
		return draw(["(iteration index)", "Key", "Values"], [pairs.map((_, index) => `${index}`), keys, values], pairs.length);
	}
	if (isSet(data)) {
		const values = [...(data as Set<unknown>)].map(cell);
		return draw(["(iteration index)", "Values"], [values.map((_, index) => `${index}`), values], values.length);
	}
	const indexes = Object.keys(data);
	const columns = new Map<string, string[]>();
	const plain: string[] = [];
	for (const [row, index] of indexes.entries()) {
		const item = (data as Record<string, unknown>)[index];
		const isPrimitive = item === null || (typeof item !== "function" && typeof item !== "object");
		if (isPrimitive && properties === undefined) {
			plain[row] = cell(item);
			continue;
		}
		for (const key of properties ?? Object.keys(item as object)) {
			const column = columns.get(key) ?? [];
			columns.set(key, column);
			if (!isPrimitive && Object.hasOwn(item as object, key)) column[row] = cell((item as Record<string, unknown>)[key]);
		}
	}
	const head = ["(index)", ...columns.keys()];
	const body = [indexes, ...columns.values()];
	if (plain.length > 0) {
		head.push("Values");
		body.push(plain);
	}
	return draw(head, body, indexes.length);
}

function cell(value: unknown): string {
	const isLarge = typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 2;
	return inspect(value, { depth: isLarge ? -1 : 0, maxArrayLength: 3, breakLength: Number.POSITIVE_INFINITY });
}

function draw(head: readonly string[], columns: readonly (readonly (string | undefined)[])[], rows: number): string {
	const widths = head.map((title, index) => {
		let width = columnsOf(title);
		for (const text of columns[index] ?? []) width = Math.max(width, columnsOf(text ?? ""));
		return width + 2;
	});
	const rule = (left: string, middle: string, right: string): string =>
		`${left}${widths.map((width) => "─".repeat(width)).join(middle)}${right}`;
	const line = (cells: readonly string[]): string =>
		`│${cells.map((text, index) => ` ${text}${" ".repeat((widths[index] as number) - columnsOf(text) - 1)}`).join("│")}│`;
	const lines = [rule("┌", "┬", "┐"), line(head), rule("├", "┼", "┤")];
	for (let row = 0; row < rows; row++) lines.push(line(columns.map((column) => column[row] ?? "")));
	lines.push(rule("└", "┴", "┘"));
	return lines.join("\n");
}
