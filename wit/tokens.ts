import { type Position, WitError } from "./syntax.ts";

export interface Token {
	/** `word`: a name or a keyword; `name`: a name written with `%`, never a keyword; `end`: the end of the file. */
	readonly kind: "word" | "name" | "version" | "symbol" | "end";
	readonly text: string;
	readonly position: Position;
	/** The doc comment directly before the token. */
	readonly documentation: string | undefined;
}

const blank = /[ \t\r\n]+/y;
const word = /[A-Za-z0-9][A-Za-z0-9-]*/y;
const identifier = /^(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)(?:-(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*))*$/;
const version = /@[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?/y;
const symbol = /->|[{}()<>:;,=./*@_]/y;

/** Splits a WIT text into tokens. Throws a WitError for a character or a name that WIT has not. */
export function readTokens(file: string, source: string): readonly Token[] {
	const tokens: Token[] = [];
	let documentation: string[] | undefined;
	let at = 0;
	let line = 1;
	let lineStart = 0;

	const position = (): Position => ({ file, line, column: at - lineStart + 1 });
	const advance = (length: number) => {
		for (const end = at + length; at < end; at++)
			if (source[at] === "\n") {
				line++;
				lineStart = at + 1;
			}
	};
	const match = (pattern: RegExp): string | undefined => {
		pattern.lastIndex = at;
		return pattern.exec(source)?.[0];
	};
	const push = (kind: Token["kind"], text: string, length: number) => {
		tokens.push({ kind, text, position: position(), documentation: documentation?.join("\n").trim() });
		documentation = undefined;
		advance(length);
	};

	while (at < source.length) {
		const space = match(blank);
		if (space !== undefined) {
			advance(space.length);
			continue;
		}
		if (source.startsWith("//", at)) {
			const end = source.indexOf("\n", at);
			const text = source.slice(at, end === -1 ? source.length : end);
			if (text.startsWith("///")) {
				documentation ??= [];
				documentation.push(text.slice(3).replace(/^ /, "").trimEnd());
			}
			advance(text.length);
			continue;
		}
		if (source.startsWith("/*", at)) {
			const length = blockCommentLength(source, at);
			if (length === undefined) throw new WitError(position(), 'expected "*/" at the end of this comment');
			if (source.startsWith("/**", at) && length > 4) {
				documentation ??= [];
				documentation.push(...blockDocumentation(source.slice(at + 3, at + length - 2)));
			}
			advance(length);
			continue;
		}
		const escaped = source[at] === "%";
		if (escaped) at++;
		const name = match(word);
		if (escaped) at--;
		if (name !== undefined) {
			if (!identifier.test(name))
				throw new WitError(position(), `expected a name in kebab-case (such as "get-input"), found ${JSON.stringify(name)}`);
			push(escaped ? "name" : "word", name, name.length + (escaped ? 1 : 0));
			continue;
		}
		const released = match(version);
		if (released !== undefined) {
			push("version", released.slice(1), released.length);
			continue;
		}
		const sign = match(symbol);
		if (sign === undefined) throw new WitError(position(), `expected WIT, found ${JSON.stringify(characterAt(source, at))}`);
		push("symbol", sign, sign.length);
	}
	push("end", "the end of the file", 0);
	return tokens;
}

/** Block comments of WIT nest. */
function blockCommentLength(source: string, start: number): number | undefined {
	let depth = 0;
	for (let at = start; at < source.length; at++) {
		if (source.startsWith("/*", at)) {
			depth++;
			at++;
		} else if (source.startsWith("*/", at)) {
			depth--;
			at++;
			if (depth === 0) return at + 1 - start;
		}
	}
	return undefined;
}

function blockDocumentation(text: string): string[] {
	return text.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
}

function characterAt(source: string, at: number): string {
	return String.fromCodePoint(source.codePointAt(at) ?? 0xfffd);
}
