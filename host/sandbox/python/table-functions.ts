/**
 * Functions that are put into a guest's table, where Python calls functions of C by number. Only what a WebAssembly module exports can be in a table:
 * these modules are there to export them.
 */

/**
 * Passes calls of three numbers on to an import:
 *
 * ```wat
 * (module
 *   (import "h" "call" (func (param i32 i32 i32) (result i32)))
 *   (export "call" (func 0)))
 * ```
 */
const adapterModule = new WebAssembly.Module(
	Buffer.from("0061736d0100000001080160037f7f7f017f020a0101680463616c6c00000708010463616c6c0000", "hex"),
);

/**
 * CPython's trampoline (Python/emscripten_trampoline_wasm.c, as pyodide 314 has it compiled): calls a C function of three, two, one or no parameters
 * with as many as it takes. Without it every such call goes through an import, which is half as fast, and JavaScript would be on the stack, over which no guest
 * can be suspended.
 */
const trampolineModule = new WebAssembly.Module(
	Buffer.from(
		"0061736d0100000001200560037f7f7f017f60027f7f017f60017f017f6000017f60057f7f7f7f7f017f02310203656e76066d656d6f7279020001" +
			"03656e76195f5f696e6469726563745f66756e6374696f6e5f7461626c6501700001030201040713010f7472616d706f6c696e655f63616c6c0000" +
			"0a60015e002000410136020020012500fb1400044020022003200420011100000f0b20012500fb140104402002200320011101000f0b20012500fb" +
			"14020440200220011102000f0b20012500fb1403044020011103000f0b2000410036020041000b",
		"hex",
	),
);

/** A C function as CPython calls one: `METH_FASTCALL`. Takes the module, the address of its arguments and how many; returns a PyObject or 0. */
export type FastFunction = (self: number, args: number, count: number) => number;

/** Adds the function to the table; its number. One that suspends is a `WebAssembly.Suspending`. */
export function addFunction(table: WebAssembly.Table, call: FastFunction | object): number {
	const { exports } = new WebAssembly.Instance(adapterModule, { h: { call: call as FastFunction } });
	return add(table, exports.call);
}

/** Adds the trampoline; its number. */
export function addTrampoline(table: WebAssembly.Table, memory: WebAssembly.Memory): number {
	const { exports } = new WebAssembly.Instance(trampolineModule, { env: { memory, __indirect_function_table: table } });
	return add(table, exports.trampoline_call);
}

function add(table: WebAssembly.Table, callable: unknown): number {
	const number = table.grow(1);
	table.set(number, callable);
	return number;
}
