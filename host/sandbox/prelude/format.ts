import { type InspectOptions, inspect } from "./inspect.ts";
import { isBuiltInName } from "./inspect-kinds.ts";
import { formatNumber } from "./inspect-text.ts";

/** Joins the arguments as console.log does: placeholders of the first one are filled, the rest is inspected and appended. */
export function format(args: readonly unknown[], options: InspectOptions = {}): string {
	const [first] = args;
	let text = "";
	let used = 0;
	if (typeof first === "string") {
		if (args.length === 1) return first;
		text = first.replace(/%[sdifjoOc%]/g, (placeholder) => {
			if (placeholder === "%%") return "%";
			if (used + 1 === args.length) return placeholder;
			return fill(placeholder, args[++used], options);
		});
		used++;
	}
	for (; used < args.length; used++) {
		const value = args[used];
		text += `${used === 0 ? "" : " "}${typeof value === "string" ? value : inspect(value, options)}`;
	}
	return text;
}

function fill(placeholder: string, value: unknown, options: InspectOptions): string {
	switch (placeholder) {
		case "%s":
			return fillText(value, options);
		case "%d":
			return fillNumber(value, Number);
		case "%i":
			return fillNumber(value, (given) => Number.parseInt(given as string, 10));
		case "%f":
			return typeof value === "symbol" ? "NaN" : formatNumber(Number.parseFloat(value as string));
		case "%j":
			return fillJson(value);
		case "%o":
			return inspect(value, { ...options, showHidden: true, depth: 4 });
		case "%O":
			return inspect(value, options);
		default:
			// %c is for the style sheets of browsers.
			return "";
	}
}

function fillText(value: unknown, options: InspectOptions): string {
	if (typeof value === "number") return formatNumber(value);
	if (typeof value === "bigint") return `${value}n`;
	if (typeof value !== "object" || value === null || !hasBuiltInToString(value)) return String(value);
	return inspect(value, { ...options, depth: 0, compact: 3 });
}

function fillNumber(value: unknown, parse: (value: unknown) => number): string {
	if (typeof value === "bigint") return `${value}n`;
	return typeof value === "symbol" ? "NaN" : formatNumber(parse(value));
}

function fillJson(value: unknown): string {
	try {
		return String(JSON.stringify(value));
	} catch (error) {
		if (error instanceof TypeError && /circular/i.test(error.message)) return "[Circular]";
		throw error;
	}
}

/** Whether String(value) would only say "[object Object]" or the like. */
function hasBuiltInToString(value: object): boolean {
	const readsAs = value as { readonly toString?: unknown; readonly [Symbol.toPrimitive]?: unknown };
	const named = typeof readsAs.toString === "function" ? "toString" : undefined;
	const primitive = typeof readsAs[Symbol.toPrimitive] === "function" ? Symbol.toPrimitive : undefined;
	if (named === undefined && primitive === undefined) return true;
	const has = (holder: object): boolean =>
		(named !== undefined && Object.hasOwn(holder, named)) || (primitive !== undefined && Object.hasOwn(holder, primitive));
	if (has(value)) return false;
	let holder: object | null = value;
	do holder = Object.getPrototypeOf(holder) as object | null;
	while (holder !== null && !has(holder));
	const maker: unknown = holder && Object.getOwnPropertyDescriptor(holder, "constructor")?.value;
	return typeof maker === "function" && isBuiltInName(maker.name);
}
