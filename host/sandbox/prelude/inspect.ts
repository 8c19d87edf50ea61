import { formatError } from "./inspect-error.ts";
import { formatFunction } from "./inspect-function.ts";
import {
	isArguments,
	isArrayBuffer,
	isDataView,
	isDate,
	isError,
	isMap,
	isModuleNamespace,
	isPromise,
	isRegExp,
	isSet,
	isSharedArrayBuffer,
	isWeakMap,
	isWeakSet,
	iteratorKind,
	typedArrayKind,
	unbox,
} from "./inspect-kinds.ts";
import { joinEntries, type Layout } from "./inspect-layout.ts";
import { constructorName, keysOf, kindOf, namedKeysOf, prefixOf, tagOf } from "./inspect-names.ts";
import { formatKey, formatNumber, quote, remainingItems } from "./inspect-text.ts";

// Writes values as Node's util.inspect does (same algorithm, without colours). What only the engine's inside knows is not shown: the
// state of a promise, what a proxy stands for, what an iterator will give next.

export interface InspectOptions {
	readonly depth?: number | null;
	readonly showHidden?: boolean;
	readonly customInspect?: boolean;
	readonly maxArrayLength?: number | null;
	readonly maxStringLength?: number | null;
	readonly breakLength?: number;
	readonly compact?: number | boolean;
	readonly sorted?: boolean;
}

interface Inspection extends Layout {
	depth: number;
	readonly showHidden: boolean;
	readonly customInspect: boolean;
	readonly maxStringLength: number;
	readonly sorted: boolean;
	readonly options: InspectOptions;
	/** The objects that contain the one at hand. */
	readonly seen: object[];
	/** Numbers of the objects that are referred to from inside themselves. */
	readonly circular: Map<object, number>;
	/** Characters written so far, about. */
	written: number;
}

/** Text beyond this is not written: what a script prints has a limit, and its memory too. */
const maxWritten = 2 ** 24;

const custom = Symbol.for("nodejs.util.inspect.custom");

/** The value as text for people, nested objects to the depth of `options.depth`, 2 if not given. */
export function inspect(value: unknown, options: InspectOptions = {}): string {
	const { compact } = options;
	return formatValue(
		{
			depth: options.depth === undefined ? 2 : (options.depth ?? Number.POSITIVE_INFINITY),
			showHidden: options.showHidden ?? false,
			customInspect: options.customInspect ?? true,
			maxArrayLength: options.maxArrayLength === undefined ? 100 : (options.maxArrayLength ?? Number.POSITIVE_INFINITY),
			maxStringLength: options.maxStringLength === undefined ? 10_000 : (options.maxStringLength ?? Number.POSITIVE_INFINITY),
			breakLength: options.breakLength ?? 80,
			compact: typeof compact === "number" ? compact : compact === false ? 0 : 3,
			sorted: options.sorted ?? false,
			options,
			indentation: 0,
			currentDepth: 0,
			seen: [],
			circular: new Map(),
			written: 0,
		},
		value,
		0,
	);
}

function formatValue(state: Inspection, value: unknown, depth: number, inTypedArray = false): string {
	if (value === null) return "null";
	if (typeof value !== "object" && typeof value !== "function") return formatPrimitive(state, value);
	const { indentation, seen } = state;
	const containers = seen.length;
	try {
		return formatAny(state, value, depth, inTypedArray);
	} catch (error) {
		// The object that contains this one says so.
		if (isStackOverflow(error) && containers > 0) throw error;
		// A getter, a proxy or a method of the value: what is printed must not end the run.
		state.indentation = indentation;
		seen.length = containers;
		return `<inspection failed: ${messageOf(error)}>`;
	}
}

/** QuickJS throws a RangeError, or an InternalError in older versions, when the stack is used up. */
const isStackOverflow = (error: unknown): boolean => isError(error) && /stack/i.test(error.message);

function messageOf(error: unknown): string {
	try {
		return typeof error === "object" && error !== null ? String((error as Error).message) : String(error);
	} catch {
		return "for an unknown reason";
	}
}

function formatAny(state: Inspection, value: object, depth: number, inTypedArray: boolean): string {
	if (state.customInspect) {
		const formatted = formatCustom(state, value, depth);
		if (formatted !== undefined) return formatted;
	}
	if (state.seen.includes(value)) {
		let number = state.circular.get(value);
		if (number === undefined) {
			number = state.circular.size + 1;
			state.circular.set(value, number);
		}
		return `[Circular *${number}]`;
	}
	return formatObject(state, value, depth, inTypedArray);
}

