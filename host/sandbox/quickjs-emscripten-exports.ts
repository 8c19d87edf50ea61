/**
 * The functions of the C interface that the glue uses and the letters under which the pinned binary exports them; the package's
 * own JavaScript (dist/emscripten-module.mjs) has the same table.
 */
export const exportLetters = {
	wasmCallCtors: "v",
	malloc: "w",
	throw: "x",
	newError: "y",
	setMaxStackSize: "E",
	getUndefined: "F",
	newRuntime: "L",
	free: "N",
	newContext: "O",
	freeValue: "Q",
	freeCString: "T",
	duplicate: "U",
	newFloat64: "Z",
	newString: "$",
	getString: "aa",
	executePendingJob: "ha",
	isJobPending: "ga",
	getProp: "ia",
	setProp: "ka",
	defineProp: "la",
	call: "na",
	resolveException: "oa",
	eval: "qa",
	getGlobalObject: "va",
	promiseState: "xa",
	promiseResult: "ya",
	newFunction: "Ea",
	enableInterruptHandler: "Ga",
	enableModuleLoader: "Ia",
	restoreStack: "Na",
	currentStack: "Pa",
} as const;

/** The name under which the rewritten module exports its table of functions. */
export const tableExport = "table";

type NativeFunction = (...args: number[]) => number;
export type QuickJsEmscriptenExports = Readonly<Record<keyof typeof exportLetters, NativeFunction>>;
