import { decodeUtf8, TextEncoder } from "./text-encoding.ts";

// Percent-encoding as the URL Standard has it: which ASCII characters are encoded depends on the part of the URL; controls and
// everything beyond ASCII always are.

const query = ' "#<>';
const path = `${query}?^\`{}`;
const userinfo = `${path}/:;=@[\\]|`;
const component = `${userinfo}$%&+,`;

export const encodeSets = {
	control: "",
	fragment: ' "<>`',
	query,
	specialQuery: `${query}'`,
	path,
	userinfo,
	form: `${component}!'()~`,
} as const;

/** Percent-encodes the characters of `set`; a lone surrogate becomes U+FFFD. */
export function percentEncode(text: string, set: string): string {
	let result = "";
	for (const character of text.toWellFormed()) {
		const code = character.charCodeAt(0);
		if (code > 0x7e) result += code === 0x7f ? "%7F" : encodeURIComponent(character);
		else if (code < 0x20 || set.includes(character)) result += `%${code.toString(16).toUpperCase().padStart(2, "0")}`;
		else result += character;
	}
	return result;
}

/** Replaces `%xx` by the bytes they stand for and reads the whole as UTF-8; what is no valid escape stays. */
export function percentDecode(text: string): string {
	if (!text.includes("%")) return text.toWellFormed();
	const bytes = new TextEncoder().encode(text);
	let length = 0;
	for (let index = 0; index < bytes.length; index++, length++) {
		const byte = bytes[index] as number;
		const value = byte === 0x25 ? hexValue(bytes[index + 1]) * 16 + hexValue(bytes[index + 2]) : Number.NaN;
		if (Number.isNaN(value)) bytes[length] = byte;
		else {
			bytes[length] = value;
			index += 2;
		}
	}
	return decodeUtf8(bytes.subarray(0, length));
}

function hexValue(code: number | undefined): number {
	if (code === undefined) return Number.NaN;
	if (code >= 0x30 && code <= 0x39) return code - 0x30;
	const letter = code | 0x20;
	return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}
