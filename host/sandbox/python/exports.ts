/** What of the module is used: the cost of instantiating it follows the number of its exports, of which it has 8,500. */
export const pythonExports = [
	"__indirect_function_table",
	"__stack_pointer",
	"__wasm_call_ctors",
	"_Py_emscripten_signal_clock",
	"_PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET",
	"_PyRuntime",
	"emscripten_stack_get_base",
	"emscripten_stack_get_end",
	"emscripten_stack_set_limits",
	"free",
	"malloc",
	"Py_EMSCRIPTEN_SIGNAL_HANDLING",
	"Py_InitializeFromInitConfig",
	"PyBool_Type",
	"PyBytes_FromStringAndSize",
	"PyErr_Clear",
	"PyErr_Print",
	"PyErr_SetString",
	"PyExc_TypeError",
	"PyExc_ValueError",
	"PyImport_AddModule",
	"PyImport_ImportModule",
	"PyImport_Inittab",
	"PyInitConfig_Create",
	"PyInitConfig_GetError",
	"PyInitConfig_SetInt",
	"PyInitConfig_SetStr",
	"PyInitConfig_SetStrList",
	"PyLong_AsLong",
	"PyLong_FromLong",
	"PyLong_Type",
	"PyModule_AddFunctions",
	"PyObject_CallOneArg",
	"PyObject_GetAttrString",
	"PyTuple_New",
	"PyTuple_SetItem",
	"PyUnicode_AsUTF8AndSize",
	"PyUnicode_FromStringAndSize",
	"_Py_NoneStruct",
] as const;

type Address = number;
type FunctionName = Exclude<
	(typeof pythonExports)[number],
	| "__indirect_function_table"
	| "__stack_pointer"
	| "_Py_emscripten_signal_clock"
	| "_PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET"
	| "_PyRuntime"
	| "_Py_NoneStruct"
	| "Py_EMSCRIPTEN_SIGNAL_HANDLING"
	| "PyBool_Type"
	| "PyExc_TypeError"
	| "PyExc_ValueError"
	| "PyImport_Inittab"
	| "PyInitConfig_SetInt"
	| "PyLong_Type"
>;

/** The exports of an instance. Globals that are variables of C hold the variable's address. */
export interface PythonExports extends Readonly<Record<FunctionName, (...args: number[]) => number>> {
	readonly __indirect_function_table: WebAssembly.Table;
	readonly __stack_pointer: WebAssembly.Global;
	readonly _Py_emscripten_signal_clock: { readonly value: Address };
	readonly _PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET: { readonly value: Address };
	readonly _PyRuntime: { readonly value: Address };
	readonly _Py_NoneStruct: { readonly value: Address };
	readonly Py_EMSCRIPTEN_SIGNAL_HANDLING: { readonly value: Address };
	readonly PyBool_Type: { readonly value: Address };
	readonly PyExc_TypeError: { readonly value: Address };
	readonly PyExc_ValueError: { readonly value: Address };
	readonly PyImport_Inittab: { readonly value: Address };
	readonly PyLong_Type: { readonly value: Address };
	readonly PyInitConfig_SetInt: (config: Address, name: Address, value: bigint) => number;
}
