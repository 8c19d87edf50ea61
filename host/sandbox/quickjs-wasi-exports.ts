import type { Handle } from "./guest.ts";

/** The exports of quickjs.wasm that the glue uses. JSValues are passed by address; functions that take them by value take a bigint. */
export interface QuickJsWasiExports {
	readonly __stack_pointer: WebAssembly.Global;
	_initialize(): void;
	wasm_malloc(size: number): number;
	wasm_free(address: number): void;
	qjs_init(): number;
	qjs_get_context_ptr(): number;
	qjs_set_interrupt_handler(enable: number): void;
	qjs_set_promise_rejection_handler(enable: number): void;
	qjs_set_module_loader(enable: number): void;
	qjs_set_max_stack_size(size: number): void;
	qjs_set_gc_threshold(size: number): void;
	qjs_run_gc(): void;
	qjs_eval(source: number, length: number, fileName: number, flags: number): Handle;
	qjs_new_string(address: number, length: number): Handle;
	qjs_new_number(value: number): Handle;
	qjs_get_undefined(): Handle;
	qjs_get_string_len(value: Handle, length: number): number;
	qjs_free_cstring(address: number): void;
	qjs_free_value(value: Handle): void;
	qjs_get_global(): Handle;
	qjs_get_prop_string(object: Handle, name: number): Handle;
	qjs_set_prop_string(object: Handle, name: number, value: Handle): number;
	qjs_define_prop_string(object: Handle, name: number, value: Handle, flags: number): number;
	qjs_call(callable: Handle, self: Handle, count: number, args: number): Handle;
	qjs_new_host_function(name: number, length: number, count: number): Handle;
	qjs_promise_state(promise: Handle): number;
	qjs_promise_result(promise: Handle): Handle;
	qjs_execute_pending_job(): number;
	qjs_get_exception(): Handle;
	qjs_throw(value: Handle): Handle;
	qjs_new_error(): Handle;
	JS_NewStringUTF16(context: number, address: number, length: number): bigint;
	JS_ToCStringLenUTF16(context: number, length: number, value: bigint): number;
	JS_FreeCStringUTF16(context: number, address: number): void;
	JS_ThrowOutOfMemory(context: number): bigint;
}

export const quickJsWasiExports = [
	"__stack_pointer",
	"_initialize",
	"wasm_malloc",
	"wasm_free",
	"qjs_init",
	"qjs_get_context_ptr",
	"qjs_set_interrupt_handler",
	"qjs_set_promise_rejection_handler",
	"qjs_set_module_loader",
	"qjs_set_max_stack_size",
	"qjs_set_gc_threshold",
	"qjs_run_gc",
	"qjs_eval",
	"qjs_new_string",
	"qjs_new_number",
	"qjs_get_undefined",
	"qjs_get_string_len",
	"qjs_free_cstring",
	"qjs_free_value",
	"qjs_get_global",
	"qjs_get_prop_string",
	"qjs_set_prop_string",
	"qjs_define_prop_string",
	"qjs_call",
	"qjs_new_host_function",
	"qjs_promise_state",
	"qjs_promise_result",
	"qjs_execute_pending_job",
	"qjs_get_exception",
	"qjs_throw",
	"qjs_new_error",
	"JS_NewStringUTF16",
	"JS_ToCStringLenUTF16",
	"JS_FreeCStringUTF16",
	"JS_ThrowOutOfMemory",
] as const satisfies readonly (keyof QuickJsWasiExports)[];
