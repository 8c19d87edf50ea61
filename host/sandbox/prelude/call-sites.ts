// Error.prepareStackTrace is handed the frames of a stack, and in QuickJS a frame hands out its function: functions of the prelude that no
// script is meant to have. In V8 a frame of strict code has none either.

interface CallSite {
	getFunction?: () => unknown;
	getThis?: () => unknown;
}

const before = Error.prepareStackTrace;
Error.prepareStackTrace = (_, frames) => frames;
const frames = new Error().stack as unknown as readonly CallSite[];
Error.prepareStackTrace = before as NonNullable<typeof before>;
const prototype = Object.getPrototypeOf(frames[0]) as CallSite;
for (const name of ["getFunction", "getThis"])
	Object.defineProperty(prototype, name, { value: () => undefined, writable: true, configurable: true });
