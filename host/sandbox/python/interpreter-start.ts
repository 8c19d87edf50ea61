import { loadCrypto } from "../../crypto.ts";
import type { GuestMemory } from "../wasm-memory.ts";
import type { PythonExports } from "./exports.ts";
import { pythonPaths } from "./paths.ts";
import { pythonStackBytes } from "./stacks.ts";

const methFastcall = 0x80;
const methodBytes = 16;

/** Built-in modules that scripts do without: ways to the machine beneath, and CPython's own tests of itself. */
const removedModules = [
	"_ctypes",
	"_posixsubprocess",
	"_remote_debugging",
	"_testbuffer",
	"_testcapi",
	"_testclinic",
	"_testclinic_limited",
	"_testinternalcapi",
	"_testlimitedcapi",
	"_xxtestfuzz",
	"termios",
	"xxsubtype",
];

/** Numbers of the channel's functions in the table. */
export interface ChannelFunctions {
	readonly call: number;
	readonly wait: number;
	readonly seed: number;
}

/** A fresh instance, and the numbers of what has been put into its table. */
export interface StartParts {
	readonly exports: PythonExports;
	readonly memory: GuestMemory;
	readonly trampoline: number;
	readonly functions: ChannelFunctions;
}

/**
 * Starts the interpreter, with the channel to the host as its module `_cronium`, and has it import `_cronium_main`. Returns where that has its entry, and
 * where the stack ends. Throws an Error that says what has failed; Python itself prints why.
 */
export function startInterpreter(parts: StartParts): { readonly run: number; readonly stackEnd: number } {
	const { exports, memory, trampoline } = parts;
	const offset = memory.word(exports._PyEM_EMSCRIPTEN_TRAMPOLINE_OFFSET.value);
	memory.setWord(exports._PyRuntime.value + offset, trampoline);
	const base = exports.emscripten_stack_get_base();
	exports.emscripten_stack_set_limits(base, base - pythonStackBytes);
	removeModules(parts);
	initialize(parts);
	addChannel(parts);
	const main = exports.PyImport_ImportModule(placeText(parts, "_cronium_main"));
	if (main === 0) {
		exports.PyErr_Print();
		throw new Error("its own modules fail");
	}
	const run = exports.PyObject_GetAttrString(main, placeText(parts, "run"));
	if (run === 0) throw new Error("it has no entry");
	memory.setWord(exports.Py_EMSCRIPTEN_SIGNAL_HANDLING.value, 1);
	return { run, stackEnd: exports.emscripten_stack_get_end() };
}

/** Puts a text, ended by a zero, where it stays. Throws an Error when there is no memory. */
export function placeText({ exports, memory }: Pick<StartParts, "exports" | "memory">, text: string): number {
	const length = Buffer.byteLength(text);
	const address = exports.malloc(length + 1);
	if (address === 0) throw new Error("there is no memory");
	memory.bytes.write(text, address, length, "utf8");
	memory.bytes[address + length] = 0;
	return address;
}

function initialize(parts: StartParts): void {
	const { exports, memory } = parts;
	const config = exports.PyInitConfig_Create();
	const set = (name: string, value: number | string): void => {
		const key = placeText(parts, name);
		const status =
			typeof value === "number"
				? exports.PyInitConfig_SetInt(config, key, BigInt(value))
				: exports.PyInitConfig_SetStr(config, key, placeText(parts, value));
		if (status < 0) throw new Error(`its setting ${name} is refused`);
	};
	set("site_import", 0);
	set("write_bytecode", 0);
	set("utf8_mode", 1);
	set("install_signal_handlers", 0);
	set("use_hash_seed", 1);
	// Scripts of one installation share it, because it is a part of every text in the image; others cannot know it.
	set("hash_seed", loadCrypto().randomInt(1, 2 ** 32 - 1));
	set("home", "/");
	set("program_name", "python");
	set("executable", "");
	set("parse_argv", 0);
	const paths = [pythonPaths.standardLibrary, pythonPaths.guest, pythonPaths.sdk];
	const list = exports.malloc(4 * paths.length);
	paths.forEach((path, index) => {
		memory.setWord(list + 4 * index, placeText(parts, path));
	});
	if (exports.PyInitConfig_SetStrList(config, placeText(parts, "module_search_paths"), paths.length, list) < 0)
		throw new Error("its search path is refused");
	set("module_search_paths_set", 1);
	if (exports.Py_InitializeFromInitConfig(config) >= 0) return;
	const said = exports.malloc(4);
	exports.PyInitConfig_GetError(config, said);
	throw new Error(memory.zeroTerminated(memory.word(said)));
}

/** Takes modules out of the table of built-in ones: pairs of a name's address and a function, ended by a zero. */
function removeModules({ exports, memory }: StartParts): void {
	let at = memory.word(exports.PyImport_Inittab.value);
	let to = at;
	for (let name = memory.word(at); name !== 0; name = memory.word(at)) {
		if (!removedModules.includes(memory.zeroTerminated(name))) {
			memory.setWord(to, name);
			memory.setWord(to + 4, memory.word(at + 4));
			to += 8;
		}
		at += 8;
	}
	memory.setWord(to, 0);
	memory.setWord(to + 4, 0);
}

/** Makes the module `_cronium`. */
function addChannel(parts: StartParts): void {
	const { exports, memory, functions } = parts;
	const entries = Object.entries(functions);
	// struct PyMethodDef: name, function, flags, documentation; a zeroed one is the end.
	const methods = exports.malloc(methodBytes * (entries.length + 1));
	memory.bytes.fill(0, methods, methods + methodBytes * (entries.length + 1));
	entries.forEach(([name, number], index) => {
		const at = methods + methodBytes * index;
		memory.setWord(at, placeText(parts, name));
		memory.setWord(at + 4, number);
		memory.setWord(at + 8, methFastcall);
	});
	const module = exports.PyImport_AddModule(placeText(parts, "_cronium"));
	if (module === 0 || exports.PyModule_AddFunctions(module, methods) < 0) throw new Error("it takes no module");
}
