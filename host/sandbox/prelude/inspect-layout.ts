import { columnsOf } from "./inspect-text.ts";

/** The part of the state of an inspection that decides how entries are laid out. */
export interface Layout {
	readonly breakLength: number;
	readonly compact: number;
	readonly maxArrayLength: number;
	indentation: number;
	/** Depth of the innermost object that was inspected last. */
	currentDepth: number;
}

/** Puts the entries of an object on one line when its innermost levels fit, else one a line. */
export function joinEntries(
	layout: Layout,
	entries: string[],
	base: string,
	braces: readonly [string, string],
	isArray: boolean,
	depth: number,
	value?: unknown,
): string {
	const lead = base === "" ? "" : `${base} `;
	const lines = isArray && entries.length > 6 && layout.compact > 0 ? groupElements(layout, entries, value) : entries;
	if (layout.currentDepth - depth < layout.compact && lines === entries) {
		const start = lines.length + layout.indentation + braces[0].length + base.length + 10;
		if (fitsOneLine(layout, lines, start, base)) {
			const joined = lines.join(", ");
			if (!joined.includes("\n")) return `${lead}${braces[0]} ${joined} ${braces[1]}`;
		}
	}
	const newLine = `\n${" ".repeat(layout.indentation)}`;
	return `${lead}${braces[0]}${newLine}  ${lines.join(`,${newLine}  `)}${newLine}${braces[1]}`;
}

function fitsOneLine(layout: Layout, entries: readonly string[], start: number, base: string): boolean {
	let length = entries.length + start;
	if (length + entries.length > layout.breakLength) return false;
	for (const entry of entries) {
		length += entry.length;
		if (length > layout.breakLength) return false;
	}
	return !base.includes("\n");
}

/** Lays many short elements out in columns, so that they form about a square. */
function groupElements(layout: Layout, entries: string[], value: unknown): string[] {
	// The note on elements that are left out stays on a line of its own.
	const hasNote = layout.maxArrayLength < entries.length;
	const count = hasNote ? entries.length - 1 : entries.length;
	const separator = 2;
	const widths: number[] = [];
	let total = 0;
	let widest = 0;
	for (let index = 0; index < count; index++) {
		const width = columnsOf(entries[index] as string);
		widths.push(width);
		total += width + separator;
		widest = Math.max(widest, width);
	}
	const cell = widest + separator;
	if (cell * 3 + layout.indentation >= layout.breakLength || (total / cell <= 5 && widest > 6)) return entries;

	const bias = Math.sqrt(cell - total / entries.length);
	const biasedWidth = Math.max(cell - 3 - bias, 1);
	const columns = Math.min(
		// A character is about 2.5 times as high as it is wide.
		Math.round(Math.sqrt(2.5 * biasedWidth * count) / biasedWidth),
		Math.floor((layout.breakLength - layout.indentation) / cell),
		layout.compact * 4,
		15,
	);
	if (columns <= 1) return entries;

	const columnWidths: number[] = [];
	for (let column = 0; column < columns; column++) {
		let width = 0;
		for (let index = column; index < entries.length; index += columns) width = Math.max(width, widths[index] ?? 0);
		columnWidths.push(width + separator);
	}
	const alignRight = value !== undefined && entries.every((_, index) => isNumeric((value as unknown[])[index]));
	const lines: string[] = [];
	for (let first = 0; first < count; first += columns) {
		const last = Math.min(first + columns, count) - 1;
		let line = "";
		for (let index = first; index <= last; index++) {
			const entry = entries[index] as string;
			const end = index === last ? "" : ", ";
			// Entries are padded in code units, of which wide or combining characters have more or fewer than columns.
			const padding = (columnWidths[index - first] as number) + entry.length - (widths[index] as number);
			if (alignRight) line += `${entry}${end}`.padStart(index === last ? padding - separator : padding);
			else line += index === last ? entry : `${entry}${end}`.padEnd(padding);
		}
		lines.push(line);
	}
	if (hasNote) lines.push(entries[count] as string);
	return lines;
}

const isNumeric = (value: unknown): boolean => typeof value === "number" || typeof value === "bigint";