/** What the object's own method `Symbol.for("nodejs.util.inspect.custom")` says of it. */
function formatCustom(state: Inspection, value: object, depth: number): string | undefined {
	const method = (value as { [custom]?: unknown })[custom];
	if (typeof method !== "function" || method === inspect) return undefined;
	const maker = Object.getOwnPropertyDescriptor(value, "constructor")?.value as { prototype?: unknown } | undefined;
	if (maker?.prototype === value) return undefined;
	const said: unknown = Reflect.apply(method, value, [state.depth - depth, { ...state.options, stylize: String }, inspect]);
	if (said === value) return undefined;
	return typeof said === "string" ? said.replaceAll("\n", `\n${" ".repeat(state.indentation)}`) : formatValue(state, said, depth);
}

function formatPrimitive(state: Inspection, value: unknown): string {
	if (typeof value === "number") return formatNumber(value);
	if (typeof value === "bigint") return `${value}n`;
	if (typeof value !== "string") return String(value);
	const left = value.length - state.maxStringLength;
	const trailer = left > 0 ? `... ${left} more character${left > 1 ? "s" : ""}` : "";
	const text = left > 0 ? value.slice(0, state.maxStringLength) : value;
	if (text.length <= 16 || text.length <= state.breakLength - state.indentation - 4) return quote(text) + trailer;
	const lines = text.split(/(?<=\n)/).map(quote);
	return lines.join(` +\n${" ".repeat(state.indentation + 2)}`) + trailer;
}

/** How one kind of object is written. */
interface Shape {
	/** Stands before the braces, or alone when there is nothing to put between them. */
	base: string;
	braces: [string, string];
	keys: PropertyKey[];
	isArray?: boolean;
	/** Written alone when there are no keys and no entries. */
	isWhole?: boolean;
	/** Entries that are not properties. */
	entries?: (depth: number) => string[];
}

function formatObject(state: Inspection, value: object, depth: number, inTypedArray: boolean): string {
	const className = constructorName(value);
	const tag = tagOf(value, state.showHidden);
	const shape = shapeOf(state, value, className, tag, inTypedArray);
	const { base, braces, keys } = shape;
	if (shape.isWhole && keys.length === 0) return base === "" ? `${braces[0]}${braces[1]}` : base;
	if (depth > state.depth || state.written > maxWritten) {
		if (isRegExp(value)) return base;
		const name = prefixOf(className, tag, kindOf(value)).slice(0, -1);
		return className === null ? name : `[${Array.isArray(value) && className === "Array" ? "Array" : name}]`;
	}
	const inner = depth + 1;
	const { indentation } = state;
	state.seen.push(value);
	state.currentDepth = inner;
	let entries: string[];
	try {
		entries = shape.entries?.(inner) ?? [];
		for (const key of keys) entries.push(formatProperty(state, value, key, inner));
	} catch (error) {
		if (!isStackOverflow(error)) throw error;
		state.indentation = indentation;
		state.seen.pop();
		const name = prefixOf(className, tag, kindOf(value)).slice(0, -1);
		return `[${name}: Inspection interrupted prematurely. Maximum call stack size exceeded.]`;
	}
	state.seen.pop();
	const number = state.circular.get(value);
	const reference = number === undefined ? "" : `<ref *${number}>`;
	const lead = reference !== "" && base !== "" ? `${reference} ${base}` : reference + base;
	if (state.sorted && !shape.isArray) entries.sort();
	const text = joinEntries(state, entries, lead, braces, shape.isArray ?? false, inner, value);
	state.written += text.length;
	return text;
}

