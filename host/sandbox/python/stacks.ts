import v8 from "node:v8";

/**
 * Stack of C that an interpreter may use, in its linear memory. Python checks it, and raises RecursionError: in `repr` of a list that is nested
 * 16,000 deep, say.
 */
export const pythonStackBytes = 512 * 1024;

/**
 * Stack of the machine beneath that, in KiB: what takes 512 KiB of the one takes up to 3.5 MiB of the other. V8 gives stacks that can be suspended
 * as much as the smaller of these two flags says.
 */
const machineStackKiB = 3_900;
export const machineStackFlag = `--wasm-stack-switching-stack-size=${machineStackKiB}`;
const maxStackFlag = `--stack-size=${machineStackKiB}`;
const defaultStackFlag = `--stack-size=${/--stack[-_]size=(\d+)/.exec(process.execArgv.join(" "))?.[1] ?? 984}`;

/** Has the stack that `call` begins made large. A guest process cannot change V8's flags: there they are given when it is started. */
export function onLargeStack<T>(call: () => T): T {
	const set = v8.setFlagsFromString as typeof v8.setFlagsFromString | undefined;
	if (!set) return call();
	set(machineStackFlag);
	set(maxStackFlag);
	try {
		return call();
	} finally {
		set(defaultStackFlag);
	}
}
