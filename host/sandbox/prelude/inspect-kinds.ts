// What kind of object a value is, whatever its prototype says: each check asks a built-in method that only its own kind answers.

const asks =
	(method: (...args: never[]) => unknown, ...args: unknown[]) =>
	(value: unknown): boolean => {
		try {
			Reflect.apply(method, value, args);
			return true;
		} catch {
			return false;
		}
	};

const getterOf = (prototype: object, name: PropertyKey): (() => unknown) =>
	Object.getOwnPropertyDescriptor(prototype, name)?.get as () => unknown;

const TypedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const typedArrayName = getterOf(TypedArrayPrototype, Symbol.toStringTag);
const toStringTag = Object.prototype.toString;
const IteratorPrototypes = {
	Map: Object.getPrototypeOf(new Map().entries()) as object,
	Set: Object.getPrototypeOf(new Set().values()) as object,
};

export const isMap = asks(getterOf(Map.prototype, "size"));
export const isSet = asks(getterOf(Set.prototype, "size"));
export const isWeakMap = asks(WeakMap.prototype.has, {});
export const isWeakSet = asks(WeakSet.prototype.has, {});
export const isDate = asks(Date.prototype.getTime);
export const isRegExp = asks(getterOf(RegExp.prototype, "source"));
export const isArrayBuffer = asks(getterOf(ArrayBuffer.prototype, "byteLength"));
export const isSharedArrayBuffer = asks(getterOf(SharedArrayBuffer.prototype, "byteLength"));
export const isDataView = asks(getterOf(DataView.prototype, "byteLength"));
export const isPromise = (value: unknown): boolean => value instanceof Promise;
export const isError = (value: unknown): value is Error => value instanceof Error;
export const isArguments = (value: unknown): boolean => Reflect.apply(toStringTag, value, []) === "[object Arguments]";

/** `Uint8Array`, … or undefined for anything else. */
export const typedArrayKind = (value: unknown): string | undefined =>
	Reflect.apply(typedArrayName, value, []) as string | undefined;

/** Which collection an iterator is of. */
export function iteratorKind(value: object): "Map" | "Set" | undefined {
	const prototype = Object.getPrototypeOf(value) as unknown;
	if (prototype === IteratorPrototypes.Map) return "Map";
	return prototype === IteratorPrototypes.Set ? "Set" : undefined;
}

/** A module's namespace: no prototype, and a tag that nothing else without one has by itself. */
export const isModuleNamespace = (value: object): boolean =>
	Object.getPrototypeOf(value) === null && (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Module";

const boxes = [
	["Number", Number.prototype.valueOf],
	["String", String.prototype.valueOf],
	["Boolean", Boolean.prototype.valueOf],
	["BigInt", BigInt.prototype.valueOf],
	["Symbol", Symbol.prototype.valueOf],
] as const;

/** The primitive in an object like `new Number(1)`. */
export function unbox(value: object): { readonly type: string; readonly primitive: unknown } | undefined {
	for (const [type, unwrap] of boxes)
		try {
			return { type, primitive: Reflect.apply(unwrap as () => unknown, value, []) };
		} catch {
			// Not this kind.
		}
	return undefined;
}

const builtInNames = new Set(Object.getOwnPropertyNames(globalThis).filter((name) => /^[A-Z][a-zA-Z0-9]+$/.test(name)));

/** Whether `name` is that of a class of the language itself. */
export const isBuiltInName = (name: string): boolean => builtInNames.has(name);
