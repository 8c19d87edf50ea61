/**
 * What becomes of everything that CPython's WebAssembly module imports and the guest does not implement (`system-calls.ts`, `guest.ts`). The module is
 * pyodide's, its JavaScript is not loaded: an import does what is written there or here, and a name that is not known is a module that nobody has reviewed.
 */

/** A function that a module imports; `i64` are BigInts. */
export type ImportedFunction = (...args: never[]) => unknown;

/** Thrown through a guest that called what the sandbox does not have. */
export class RefusedImport extends Error {
	constructor(name: string) {
		super(`The script reached for ${name}, which the sandbox does not have.`);
		this.name = "RefusedImport";
	}
}

const names = (text: string): readonly string[] => text.split(/\s+/).filter((name) => name !== "");

/** `EAI_FAIL`, of name resolution. */
const resolutionFailed = -4;

/** What a program without pyodide's JavaScript, sockets and libraries to load is answered. */
const constants: Readonly<Record<string, number | null>> = {
	__hiwire_deduplicate_new: null,
	__hiwire_deduplicate_get: null,
	_maybe_connect_async: null,
	_maybe_recvfrom_async: null,
	_maybe_sendto_async: null,
	_maybe_poll_async: null,
	saveState: null,
	JsvError_Check: 0,
	hiwire_invalid_ref_js: 0,
	_try_fcntl64: 0,
	_try_shutdown: 0,
	getprotobyname: 0,
	getaddrinfo: resolutionFailed,
	getnameinfo: resolutionFailed,
	_dlopen_js: 0,
	_dlsym_js: 0,
	emscripten_runtime_keepalive_push: 0,
	emscripten_runtime_keepalive_pop: 0,
	_emscripten_runtime_keepalive_clear: 0,
	_Py_emscripten_runtime: 0,
};

