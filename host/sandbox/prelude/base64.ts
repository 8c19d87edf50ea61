const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** The value of each character code; 255 for what is not in the alphabet. */
const values = new Uint8Array(128).fill(255);
for (let value = 0; value < 64; value++) values[alphabet.charCodeAt(value)] = value;

interface NativeBase64 {
	readonly fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
	readonly prototype: { readonly toBase64?: () => string };
}
// Newer QuickJS has these built in; fetched bodies may be megabytes.
const { fromBase64: nativeDecode, prototype } = Uint8Array as unknown as NativeBase64;
const nativeEncode = prototype.toBase64;

/** Decodes what the host has encoded. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
	if (nativeDecode) return Reflect.apply(nativeDecode, Uint8Array, [text]);
	return decode(text.replace(/=+$/, "")) as Uint8Array<ArrayBuffer>;
}

export function encodeBase64(bytes: Uint8Array): string {
	if (nativeEncode) return Reflect.apply(nativeEncode, bytes, []);
	let text = "";
	for (let index = 0; index < bytes.length; index += 3) {
		const [a, b, c] = [bytes[index] as number, bytes[index + 1], bytes[index + 2]];
		const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
		text += alphabet[group >> 18] as string;
		text += alphabet[(group >> 12) & 63] as string;
		text += b === undefined ? "=" : (alphabet[(group >> 6) & 63] as string);
		text += c === undefined ? "=" : (alphabet[group & 63] as string);
	}
	return text;
}

/** Undefined when a character is not in the alphabet, or the length is impossible. */
function decode(text: string): Uint8Array<ArrayBuffer> | undefined {
	if (text.length % 4 === 1) return undefined;
	const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
	let group = 0;
	let bits = 0;
	let length = 0;
	for (let index = 0; index < text.length; index++) {
		const value = values[text.charCodeAt(index)] ?? 255;
		if (value === 255) return undefined;
		group = ((group << 6) | value) & 0xff_ffff;
		bits += 6;
		if (bits < 8) continue;
		bits -= 8;
		bytes[length++] = (group >> bits) & 255;
	}
	return bytes;
}

export function atob(data: string): string {
	const text = `${data}`.replace(/[\t\n\f\r ]/g, "");
	const bytes = decode(text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text);
	if (!bytes) throw new DOMException("The string to be decoded is not correctly encoded.", "InvalidCharacterError");
	let result = "";
	for (let start = 0; start < bytes.length; start += 4096)
		result += String.fromCharCode.apply(undefined, bytes.subarray(start, start + 4096) as unknown as number[]);
	return result;
}

export function btoa(data: string): string {
	const text = `${data}`;
	const bytes = new Uint8Array(text.length);
	for (let index = 0; index < text.length; index++) {
		const code = text.charCodeAt(index);
		if (code > 255)
			throw new DOMException(
				"The string to be encoded contains characters outside of the Latin1 range.",
				"InvalidCharacterError",
			);
		bytes[index] = code;
	}
	return encodeBase64(bytes);
}