function shapeOf(state: Inspection, value: object, className: string | null, tag: string, inTypedArray: boolean): Shape {
	const { showHidden } = state;
	const prefix = (kind: string, size = ""): string => prefixOf(className, tag, kind, size);
	const whole = (base: string, braces: [string, string] = ["{", "}"]): Shape => ({
		base,
		braces,
		keys: keysOf(value, showHidden),
		isWhole: true,
	});
	if (Symbol.iterator in value || className === null) {
		const typed = typedArrayKind(value);
		if (Array.isArray(value)) {
			const lead = className !== "Array" || tag !== "" ? prefix("Array", `(${value.length})`) : "";
			return {
				base: "",
				braces: [`${lead}[`, "]"],
				keys: namedKeysOf(value, showHidden),
				isArray: true,
				isWhole: value.length === 0,
				entries: (inner) => formatElements(state, value, inner),
			};
		}
		if (isSet(value))
			return collection(prefix("Set", `(${sizeOf(value)})`), (inner) => formatSet(state, value as Set<unknown>, inner));
		if (isMap(value))
			return collection(prefix("Map", `(${sizeOf(value)})`), (inner) => formatMap(state, value as Map<unknown, unknown>, inner));
		if (typed !== undefined) {
			const array = value as unknown as ArrayLike<number | bigint>;
			return {
				base: "",
				braces: [`${prefix(typed, `(${array.length})`)}[`, "]"],
				keys: namedKeysOf(value, showHidden),
				isArray: true,
				isWhole: array.length === 0 && !showHidden,
				entries: (inner) => [
					...formatNumbers(state, array),
					...(showHidden ? extras(inner, ["BYTES_PER_ELEMENT", "length", "byteLength", "byteOffset", "buffer"], true) : []),
				],
			};
		}
		const iterator = iteratorKind(value);
		if (iterator !== undefined)
			return { base: "", braces: [`[${iterator} Iterator] {`, "}"], keys: keysOf(value, showHidden), entries: unknownItems };
	}
	if (typeof value === "function") return whole(formatFunction(value, className, tag));
	if (className === "Object" && isArguments(value)) return whole("", ["[Arguments] {", "}"]);
	if (className === "Object" && !isError(value)) return whole("", [tag === "" ? "{" : `${prefix("Object")}{`, "}"]);
	if (isRegExp(value)) return whole(withPrefix(prefix("RegExp"), "RegExp ", RegExp.prototype.toString.call(value)));
	if (isDate(value)) {
		const date = value as Date;
		const text = Number.isNaN(Date.prototype.getTime.call(date)) ? "Invalid Date" : Date.prototype.toISOString.call(date);
		return whole(withPrefix(prefix("Date"), "Date ", text));
	}
	if (isError(value)) {
		const keys = keysOf(value, showHidden);
		const text = formatError(value, className, prefix("Error").slice(0, -1), keys);
		return { base: text.replaceAll("\n", `\n${" ".repeat(state.indentation)}`), braces: ["{", "}"], keys, isWhole: true };
	}
	if (isArrayBuffer(value) || isSharedArrayBuffer(value)) {
		const lead = prefix(isArrayBuffer(value) ? "ArrayBuffer" : "SharedArrayBuffer");
		return collection(
			lead,
			(inner) => [...(inTypedArray ? [] : [formatBytes(state, value as ArrayBuffer)]), ...extras(inner, ["byteLength"])],
			false,
		);
	}
	if (isDataView(value))
		return collection(prefix("DataView"), (inner) => extras(inner, ["byteLength", "byteOffset", "buffer"]), false);
	if (isPromise(value)) return collection(prefix("Promise"), () => ["<state unknown>"], false);
	if (isWeakSet(value)) return collection(prefix("WeakSet"), unknownItems, false);
	if (isWeakMap(value)) return collection(prefix("WeakMap"), unknownItems, false);
	if (isModuleNamespace(value)) return whole("", [`[Module: null prototype] {`, "}"]);
	const boxed = unbox(value);
	if (boxed) {
		const keys = keysOf(value, showHidden).filter((key) => boxed.type !== "String" || !/^\d+$/.test(String(key)));
		const of = boxed.type === className ? "" : className === null ? " (null prototype)" : ` (${className})`;
		const suffix = tag !== "" && tag !== className ? ` [${tag}]` : "";
		return {
			base: `[${boxed.type}${of}: ${formatPrimitive(state, boxed.primitive)}]${suffix}`,
			braces: ["{", "}"],
			keys,
			isWhole: true,
		};
	}
	return whole("", [`${prefix("Object")}{`, "}"]);

	function collection(lead: string, entries: (inner: number) => string[], mayBeEmpty = true): Shape {
		return {
			base: "",
			braces: [`${lead}{`, "}"],
			keys: keysOf(value, showHidden),
			isWhole: mayBeEmpty && sizeOf(value) === 0,
			entries,
		};
	}
	function extras(inner: number, names: readonly string[], inTyped = false): string[] {
		return names.map((name) => {
			state.indentation += 2;
			const text = formatValue(state, (value as Record<string, unknown>)[name], inner, inTyped);
			state.indentation -= 2;
			return `[${name}]: ${text}`;
		});
	}
}

