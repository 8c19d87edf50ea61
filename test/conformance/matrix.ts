import { join } from "node:path";

/** The page of the documentation that the matrix is a part of. */
export const matrixFile = join(import.meta.dirname, "../../docs/conformance.md");

/** One test of the suite: what came of a case with one door and SDK. */
export interface Cell {
	readonly door: string;
	readonly column: string;
	readonly title: string;
	/** `passed`, `failed`, or why it was not run. */
	readonly state: string;
}

const begin = "<!-- matrix: begin (written by `npm run conformance-matrix`) -->";
const end = "<!-- matrix: end -->";

/** The matrix as Markdown: a table with a row for each case, and what the numbers in it mean. */
export function renderMatrix(cells: readonly Cell[]): string {
	const columns = listColumns(cells);
	const titles = [...new Set(cells.map(({ title }) => title))];
	const reasons: string[] = [];
	const symbol = (state: string | undefined): string => {
		if (state === undefined) return "";
		if (state === "passed") return "✓";
		if (state === "failed") return "✗";
		if (!reasons.includes(state)) reasons.push(state);
		return String(reasons.indexOf(state) + 1);
	};
	const byPlace = new Map(cells.map((cell) => [`${cell.door}/${cell.column}/${cell.title}`, cell.state]));
	const rows = titles.map((title) => [
		title,
		...columns.map(({ door, column }) => symbol(byPlace.get(`${door}/${column}/${title}`))),
	]);
	const head = ["case", ...columns.map(({ door, column }) => `${door}: ${column}`)];
	const lines = [head, head.map((_, index) => (index === 0 ? "---" : ":-:")), ...rows].map((row) => `| ${row.join(" | ")} |`);
	return [...lines, "", ...reasons.map((reason, index) => `${index + 1}. not run: ${reason}`)].join("\n");
}

/** The matrix for a terminal: narrow, with the columns' names below it. */
export function printMatrix(cells: readonly Cell[]): string {
	const columns = listColumns(cells);
	const titles = [...new Set(cells.map(({ title }) => title))];
	const byPlace = new Map(cells.map((cell) => [`${cell.door}/${cell.column}/${cell.title}`, cell.state]));
	const symbol = (state: string | undefined): string =>
		state === "passed" ? "✓" : state === "failed" ? "✗" : state === undefined ? " " : "–";
	const width = Math.max(...titles.map(({ length }) => length));
	const letter = (index: number): string => letters[index] ?? "?";
	const lines = titles.map((title) => {
		const row = columns.map(({ door, column }) => symbol(byPlace.get(`${door}/${column}/${title}`)));
		return `${title.padEnd(width)}  ${row.join(" ")}`;
	});
	const names = columns.map(({ door, column }, index) => {
		const own = cells.filter((cell) => cell.door === door && cell.column === column);
		const count = (state: string): number => own.filter((cell) => cell.state === state).length;
		const others = own.length - count("passed") - count("failed");
		return `${letter(index)} = ${door}: ${column} (${count("passed")} passed, ${count("failed")} failed, ${others} not run)`;
	});
	return [`${"".padEnd(width)}  ${columns.map((_, index) => letter(index)).join(" ")}`, ...lines, "", ...names].join("\n");
}

/** The page with the matrix in its place. */
export function replaceMatrix(page: string, matrix: string): string {
	const from = page.indexOf(begin);
	const to = page.indexOf(end);
	if (from < 0 || to < from) throw new Error("The page has no place for the matrix.");
	return `${page.slice(0, from + begin.length)}\n\n${matrix}\n\n${page.slice(to)}`;
}

/** What the page says: the state of every `door/column/title`. */
export function readCells(page: string): Map<string, string> {
	const matrix = page.slice(page.indexOf(begin), page.indexOf(end));
	const reasons = [...matrix.matchAll(/^(\d+)\. not run: (.*)$/gm)].map(([, , reason]) => reason as string);
	const [head = [], , ...rows] = [...matrix.matchAll(/^\| (.*) \|$/gm)].map(([, row = ""]) => row.split(" | "));
	const cells = new Map<string, string>();
	for (const [title, ...states] of rows)
		for (const [index, state] of states.entries()) {
			const [door = "", column = ""] = (head[index + 1] ?? "").split(": ");
			const reason = reasons[Number(state) - 1];
			cells.set(`${door}/${column}/${title}`, state === "✓" ? "passed" : state === "✗" ? "failed" : (reason ?? ""));
		}
	return cells;
}

/** In the order in which documentation has its doors: the sandbox first. */
function listColumns(cells: readonly Cell[]): readonly { readonly door: string; readonly column: string }[] {
	const found = new Map(cells.map(({ door, column }) => [`${door}/${column}`, { door, column }]));
	return [...found.values()].sort((one, other) => rank(one.door) - rank(other.door));
}

const doors = [
	"sandbox",
	"HTTP over TCP",
	"sidecar",
	"sidecar process",
	"container (docker)",
	"container (podman)",
	"ssh-url",
	"ssh-tunnel",
	"ssh-agent",
	"stub",
];
const rank = (door: string): number => (doors.includes(door) ? doors.indexOf(door) : doors.length);

/** Of the columns. */
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
