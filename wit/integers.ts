import type { Primitive } from "./syntax.ts";

/**
 * The range of a WIT integer, undefined for other types. 64 bit integers are numbers in JSON and in TypeScript, so they
 * end at ±(2^53−1): beyond it a number is no longer exact.
 */
export function integerRange(name: Primitive): { readonly minimum: number; readonly maximum: number } | undefined {
	const [, sign, digits] = /^([su])([0-9]+)$/.exec(name) ?? [];
	if (digits === undefined) return undefined;
	const bits = Number(digits);
	const maximum = Math.min(2 ** (sign === "u" ? bits : bits - 1) - 1, Number.MAX_SAFE_INTEGER);
	return { minimum: sign === "u" ? 0 : Math.max(-maximum - 1, Number.MIN_SAFE_INTEGER), maximum };
}