const unknownItems = (): string[] => ["<items unknown>"];
const withPrefix = (prefix: string, usual: string, text: string): string => (prefix === usual ? text : `${prefix}${text}`);
const sizeOf = (value: object): number => (value as { readonly size: number }).size;

function formatProperty(state: Inspection, holder: object, key: PropertyKey, depth: number): string {
	const descriptor = Object.getOwnPropertyDescriptor(holder, key) ?? {
		value: (holder as Record<PropertyKey, unknown>)[key],
		enumerable: true,
	};
	const name = descriptor.enumerable === false ? `[${formatKey(key)}]` : formatKey(key);
	return `${name}: ${formatSlot(state, descriptor, depth)}`;
}

/** What a property holds: a value, or the word for an accessor, which is not called. */
function formatSlot(state: Inspection, descriptor: PropertyDescriptor, depth: number): string {
	if (descriptor.get !== undefined) return descriptor.set !== undefined ? "[Getter/Setter]" : "[Getter]";
	if (descriptor.set !== undefined) return "[Setter]";
	return nested(state, () => formatValue(state, descriptor.value, depth));
}

function nested(state: Inspection, format: () => string): string {
	state.indentation += 2;
	const text = format();
	state.indentation -= 2;
	return text;
}

function formatElements(state: Inspection, value: readonly unknown[], depth: number): string[] {
	const entries: string[] = [];
	const limit = Math.min(Math.max(0, state.maxArrayLength), value.length);
	let index = 0;
	let keys: string[] | undefined;
	let next = 0;
	while (index < value.length && entries.length < limit) {
		const descriptor = Object.getOwnPropertyDescriptor(value, index);
		if (descriptor) {
			entries.push(formatSlot(state, descriptor, depth));
			index++;
			continue;
		}
		// A hole: the next element is found among the keys, because the hole may be 4 billion wide.
		keys ??= Object.keys(value);
		while (next < keys.length && isIndex(keys[next]) && Number(keys[next]) < index) next++;
		const end = next < keys.length && isIndex(keys[next]) ? Number(keys[next]) : value.length;
		entries.push(`<${end - index} empty item${end - index > 1 ? "s" : ""}>`);
		index = end;
	}
	if (index < value.length) entries.push(remainingItems(value.length - index));
	return entries;
}

const isIndex = (key: string | undefined): boolean =>
	key !== undefined && /^(?:0|[1-9]\d*)$/.test(key) && Number(key) < 2 ** 32 - 1;

function formatNumbers(state: Inspection, array: ArrayLike<number | bigint>): string[] {
	const limit = Math.min(Math.max(0, state.maxArrayLength), array.length);
	const entries: string[] = [];
	for (let index = 0; index < limit; index++) entries.push(formatPrimitive(state, array[index]));
	if (array.length > limit) entries.push(remainingItems(array.length - limit));
	return entries;
}

function formatSet(state: Inspection, set: Set<unknown>, depth: number): string[] {
	const entries: string[] = [];
	for (const value of Set.prototype.values.call(set)) {
		if (entries.length >= state.maxArrayLength) break;
		entries.push(nested(state, () => formatValue(state, value, depth)));
	}
	if (set.size > entries.length) entries.push(remainingItems(set.size - entries.length));
	return entries;
}

function formatMap(state: Inspection, map: Map<unknown, unknown>, depth: number): string[] {
	const entries: string[] = [];
	for (const [key, value] of Map.prototype.entries.call(map)) {
		if (entries.length >= state.maxArrayLength) break;
		entries.push(nested(state, () => `${formatValue(state, key, depth)} => ${formatValue(state, value, depth)}`));
	}
	if (map.size > entries.length) entries.push(remainingItems(map.size - entries.length));
	return entries;
}

function formatBytes(state: Inspection, buffer: ArrayBuffer): string {
	const bytes = new Uint8Array(buffer);
	const shown = Math.min(state.maxArrayLength, bytes.length);
	const text = Array.from(bytes.subarray(0, shown), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
	const left = bytes.length - shown;
	return `[Uint8Contents]: <${text}${left > 0 ? ` ... ${left} more byte${left > 1 ? "s" : ""}` : ""}>`;
}
