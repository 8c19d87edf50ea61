import { type LimitName, limitDefinitions } from "../contract/limits.ts";
import { UsageError } from "./command.ts";

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const bytes: Readonly<Record<string, number>> = {
	b: 1,
	kb: 1e3,
	mb: 1e6,
	gb: 1e9,
	kib: 1024,
	mib: 1024 ** 2,
	gib: 1024 ** 3,
};

/** `30s`, `500ms`, `1.5h` in milliseconds. Throws UsageError, with `option` in its message. */
export function readDuration(option: string, text: string): number {
	return read(option, text, milliseconds, "a duration such as 500ms, 30s, 2m, 1h or 7d");
}

/** `64MiB`, `64MB`, `1GiB` in bytes. Throws UsageError, with `option` in its message. */
export function readSize(option: string, text: string): number {
	return read(option, text, bytes, "a size such as 512KiB, 64MiB, 64MB or 1GiB");
}

/** A whole number from 0. Throws UsageError, with `option` in its message. */
export function readCount(option: string, text: string): number {
	const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
	if (Number.isNaN(count)) throw new UsageError(`${option} is ${JSON.stringify(text)}; it must be a whole number.`);
	return count;
}

/** The value of a limit in its own unit, or with one: `2m`, `64MiB`, `500`. Throws UsageError, with `option` in its message. */
export function readLimit(option: string, name: LimitName, text: string): number {
	if (/^\d+$/.test(text)) return readCount(option, text);
	switch (limitDefinitions[name].unit) {
		case "bytes":
			return readSize(option, text);
		case "milliseconds":
			return readDuration(option, text);
		default:
			return readCount(option, text);
	}
}

function read(option: string, text: string, units: Readonly<Record<string, number>>, expected: string): number {
	const [, amount = "", unit = ""] = /^(\d{1,12}(?:\.\d{1,6})?)\s?([a-z]+)$/i.exec(text) ?? [];
	const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()] : undefined;
	if (factor === undefined) throw new UsageError(`${option} is ${JSON.stringify(text)}; it must be ${expected}.`);
	const value = Math.round(Number(amount) * factor);
	if (!Number.isSafeInteger(value)) throw new UsageError(`${option} is ${JSON.stringify(text)}; that is too large.`);
	return value;
}

/** `1.5 s`, `12 ms`, `30 d`: for people. */
export function describeDuration(ms: number): string {
	for (const [factor, unit] of [
		[86_400_000, "d"],
		[3_600_000, "h"],
		[60_000, "min"],
		[1_000, "s"],
	] as const)
		if (ms >= factor) return `${Number((ms / factor).toFixed(1))} ${unit}`;
	return `${Math.round(ms)} ms`;
}

/** `64 MiB`, `312 B`: for people. */
export function describeSize(size: number): string {
	for (const [factor, unit] of [
		[1024 ** 3, "GiB"],
		[1024 ** 2, "MiB"],
		[1024, "KiB"],
	] as const)
		if (size >= factor) return `${Number((size / factor).toFixed(1))} ${unit}`;
	return `${size} B`;
}