/** The bridge to JavaScript, libffi, promises, the debugger: a run that calls one of these ends. */
const trapping = names(`
	capture_stderr restore_stderr new_error fail_test JsvError_Throw emscripten_asm_const_int raw_call_js set_pyodide_module
	js2python_immutable_js js2python_js js2python_convert JsProxy_compute_typeflags is_comlink_proxy JsvArray_Check
	JsProxy_GetAttr_js pyproxy_Check JsvFunction_Check handle_next_result_js destroy_proxy JsvArray_New destroy_proxies
	_agen_handle_result_js JsvArray_Get JsvArray_Delete JsvArray_Set JsvPromise_Resolve create_promise_handles
	JsModule_GetAll_js JsvBuffer_assignToPtr JsBuffer_get_info Jsv_constructorName can_run_sync_js JsObjMap_GetIter_js
	JsObjMap_length_js JsObjMap_subscript_js JsObjMap_ass_subscript_js JsObjMap_contains_js JsMap_GetIter_js
	JsProxy_GetIter_js JsProxy_GetAsyncIter_js JsProxy_subscript_js Jsv_to_bool JsvPromise_Check JsvArray_slice
	JsvArray_slice_assign destroy_jsarray_entries JsvArray_Extend JsvArray_ShallowCopy JsArray_repeat_js
	JsArray_inplace_repeat_js JsException_new_helper JsProxy_Dir_js JsProxy_to_weakref_js get_length_helper
	get_length_string JsProxy_exit_js JsProxy_aexit_js JsvArray_Push JsvArray_Insert pyproxy_AsPyObject JsArray_index_js
	JsvObject_toString JsProxy_DelAttr_js JsProxy_SetAttr_js Jsv_less_than Jsv_less_than_equal Jsv_equal Jsv_not_equal
	Jsv_greater_than Jsv_greater_than_equal JsProxy_Bool_js Jsv_typeof JsvObject_Entries JsvObject_Keys JsvObject_Values
	JsDoubleProxy_unwrap_js create_once_callable JsArray_reverse_js JsArray_reversed_iterator JsArray_count_js
	JsMap_clear_js JsvBuffer_assignFromPtr JsBuffer_DecodeString_js JsvBuffer_writeToFile JsvBuffer_readFromFile
	JsvBuffer_intoFile JsvFunction_Construct JsvFunction_CallBound JsvObject_New JsvObject_SetAttr my_dict_converter
	JsvGenerator_Check wrap_generator JsvAsyncGenerator_Check wrap_async_generator get_async_js_call_done_callback
	gc_register_proxies throw_no_gil JsvUTF8ToString proxy_cache_get proxy_cache_set set_suspender _pyproxyGen_make_result
	JsvFunction_Call_OneArg _pyproxy_get_buffer_result array_to_js pyproxy_new_ex pyproxy_new _python2js_buffer_inner
	Jsv_GetError_import jslib_init_buffers_js jslib_init_js JsvObject_CallMethod JsvObject_CallMethod_NoArgs
	JsvObject_CallMethod_OneArg JsvObject_CallMethod_TwoArgs JsvNoValue_Check JsvBigInt_fromInt JsvNum_fromInt
	JsvNum_fromDouble JsvNum_toInt JsvBigInt_fromDigits Jsv_BigIntToNum JsvMap_New JsvLiteralMap_New JsvMap_Set JsvSet_New
	JsvSet_Add _python2js_cache_lookup python2js__default_converter_js python2js__eager_converter_js _python2js_add_to_cache
	_python2js_addto_postprocess_list python2js_custom__create_jscontext _python2js_handle_postprocess_list _JsObject_Set_js
	_JsArray_PushEntry_helper _JsArray_PostProcess_helper _python2js_ascii _python2js_ucs2 _python2js_ucs4 _python2js_ucs1
	destroy_proxies_js pyodide_js_init get_suspender syncifyHandler restoreState JsvPromise_Syncify_handleError
	emscripten_set_up_async_input_device_js emscripten_debugger emscripten_log_impl_js ffi_call_js ffi_closure_alloc_js
	ffi_closure_free_js ffi_prep_closure_loc_js __hiwire_deduplicate_set __hiwire_deduplicate_delete _emscripten_dlopen_js
	emscripten_promise_create emscripten_promise_resolve emscripten_promise_destroy _emscripten_log_formatted
	_emscripten_lookup_name _setitimer_js _PyEM_TrampolineCall_JS
`);

const sealed: ReadonlyMap<string, ImportedFunction> = new Map([
	...Object.entries(constants).map(([name, value]) => [name, () => value] as const),
	...trapping.map((name) => [name, refuse(name)] as const),
]);

function refuse(name: string): ImportedFunction {
	return () => {
		throw new RefusedImport(name);
	};
}

/** Addresses of functions that the module's build left out. Nothing is at 0, and a call of it traps. */
const missingFunctions = { module: "GOT.func", pattern: /^emscripten_/ };

/**
 * The imports of the module: `implemented` by name, and all others sealed. Throws an Error that names an import which is neither.
 *
 * `memory` is handed to a module whose memory has been made an import.
 */
export function sealImports(
	module: WebAssembly.Module,
	implemented: Readonly<Record<string, ImportedFunction>>,
	memory: WebAssembly.Memory,
): WebAssembly.Imports {
	const imports: WebAssembly.Imports = {};
	for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
		const members = imports[from] ?? {};
		imports[from] = members;
		if (kind === "memory") members[name] = memory;
		else if (from === missingFunctions.module && kind === "global" && missingFunctions.pattern.test(name))
			members[name] = new WebAssembly.Global({ value: "i32", mutable: true }, 0);
		else {
			const call = Object.hasOwn(implemented, name) ? implemented[name] : sealed.get(name);
			if (!call || kind !== "function")
				throw new Error(
					`CPython's module imports the ${kind} ${from}.${name}, which nobody has reviewed. Say in host/sandbox/python/imports.ts what becomes of it.`,
				);
			members[name] = call;
		}
	}
	return imports;
}
