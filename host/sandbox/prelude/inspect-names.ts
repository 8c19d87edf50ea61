import { isError, isMap, isSet, typedArrayKind } from "./inspect-kinds.ts";

// What an object is called and which of its properties are shown.

export function kindOf(value: object): string {
	if (Array.isArray(value)) return "Array";
	if (typeof value === "function") return "Function";
	return isMap(value) ? "Map" : isSet(value) ? "Set" : isError(value) ? "Error" : (typedArrayKind(value) ?? "Object");
}

/** `Name `, `Name [tag] ` or `[Kind: null prototype] `: what stands before the braces. */
export function prefixOf(className: string | null, tag: string, kind: string, size = ""): string {
	if (className === null) {
		const name = `[${kind}${size}: null prototype] `;
		return tag !== "" && kind !== tag ? `${name}[${tag}] ` : name;
	}
	if (tag === "") return `${className}${size} `;
	const dot = tag.lastIndexOf(".");
	if (className === (dot >= 1 ? tag.slice(dot + 1) : tag)) return `${tag}${size} `;
	return `${className}${size} [${tag}] `;
}

/** The name of the class, from the nearest prototype that names one; null when there is no prototype. */
export function constructorName(value: object): string | null {
	let holder: object | null = value;
	let first: object | null | undefined;
	while (holder !== null) {
		const maker: unknown = Object.getOwnPropertyDescriptor(holder, "constructor")?.value;
		if (typeof maker === "function" && maker.name !== "" && isInstance(value, maker)) return String(maker.name);
		holder = Object.getPrototypeOf(holder) as object | null;
		if (first === undefined) first = holder;
	}
	if (first === null || first === undefined) return null;
	const name = constructorName(first);
	if (name !== null) return `${kindOf(value)} <${name}>`;
	const bare = prefixOf(null, "", kindOf(first));
	return `${kindOf(value)} <${Reflect.ownKeys(first).length === 0 ? `${bare}{}` : bare.slice(0, -1)}>`;
}

function isInstance(value: object, maker: object): boolean {
	try {
		return value instanceof (maker as () => void);
	} catch {
		return false;
	}
}

export function tagOf(value: object, showHidden: boolean): string {
	let tag: unknown;
	try {
		tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
	} catch {
		return "";
	}
	if (typeof tag !== "string" || tag === "") return "";
	const descriptor = Object.getOwnPropertyDescriptor(value, Symbol.toStringTag);
	// One that is listed among the properties is not said twice.
	return descriptor && (showHidden || descriptor.enumerable) ? "" : tag;
}

export function keysOf(value: object, showHidden: boolean): PropertyKey[] {
	return Reflect.ownKeys(value).filter((key) => showHidden || Object.getOwnPropertyDescriptor(value, key)?.enumerable === true);
}

/** The keys that are not indexes. */
export function namedKeysOf(value: object, showHidden: boolean): PropertyKey[] {
	// Own keys begin with the indexes in ascending order; Object.keys of a long array is far cheaper than their descriptors.
	return keysOfNames(value, showHidden).filter((key) => typeof key === "symbol" || !/^(?:0|[1-9]\d{0,9})$/.test(String(key)));
}

function keysOfNames(value: object, showHidden: boolean): PropertyKey[] {
	if (showHidden) return Reflect.ownKeys(value);
	const symbols = Object.getOwnPropertySymbols(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
	return [...Object.keys(value), ...symbols];
}
