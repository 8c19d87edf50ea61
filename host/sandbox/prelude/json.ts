// biome-ignore-all lint/style/useTemplate: QuickJS compiles a template to a call of String.prototype.concat, which scripts can replace.

import { RuntimeError } from "./calls.ts";
import {
	getPrototypeOf,
	hasInstance,
	IntrinsicError,
	IntrinsicMap,
	IntrinsicPromise,
	IntrinsicSet,
	isArray,
	isFiniteNumber,
	stringIncludes,
	stringIsWellFormed,
	stringifyJson,
	toText,
	uncurry,
} from "./primordials.ts";

/** The contract refuses deeper values (no operator can raise maxJsonDepth), and far below QuickJS runs out of stack. */
const maxDepth = 128;
const tooDeep = "nested more than 128 levels deep";

const plain = Object.prototype;
const list = Array.prototype;
const testRegExp = uncurry(RegExp.prototype.test);

/** What to do with a value that JSON has no form for: throws, or returns what stands for it. */
type Misfit = (path: string, description: string, value: unknown) => unknown;

/**
 * The JSON text of `value`, or a RuntimeError `invalid` that says where and what is not JSON. Like JSON.stringify it calls `toJSON`
 * and leaves out members that are undefined; unlike it, it never turns NaN into null, or a Map or a promise into `{}`.
 */
export function toJsonText(value: unknown, label: string): string {
	switch (typeof value) {
		case "string":
			if (stringIsWellFormed(value)) return stringifyJson(value);
			break;
		case "number":
			if (isFiniteNumber(value)) return toText(value);
			break;
		case "boolean":
			return value ? "true" : "false";
	}
	return write(value, label, (path, description) => {
		if (description !== tooDeep) throw new RuntimeError("invalid", path + " is " + description + ", which is not JSON.");
		throw new RuntimeError("invalid", path + " is " + description + " (maxJsonDepth).", {
			limit: { name: "maxJsonDepth", value: maxDepth, unit: "levels" },
		});
	});
}

/** The JSON text of the fields of a log line: what JSON has no form for is described instead of refused. */
export function toLogText(value: unknown, label: string): string {
	return write(value, label, (_path, description, misfit) =>
		typeof misfit === "number" || typeof misfit === "bigint" ? toText(misfit) : "[" + description + "]",
	);
}

function write(root: unknown, label: string, misfit: Misfit): string {
	/** The objects from the root to the value at hand; `names[n]` leads from `holders[n - 1]` to the next. */
	const holders: unknown[] = [];
	const names: string[] = [];
	let depth = 0;

	/** Called for every value, so what needs no second look is let through first. */
	function replace(this: unknown, key: string, value: unknown): unknown {
		switch (typeof value) {
			case "string":
			case "boolean":
				return value;
			case "number":
				if (isFiniteNumber(value)) return value;
				break;
			case "object":
				if (value === null) return value;
				break;
		}
		while (depth > 0 && holders[depth - 1] !== this) depth--;
		names[depth] = key;
		// A member that is undefined is absent, as everywhere; an element of an array or the whole value cannot be.
		if (value === undefined && depth > 0 && !isArray(this)) return undefined;
		const description = describeMisfit(value);
		if (description !== undefined) return misfit(path(), description, value);
		for (let level = 0; level < depth; level++)
			if (holders[level] === value) return misfit(path(), "a reference to an object that contains it", undefined);
		if (depth >= maxDepth) return misfit(label, tooDeep, undefined);
		holders[depth++] = value;
		return value;
	}

	function path(): string {
		let text = label;
		for (let level = 1; level <= depth; level++)
			text += isArray(holders[level - 1]) ? "[" + names[level] + "]" : "." + names[level];
		return text;
	}

	const text = stringifyJson(root, replace);
	// Pairs are written as they are, so an escape of this kind is a lone half, or a backslash of the text before "ud".
	if (stringIncludes(text, "\\ud") && testRegExp(/(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/, text))
		throw new RuntimeError("invalid", label + " has a lone surrogate (half of a character), which is not JSON.");
	return text;
}

/** What `value` is when JSON has no form for it, or a silent and wrong one. */
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
			return toText(value);
	}
	const prototype = getPrototypeOf(value as object);
	if (prototype === plain || prototype === list || prototype === null) return undefined;
	if (hasInstance(IntrinsicPromise, value)) return "a promise (is an await missing?)";
	if (hasInstance(IntrinsicMap, value)) return "a Map";
	if (hasInstance(IntrinsicSet, value)) return "a Set";
	return undefined;
}

/** What a log line says of an error among its fields; JSON.stringify would write `{}`. */
export function describeErrorsIn(fields: unknown): unknown {
	if (typeof fields !== "object" || fields === null || isArray(fields)) return fields;
	const described: Record<string, unknown> = { __proto__: null } as never;
	for (const name in fields) {
		const value = (fields as Record<string, unknown>)[name];
		described[name] = hasInstance(IntrinsicError, value) ? errorFields(value as Error & { code?: unknown }) : value;
	}
	return described;
}

const errorFields = (error: Error & { code?: unknown }): object => ({
	name: error.name,
	message: error.message,
	code: error.code,
	stack: error.stack,
});
