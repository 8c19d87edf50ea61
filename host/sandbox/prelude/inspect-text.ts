// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped.

// Texts as inspect writes them: quoted, escaped, and measured in columns.

const toEscape = /[\x00-\x1f'\\\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const toEscapeButQuote = /[\x00-\x1f\\\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const shortEscapes: Record<string, string> = {
	"\b": "\\b",
	"\t": "\\t",
	"\n": "\\n",
	"\f": "\\f",
	"\r": "\\r",
	"'": "\\'",
	"\\": "\\\\",
};

function escapeOne(character: string): string {
	const code = character.charCodeAt(0);
	return (
		shortEscapes[character] ??
		(code < 0x100 ? `\\x${code.toString(16).toUpperCase().padStart(2, "0")}` : `\\u${code.toString(16)}`)
	);
}

/** The text in the quotes that need the least escaping. */
export function quote(text: string): string {
	if (!text.includes("'")) return `'${text.replace(toEscape, escapeOne)}'`;
	if (!text.includes('"')) return `"${text.replace(toEscapeButQuote, escapeOne)}"`;
	if (!text.includes("`") && !text.includes("${")) return `\`${text.replace(toEscapeButQuote, escapeOne)}\``;
	return `'${text.replace(toEscape, escapeOne)}'`;
}

/** A property's name. */
export function formatKey(key: PropertyKey): string {
	if (typeof key === "symbol") return key.toString().replace(toEscape, escapeOne);
	const name = String(key);
	if (name === "__proto__") return "['__proto__']";
	return /^[a-zA-Z_][a-zA-Z_0-9]*$/.test(name) ? name : quote(name);
}

export const formatNumber = (value: number): string => (Object.is(value, -0) ? "-0" : `${value}`);

export const remainingItems = (count: number): string => `... ${count} more item${count > 1 ? "s" : ""}`;

/** How many columns of a terminal the text takes. */
export function columnsOf(text: string): number {
	if (/^[\x20-\x7e]*$/.test(text)) return text.length;
	let columns = 0;
	for (const character of text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "").normalize("NFC"))
		columns += columnsOfOne(character.codePointAt(0) as number);
	return columns;
}

/** First and last code points of what takes no column: controls, combining marks, joiners, variation selectors. */
const zeroWidth = [
	0, 0x1f, 0x7f, 0x9f, 0x300, 0x36f, 0x200b, 0x200f, 0x20d0, 0x20ff, 0xfe00, 0xfe0f, 0xfe20, 0xfe2f, 0xe0100, 0xe01ef,
];
/** First and last code points of what takes two columns: East Asian wide forms and emoji. */
const fullWidth = [
	0x1100, 0x115f, 0x2329, 0x232a, 0x2e80, 0x303e, 0x3040, 0x3247, 0x3250, 0x4dbf, 0x4e00, 0xa4c6, 0xa960, 0xa97c, 0xac00, 0xd7a3,
	0xf900, 0xfaff, 0xfe10, 0xfe19, 0xfe30, 0xfe6b, 0xff01, 0xff60, 0xffe0, 0xffe6, 0x1b000, 0x1b001, 0x1f200, 0x1f251, 0x1f300,
	0x1f64f, 0x1f680, 0x1f6fc, 0x1f7e0, 0x1f7eb, 0x1f900, 0x1f9ff, 0x1fa70, 0x1faff, 0x20000, 0x3fffd,
];

function columnsOfOne(code: number): number {
	if (within(zeroWidth, code)) return 0;
	return within(fullWidth, code) ? 2 : 1;
}

function within(ranges: readonly number[], code: number): boolean {
	for (let index = 0; index < ranges.length; index += 2)
		if (code >= (ranges[index] as number) && code <= (ranges[index + 1] as number)) return true;
	return false;
}
