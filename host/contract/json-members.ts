/**
 * The members of a JSON object as texts, by name: what stands behind each colon, kept as received. Undefined when the text is no object. The text
 * must be JSON without duplicate names (`requireJson`): here is only cut, not checked.
 */
export function jsonMembers(text: string): ReadonlyMap<string, string> | undefined {
	let index = skipSpace(text, 0);
	if (text[index] !== "{") return undefined;
	const members = new Map<string, string>();
	index = skipSpace(text, index + 1);
	while (text[index] !== "}") {
		const nameEnd = skipString(text, index);
		const name = JSON.parse(text.slice(index, nameEnd)) as string;
		const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
		const end = skipValue(text, start);
		members.set(name, text.slice(start, end));
		index = skipSpace(text, end);
		if (text[index] === ",") index = skipSpace(text, index + 1);
	}
	return members;
}

function skipSpace(text: string, index: number): number {
	let at = index;
	while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
	return at;
}

/** From an opening quote to behind the closing one. */
function skipString(text: string, index: number): number {
	let at = index + 1;
	while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
	return at + 1;
}

/** To behind the value, without the space that follows it. */
function skipValue(text: string, start: number): number {
	let index = start;
	let depth = 0;
	do {
		const character = text[index];
		if (character === '"') index = skipString(text, index);
		else {
			if (character === "{" || character === "[") depth++;
			else if (character === "}" || character === "]") depth--;
			index++;
		}
	} while (depth > 0);
	if (text[start] === '"' || text[start] === "{" || text[start] === "[") return index;
	while (index < text.length && !/[\s,}\]]/.test(text[index] as string)) index++;
	return index;
}
