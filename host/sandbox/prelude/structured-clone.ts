import { Blob } from "./blob.ts";
import {
	isArrayBuffer,
	isDataView,
	isDate,
	isError,
	isMap,
	isPromise,
	isRegExp,
	isSet,
	isSharedArrayBuffer,
	isWeakMap,
	isWeakSet,
	typedArrayKind,
	unbox,
} from "./inspect-kinds.ts";

interface CloneOptions {
	readonly transfer?: Iterable<ArrayBuffer>;
}

const errorClasses: Record<string, ErrorConstructor> = {
	Error,
	EvalError,
	RangeError,
	ReferenceError,
	SyntaxError,
	TypeError,
	URIError,
};

/** The platform's structuredClone: a deep copy that keeps cycles and shared references; buffers can be transferred. */
export function structuredClone(value: unknown, options: CloneOptions = {}): unknown {
	const clones = new Map<object, object>();
	const transferred = [...(options?.transfer ?? [])];
	for (const buffer of transferred) {
		if (!isArrayBuffer(buffer)) throw refuse("Only an ArrayBuffer can be transferred");
		if (clones.has(buffer)) throw refuse("An ArrayBuffer can be transferred once only");
		clones.set(buffer, buffer.slice(0));
	}
	const result = clone(value, clones);
	// Detached at last: a value that cannot be cloned leaves everything as it was.
	for (const buffer of transferred) (buffer as { transfer?: () => ArrayBuffer }).transfer?.();
	return result;
}

function clone(value: unknown, clones: Map<object, object>): unknown {
	if (typeof value === "function") throw refuse(`${value.name || "A function"} could not be cloned`);
	if (typeof value === "symbol") throw refuse(`${String(value)} could not be cloned`);
	if (typeof value !== "object" || value === null) return value;
	const known = clones.get(value);
	if (known) return known;
	const copy = (made: object): object => {
		clones.set(value, made);
		return made;
	};
	if (Array.isArray(value)) return copyMembers(value, copy(new Array(value.length)), clones);
	if (isMap(value)) {
		const made = copy(new Map()) as Map<unknown, unknown>;
		// Of a copy, because getters of what is cloned may change the original.
		for (const [key, member] of [...(value as Map<unknown, unknown>)]) made.set(clone(key, clones), clone(member, clones));
		return made;
	}
	if (isSet(value)) {
		const made = copy(new Set()) as Set<unknown>;
		for (const member of [...(value as Set<unknown>)]) made.add(clone(member, clones));
		return made;
	}
	if (isDate(value)) return copy(new Date(Date.prototype.getTime.call(value)));
	if (isRegExp(value)) return copy(new RegExp((value as RegExp).source, (value as RegExp).flags));
	if (isError(value)) return copyError(value, copy, clones);
	if (isArrayBuffer(value)) return copy((value as ArrayBuffer).slice(0));
	if (isSharedArrayBuffer(value)) throw refuse("A SharedArrayBuffer could not be cloned");
	if (isDataView(value) || typedArrayKind(value) !== undefined) return copyView(value as ArrayBufferView, copy, clones);
	if (value instanceof Blob) return copy(value);
	const boxed = unbox(value);
	if (boxed?.type === "Symbol") throw refuse("A Symbol object could not be cloned");
	if (boxed) return copy(Object(boxed.primitive) as object);
	if (isPromise(value) || isWeakMap(value) || isWeakSet(value) || value instanceof WeakRef)
		throw refuse(`${Object.prototype.toString.call(value)} could not be cloned`);
	return copyMembers(value, copy({}), clones);
}

function copyMembers(from: object, to: object, clones: Map<object, object>): object {
	for (const key of Object.keys(from)) {
		const value = clone((from as Record<string, unknown>)[key], clones);
		Object.defineProperty(to, key, { value, writable: true, enumerable: true, configurable: true });
	}
	return to;
}

function copyError(error: Error, copy: (made: object) => object, clones: Map<object, object>): object {
	const Class = (Object.hasOwn(errorClasses, error.name) ? errorClasses[error.name] : undefined) ?? Error;
	const made = copy(new Class(`${error.message}`));
	Object.defineProperty(made, "stack", { value: `${error.stack}`, writable: true, configurable: true });
	if (Object.hasOwn(error, "cause"))
		Object.defineProperty(made, "cause", { value: clone(error.cause, clones), writable: true, configurable: true });
	return made;
}

function copyView(view: ArrayBufferView, copy: (made: object) => object, clones: Map<object, object>): object {
	const buffer = clone(view.buffer, clones) as ArrayBuffer;
	if (isDataView(view)) return copy(new DataView(buffer, view.byteOffset, view.byteLength));
	const Class = (globalThis as unknown as Record<string, Uint8ArrayConstructor>)[typedArrayKind(view) as string];
	return copy(new (Class as Uint8ArrayConstructor)(buffer, view.byteOffset, (view as Uint8Array).length));
}

const refuse = (message: string): DOMException => new DOMException(message, "DataCloneError");
