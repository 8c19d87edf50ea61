import { RuntimeError } from "./errors.ts";

/** The contract refuses deeper values, and far below the stack ends. */
const maxDepth = 128;
const tooDeep = `nested more than ${maxDepth} levels deep`;

/**
 * The JSON text of a value. Throws `invalid` naming the place of what JSON has no form for: unlike JSON.stringify it never turns NaN into null, or a
 * Map or a promise into `{}`.
 */
export function toJsonText(value: unknown, label: string): string {
	const text = write(value, label, (path, description) => {
		if (description !== tooDeep) throw new RuntimeError("invalid", `${path} is ${description}, which is not JSON.`);
		const limit = { name: "maxJsonDepth", value: maxDepth, unit: "levels" };
		throw new RuntimeError("invalid", `${path} is ${description} (maxJsonDepth).`, { limit });
	});
	if (/(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(text))
		throw new RuntimeError("invalid", `${label} has a lone surrogate (half of a character), which is not JSON.`);
	return text;
}

/** The JSON text of the fields of a log line: what JSON has no form for is described instead of refused. */
export function toLogText(value: unknown, label: string): string {
	return write(value, label, (_path, description, misfit) =>
		typeof misfit === "number" || typeof misfit === "bigint" ? String(misfit) : `[${description}]`,
	);
}

/** What a log line says of an error among its fields; JSON.stringify would write `{}`. */
export function describeErrorsIn(fields: unknown): unknown {
	if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return fields;
	return Object.fromEntries(
		Object.entries(fields).map(([name, value]) => {
			if (!(value instanceof Error)) return [name, value];
			const { name: kind, message, stack } = value;
			return [name, { name: kind, message, code: (value as { code?: unknown }).code, stack }];
		}),
	);
}

function write(root: unknown, label: string, misfit: (path: string, description: string, value: unknown) => unknown): string {
	/** The objects from the root to the value at hand; `names[n]` leads from `holders[n - 1]` to the next. */
	const holders: unknown[] = [];
	const names: string[] = [];
	let depth = 0;
	const path = (): string => {
		let text = label;
		for (let level = 1; level <= depth; level++)
			text += Array.isArray(holders[level - 1]) ? `[${names[level]}]` : `.${names[level]}`;
		return text;
	};
	return JSON.stringify(root, function (this: unknown, key: string, value: unknown): unknown {
		if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
		if (typeof value === "number" && Number.isFinite(value)) return value;
		while (depth > 0 && holders[depth - 1] !== this) depth--;
		names[depth] = key;
		// A member that is undefined is absent, as everywhere; an element of an array or the whole value cannot be.
		if (value === undefined && depth > 0 && !Array.isArray(this)) return undefined;
		const description = describeMisfit(value);
		if (description !== undefined) return misfit(path(), description, value);
		if (holders.slice(0, depth).includes(value)) return misfit(path(), "a reference to an object that contains it", undefined);
		if (depth >= maxDepth) return misfit(label, tooDeep, undefined);
		holders[depth++] = value;
		return value;
	});
}

/** What a value is when JSON has no form for it, or a silent and wrong one. */
function describeMisfit(value: unknown): string | undefined {
	switch (typeof value) {
		case "undefined":
			return "undefined";
		case "function":
			return "a function";
		case "symbol":
			return "a symbol";
		case "bigint":
			return "a BigInt";
		case "number":
			return String(value);
	}
	if (value instanceof Promise) return "a promise (is an await missing?)";
	if (value instanceof Map) return "a Map";
	return value instanceof Set ? "a Set" : undefined;
}
