import { maxRandomBytes, sandboxOperations } from "../sandbox-operations.ts";
import { decodeBase64 } from "./base64.ts";
import { callNow } from "./calls.ts";
import { typedArrayKind } from "./inspect-kinds.ts";

const randomBytes = (count: number): Uint8Array =>
	callNow(sandboxOperations.random, `[${count}]`, undefined, (text) => decodeBase64(JSON.parse(text)));

/** Random numbers fit for secrets. `subtle` does not exist in the sandbox. */
export const crypto = {
	getRandomValues<T extends ArrayBufferView>(array: T): T {
		const kind = typedArrayKind(array);
		if (kind === undefined || kind.startsWith("Float"))
			throw new DOMException("The argument must be an array of integers", "TypeMismatchError");
		if (array.byteLength > maxRandomBytes)
			throw new DOMException(
				`The array has ${array.byteLength} bytes; at most ${maxRandomBytes} are filled at a time`,
				"QuotaExceededError",
			);
		new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(randomBytes(array.byteLength));
		return array;
	},

	randomUUID(): string {
		const bytes = randomBytes(16);
		bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
		bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
		const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
		return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
	},
};
Object.defineProperty(crypto, Symbol.toStringTag, { value: "Crypto", configurable: true });
