// biome-ignore-all lint/suspicious/noControlCharactersInRegex: ASCII is told from the rest, and controls are forbidden in hosts.
import { encodeSets, percentDecode, percentEncode } from "./percent.ts";

const forbidden = /[\0\t\n\r #/:<>?@[\\\]^|]/;
const forbiddenInDomain = /[\0-\x20"#%/:<>?@[\\\]^`{|}\x7f]/;

/** The host in the form in which it is written; undefined when it is none. */
export function parseHost(text: string, isSpecial: boolean): string | undefined {
	if (text.startsWith("[")) return text.endsWith("]") ? parseIpv6(text.slice(1, -1)) : undefined;
	if (!isSpecial) return forbidden.test(text) ? undefined : percentEncode(text, encodeSets.control);
	const domain = domainToAscii(percentDecode(text));
	if (domain === undefined || domain === "" || forbiddenInDomain.test(domain)) return undefined;
	return endsInNumber(domain) ? parseIpv4(domain) : domain;
}

/**
 * Lower case, normalised, and labels beyond ASCII in punycode. The mapping tables of UTS #46 (a few hundred kilobytes) are not here: NFKC
 * and case folding agree with them for the names that people register.
 */
function domainToAscii(domain: string): string | undefined {
	if (/^[\x00-\x7f]*$/.test(domain)) return domain.toLowerCase();
	// By character, because the lower case of a whole word treats its last sigma differently.
	const lower = Array.from(
		domain.replace(/(?:\u00ad|\u200b|\u2060|\ufeff|[\ufe00-\ufe0f])/g, "").normalize("NFKC"),
		(character) => character.toLowerCase(),
	).join("");
	const labels = lower
		.normalize("NFC")
		.replace(/[\u3002\uff0e\uff61]/g, ".")
		.split(".");
	if (labels.some((label) => label.includes("\ufffd"))) return undefined;
	return labels.map((label) => (/^[\x00-\x7f]*$/.test(label) ? label : `xn--${toPunycode(label)}`)).join(".");
}

/** RFC 3492. */
function toPunycode(label: string): string {
	const codes = Array.from(label, (character) => character.codePointAt(0) as number);
	const basic = codes.filter((code) => code < 0x80);
	let result = String.fromCharCode(...basic);
	if (basic.length > 0) result += "-";
	let current = 128;
	let delta = 0;
	let bias = 72;
	let handled = basic.length;
	while (handled < codes.length) {
		const next = Math.min(...codes.filter((code) => code >= current));
		delta += (next - current) * (handled + 1);
		current = next;
		for (const code of codes) {
			if (code < current) delta++;
			if (code !== current) continue;
			let rest = delta;
			for (let k = 36; ; k += 36) {
				const threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
				if (rest < threshold) break;
				result += digit(threshold + ((rest - threshold) % (36 - threshold)));
				rest = Math.floor((rest - threshold) / (36 - threshold));
			}
			result += digit(rest);
			bias = adapt(delta, handled + 1, handled === basic.length);
			delta = 0;
			handled++;
		}
		delta++;
		current++;
	}
	return result;
}

const digit = (value: number): string => String.fromCharCode(value < 26 ? value + 97 : value + 22);

function adapt(delta: number, count: number, isFirst: boolean): number {
	let rest = isFirst ? Math.floor(delta / 700) : delta >> 1;
	rest += Math.floor(rest / count);
	let k = 0;
	for (; rest > 455; k += 36) rest = Math.floor(rest / 35);
	return k + Math.floor((36 * rest) / (rest + 38));
}

function endsInNumber(domain: string): boolean {
	const parts = domain.split(".");
	if (parts.at(-1) === "" && parts.length > 1) parts.pop();
	const last = parts.at(-1) as string;
	return /^\d+$/.test(last) || parseIpv4Number(last) !== undefined;
}

function parseIpv4(domain: string): string | undefined {
	const parts = domain.split(".");
	if (parts.at(-1) === "" && parts.length > 1) parts.pop();
	if (parts.length > 4) return undefined;
	let address = 0;
	for (const [index, part] of parts.entries()) {
		const number = parseIpv4Number(part);
		if (number === undefined) return undefined;
		const isLast = index === parts.length - 1;
		if (number > (isLast ? 256 ** (5 - parts.length) - 1 : 255)) return undefined;
		address += isLast ? number : number * 256 ** (3 - index);
	}
	return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

function parseIpv4Number(text: string): number | undefined {
	if (/^0x[\da-f]*$/i.test(text)) return text.length === 2 ? 0 : Number.parseInt(text, 16);
	if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
	return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

function parseIpv6(text: string): string | undefined {
	const [before, after, ...more] = text.split("::");
	if (before === undefined || more.length > 0) return undefined;
	const head = parseGroups(before, after === undefined);
	const tail = after === undefined ? [] : parseGroups(after, true);
	if (!head || !tail) return undefined;
	const missing = 8 - head.length - tail.length;
	if (after === undefined ? missing !== 0 : missing < 1) return undefined;
	return `[${writeIpv6([...head, ...new Array<number>(missing).fill(0), ...tail])}]`;
}

/** The groups of one side of `::`; the last two may be written as an IPv4 address. */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
	if (text === "") return [];
	const groups: number[] = [];
	const parts = text.split(":");
	for (const [index, part] of parts.entries()) {
		if (/^[\da-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
		else {
			const bytes = part.split(".");
			const isIpv4 = bytes.length === 4 && bytes.every((byte) => /^(?:0|[1-9]\d{0,2})$/.test(byte) && Number(byte) < 256);
			if (!isIpv4 || !mayEndInIpv4 || index !== parts.length - 1) return undefined;
			const [a, b, c, d] = bytes.map(Number) as [number, number, number, number];
			groups.push(a * 256 + b, c * 256 + d);
		}
	}
	return groups;
}

/** The longest run of two or more zeros, the first of equals, becomes `::`. */
function writeIpv6(groups: readonly number[]): string {
	let start = -1;
	let length = 1;
	for (let index = 0; index < 8; index++) {
		let end = index;
		while (end < 8 && groups[end] === 0) end++;
		if (end - index > length) {
			start = index;
			length = end - index;
		}
	}
	const write = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
	if (start < 0) return write(groups);
	return `${write(groups.slice(0, start))}::${write(groups.slice(start + length))}`;
}
