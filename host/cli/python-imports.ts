/** A module that a source in Python may import. */
export interface PythonImport {
	/** The dots before its name: 0 for an absolute import, 1 for the package that the source is in. */
	readonly level: number;
	/** Its name, in parts; none in `from . import x`. */
	readonly module: readonly string[];
	/** What is taken from it, each of which may be a module of its own. */
	readonly names: readonly string[];
}

/** Where an import statement may begin: a line, or behind `;` or `:` in one. */
const beginning = /(?:^|[;:])[ \t\f]*(?=(?:import|from)\b)/gm;
const token = /[ \t\f\r]+|#[^\n]*|\n|[\p{L}\p{N}_]+|[.,()*]/uy;

/**
 * The modules that a source imports by name, wherever it does. Errs on the side of too many: what only looks like an import (in a text, say) is one. Linear
 * in the length of the source, whatever it is.
 */
export function findPythonImports(source: string): PythonImport[] {
	// A backslash at the end of a line goes on in the next one.
	const text = source.replace(/\\\r?\n/g, " ");
	return [...text.matchAll(beginning)].flatMap(({ index, 0: { length } }) => {
		const [keyword, ...rest] = statementTokens(text, index + length);
		return keyword === "import" ? readImport(rest) : readFrom(rest);
	});
}

/** `import a.b as c, d`. */
function readImport(tokens: readonly string[]): PythonImport[] {
	return splitList(tokens).map((item) => ({ level: 0, module: item.filter((one) => one !== "."), names: [] }));
}

/** `from ..a.b import c as d, e`. */
function readFrom(tokens: readonly string[]): PythonImport[] {
	const end = tokens.indexOf("import");
	if (end < 0) return [];
	const from = tokens.slice(0, end);
	const level = from.findIndex((one) => one !== ".");
	const names = splitList(tokens.slice(end + 1).filter((one) => one !== "(" && one !== ")")).flatMap(([name]) => name ?? []);
	return [{ level: level < 0 ? from.length : level, module: from.filter((one) => one !== "."), names }];
}

/** The items between the commas, without what they are called here. */
function splitList(tokens: readonly string[]): string[][] {
	const items: string[][] = [[]];
	for (const one of tokens) {
		if (one === ",") items.push([]);
		else items.at(-1)?.push(one);
	}
	return items
		.map((item) => item.slice(0, item.includes("as") ? item.indexOf("as") : item.length))
		.filter((item) => item.length > 0);
}

/** The words and signs of the statement that begins there, as far as it can be an import. */
function statementTokens(text: string, start: number): string[] {
	const tokens: string[] = [];
	let isOpen = false;
	token.lastIndex = start;
	for (let found = token.exec(text)?.[0]; found !== undefined; found = token.exec(text)?.[0]) {
		if (found === "\n" && !isOpen) break;
		if (/^[\s#]/.test(found)) continue;
		if (found === "(" && isOpen) break;
		if (found === "(") isOpen = true;
		tokens.push(found);
		if (found === ")") break;
	}
	return tokens;
}
