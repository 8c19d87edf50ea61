// The built-in functions that the plumbing stands on, as they were before any script ran. A script may replace
// `Promise.prototype.then` or `JSON.parse`; it then breaks its own code, but calls are still answered, errors described
// and results returned. The plumbing therefore also avoids what looks things up on prototypes: `for of`, spreading and
// destructuring of arrays (Symbol.iterator), methods of Map and Array, and templates (QuickJS calls String.prototype.concat).

type Method = (...args: never[]) => unknown;

/** `method.call` with `this` as first argument. */
type Uncurried<T extends Method> = T extends (this: infer This, ...args: infer Args) => infer Result
	? (self: unknown extends This ? unknown : This, ...args: Args) => Result
	: never;

const { bind, call } = Function.prototype;

/** Makes a function of a method: `uncurry(Map.prototype.get)(map, key)`. */
export const uncurry = bind.bind(call as never) as unknown as <T extends Method>(method: T) => Uncurried<T>;

export const { apply, construct, defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
export const { freeze } = Object;
export const { parse: parseJson, stringify: stringifyJson } = JSON;
export const { isArray } = Array;
export const { isFinite: isFiniteNumber } = Number;
export const { max, min } = Math;
export const now = Date.now;

export const IntrinsicPromise = Promise;
export const IntrinsicError = Error;
export const IntrinsicMap = Map;
export const IntrinsicSet = Set;
export const IntrinsicTypeError = TypeError;
export const resolvePromise = Promise.resolve.bind(Promise) as <T>(value: T) => Promise<T>;
export const rejectPromise = Promise.reject.bind(Promise) as (reason: unknown) => Promise<never>;

export const arrayJoin = uncurry(Array.prototype.join);
export const mapDelete = uncurry(Map.prototype.delete);
export const mapGet = uncurry(Map.prototype.get);
export const mapHas = uncurry(Map.prototype.has);
export const mapSet = uncurry(Map.prototype.set);
export const hasInstance = uncurry(Function.prototype[Symbol.hasInstance]);
export const hasOwn = uncurry(Object.prototype.hasOwnProperty);
export const stringIncludes = uncurry(String.prototype.includes);
export const stringIndexOf = uncurry(String.prototype.indexOf);
export const stringIsWellFormed = uncurry(String.prototype.isWellFormed);
export const stringSlice = uncurry(String.prototype.slice);
export const stringToWellFormed = uncurry(String.prototype.toWellFormed);
export const toText = String;

/** Defines a plain property, whatever a script has put on Object.prototype. */
export function define(holder: object, name: PropertyKey, value: unknown, enumerable = false): void {
	defineProperty(holder, name, { __proto__: null, value, enumerable, writable: true, configurable: true } as PropertyDescriptor);
}
