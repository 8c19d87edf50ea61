import { loadCrypto } from "../../crypto.ts";
import type { GuestFile } from "../engine.ts";
import { type GuestImage, GuestOutOfMemory } from "../guest.ts";
import { GuestMemory } from "../wasm-memory.ts";
import type { PythonExports } from "./exports.ts";
import { GuestFiles } from "./files.ts";
import { type ImportedFunction, sealImports } from "./imports.ts";
import { type ChannelFunctions, placeText, startInterpreter } from "./interpreter-start.ts";
import type { KeptImage } from "./kept-image.ts";
import { onLargeStack } from "./stacks.ts";
import { requireSuspension } from "./suspension.ts";
import { createSystemCalls } from "./system-calls.ts";
import { addFunction, addTrampoline } from "./table-functions.ts";

/** An answer that came later, with the number of its call. */
export type Answered = readonly [callId: number, answer: string];

/** What Python can ask of the host while it runs. Every method may throw `GuestStopped`. */
export interface PythonHost {
	/** Answers a call: a text now, or the id of a call that is answered later. */
	call(operation: number, params: string, body: string | undefined): string | number;
	/** The next late answer. With `block` it waits until there is one; undefined when none can come. */
	wait(block: boolean): Answered | undefined | Promise<Answered | undefined>;
	/** Called from inside loops of the guest. */
	poll(): void;
	/** Takes what was written to standard output (1) and error (2). */
	write(descriptor: 1 | 2, bytes: Uint8Array): void;
	/** Random bytes of this run, for generators that are to differ from those of other runs. */
	readonly seed: Uint8Array;
}

/** Thrown through a guest that has ended its interpreter: `os._exit`, `os.abort`, an error from which CPython does not recover. */
export class GuestExited extends Error {
	/** Undefined when it was aborted. */
	readonly exitCode: number | undefined;

	constructor(exitCode: number | undefined) {
		super("The interpreter has ended.");
		this.exitCode = exitCode;
	}
}

const pageBytes = 65_536;
/** Answers up to this length are put where there is always room. */
const scratchBytes = 16 * 1024;
/** Longer texts do not reach the host, whatever memory a run may have: the largest value, file or request is smaller. */
const maxTextBytes = 64 * 1024 * 1024;
/** With less than this left of the stack in linear memory, a trap is taken for its overflow. */
const stackReserveBytes = 16 * 1024;
/** Free memory in the image: most scripts then run without growing it, and their instance can be used again. */
const sparePages = 64;
/** The memory is grown by at least this much, because every growth renews the views of it. */
const growthPages = 16;
/** Steps of the interpreter between two looks at the clock. One takes 20 to 60 ns. */
const stepsPerPoll = 10_000;

/** While Python starts, and until a run says what it may have. */
const noScratch = { maxBytes: 0, maxEntries: 0 };

const environment = ["HOME=/tmp", "LANG=C.UTF-8", "TZ=UTC", "TMPDIR=/tmp"];

export interface PythonSource {
	readonly module: WebAssembly.Module;
	readonly minimumPages: number;
	readonly maximumPages: number;
	/** What is in the file system, by absolute paths. */
	readonly files: readonly GuestFile[];
}

/** One CPython, driven through its C API. The only way out of it are the functions of the module `_cronium`. */
export class PythonGuest {
	host: PythonHost | undefined;
	readonly files: GuestFiles;
	readonly maxMemoryBytes: number;
	readonly #memory: GuestMemory;
	readonly #exports: PythonExports;
	readonly #image: GuestImage | KeptImage;
	readonly #callOneArgument: (...args: number[]) => Promise<number>;
	#scratch = 0;
	/** Where the run's monotonic clock began. */
	#startedAt = performance.now();

	/** Starts an interpreter, has it import all that scripts are to find warm, and takes its image. */
	static boot(source: PythonSource): GuestImage {
		return new PythonGuest(source, undefined).#image as GuestImage;
	}

	/** An interpreter in the state of `image`. */
	static create(source: PythonSource, image: KeptImage): PythonGuest {
		return new PythonGuest(source, image);
	}

	private constructor({ module, minimumPages, maximumPages, files }: PythonSource, from: KeptImage | undefined) {
		const memory = new WebAssembly.Memory({ initial: from?.pages ?? minimumPages, maximum: maximumPages });
		this.#memory = new GuestMemory(memory);
		this.maxMemoryBytes = maximumPages * pageBytes;
		this.files = new GuestFiles({
			base: new Map(files.map(({ path, content }) => [path, content])),
			limits: noScratch,
			print: (descriptor, bytes) => this.host?.write(descriptor, bytes),
			random: fillRandom,
			now: Date.now,
		});
		const instance = new WebAssembly.Instance(module, sealImports(module, this.#imports(memory), memory));
		this.#exports = instance.exports as unknown as PythonExports;
		const exports = this.#exports;
		exports.__wasm_call_ctors();
		const trampoline = addTrampoline(exports.__indirect_function_table, memory);
		const functions = this.#addFunctions();
		this.#callOneArgument = requireSuspension().promising(exports.PyObject_CallOneArg);
		this.#image = from ?? this.#boot(trampoline, functions);
		this.#scratch = this.#place("scratch");
		if (from) {
			from.writeTo(this.#memory);
			exports.__stack_pointer.value = from.stackPointer;
		}
	}

	get memoryBytes(): number {
		return this.#memory.bytes.length;
	}

	get stackIsExhausted(): boolean {
		return this.#exports.__stack_pointer.value < this.#place("stackEnd") + stackReserveBytes;
	}

	/** Calls `_cronium_main.run`. Rejects with what unwound the interpreter; it may only be dropped then. */
	async run(order: string): Promise<string> {
		this.#startedAt = performance.now();
		const text = this.#newText(order);
		if (text === 0) throw new GuestOutOfMemory();
		const answer = await onLargeStack(() => this.#callOneArgument(this.#place("run"), text));
		// It answers whatever happens, unless there is no memory to do so.
		if (answer === 0) throw new GuestOutOfMemory();
		// Anything but a text is the answer of a script that has replaced what answers.
		return this.#text(answer) ?? "";
	}

	/** Throws an Error when the memory has grown: it can only be dropped then. */
	restore(): void {
		this.host = undefined;
		this.files.reset();
		const image = this.#image;
		if ("memory" in image || this.memoryBytes !== image.pages * pageBytes)
			throw new Error("An interpreter whose memory has grown, or that has made the image, cannot be restored.");
		image.writeTo(this.#memory);
		this.#exports.__stack_pointer.value = image.stackPointer;
	}

	#place(name: string): number {
		return this.#image.places[name] as number;
	}

	#boot(trampoline: number, functions: ChannelFunctions): GuestImage {
		const exports = this.#exports;
		let printed = "";
		this.host = {
			...silentHost,
			write: (_descriptor, bytes) => {
				printed += Buffer.from(bytes).toString("utf8");
			},
		};
		try {
			const memory = this.#memory;
			const entry = startInterpreter({ exports, memory, trampoline, functions });
			const opened = this.files.leftOpen();
			if (opened.length > 0) throw new Error(`the descriptors ${opened.join(", ")} are open`);
			const places = {
				...entry,
				scratch: exports.malloc(scratchBytes),
				notAnInt: placeText({ exports, memory }, "a number for the host must be an int"),
				tooLong: placeText({ exports, memory }, `a text for the host has at most ${maxTextBytes} bytes`),
			};
			memory.memory.grow(sparePages);
			return { memory: memory.copy(), pages: this.memoryBytes / pageBytes, stackPointer: exports.__stack_pointer.value, places };
		} catch (cause) {
			throw new Error(`Python cannot be started: ${(cause as Error).message}. ${printed}`.trim(), { cause });
		} finally {
			this.host = undefined;
			this.files.reset();
		}
	}

	#addFunctions(): ChannelFunctions {
		const table = this.#exports.__indirect_function_table;
		const { Suspending } = requireSuspension();
		return {
			call: addFunction(table, (_self, args, count) => this.#call(args, count)),
			wait: addFunction(table, new Suspending((_self: number, args: number, count: number) => this.#wait(args, count))),
			seed: addFunction(table, () => this.#seed()),
		};
	}

	/** `call(operation, params, body)`. */
	#call(args: number, count: number): number {
		const host = this.host;
		if (!host || count !== 3) return this.#none();
		const exports = this.#exports;
		const operation = this.#integer(this.#memory.word(args));
		if (operation === undefined) return 0;
		const params = this.#text(this.#memory.word(args + 4));
		if (params === undefined) return 0;
		const given = this.#memory.word(args + 8);
		const isNone = given === exports._Py_NoneStruct.value;
		const body = isNone ? undefined : this.#text(given);
		if (body === undefined && !isNone) return 0;
		const answer = host.call(operation, params, body);
		return typeof answer === "number" ? exports.PyLong_FromLong(answer) : this.#newText(answer);
	}

	/** `wait(block)`. */
	#wait(args: number, count: number): number | Promise<number> {
		const host = this.host;
		if (!host || count !== 1) return this.#none();
		const block = this.#integer(this.#memory.word(args));
		if (block === undefined) return 0;
		const answered = host.wait(block === 1);
		if (!(answered instanceof Promise)) return this.#newAnswer(answered);
		return answered.then((late) => this.#newAnswer(late));
	}

	#seed(): number {
		const seed = this.host?.seed;
		if (!seed) return this.#none();
		this.#memory.bytes.set(seed, this.#scratch);
		return this.#exports.PyBytes_FromStringAndSize(this.#scratch, seed.length);
	}

	#newAnswer(answered: Answered | undefined): number {
		if (!answered) return this.#none();
		const exports = this.#exports;
		const [callId, answer] = answered;
		const pair = exports.PyTuple_New(2);
		const id = exports.PyLong_FromLong(callId);
		const text = this.#newText(answer);
		if (pair === 0 || id === 0 || text === 0) return 0;
		exports.PyTuple_SetItem(pair, 0, id);
		exports.PyTuple_SetItem(pair, 1, text);
		return pair;
	}

	/** None is immortal: nobody counts references to it. */
	#none(): number {
		return this.#exports._Py_NoneStruct.value;
	}

	/**
	 * What an int or a bool holds, -1 when it is too large; undefined, with a Python error set, for anything else. Python would ask an object of another
	 * type for its `__index__`: that is code of the script's, with JavaScript beneath it, over which it cannot be suspended.
	 */
	#integer(object: number): number | undefined {
		const exports = this.#exports;
		const type = this.#memory.word(object + 4);
		if (type === exports.PyLong_Type.value || type === exports.PyBool_Type.value) {
			const value = exports.PyLong_AsLong(object);
			if (value === -1) exports.PyErr_Clear();
			return value;
		}
		exports.PyErr_SetString(this.#memory.word(exports.PyExc_TypeError.value), this.#place("notAnInt"));
		return undefined;
	}

	/** What a str holds; undefined, with a Python error set, for anything else, for lone surrogates and for what the host would have no room for. */
	#text(object: number): string | undefined {
		const exports = this.#exports;
		const at = this.#scratch;
		const address = exports.PyUnicode_AsUTF8AndSize(object, at) >>> 0;
		if (address === 0) return undefined;
		const length = this.#memory.word(at);
		if (length > maxTextBytes) {
			exports.PyErr_SetString(this.#memory.word(exports.PyExc_ValueError.value), this.#place("tooLong"));
			return undefined;
		}
		return this.#memory.bytes.toString("utf8", address, address + length);
	}

	/** A new str; 0, with a Python error set, when there is no memory for it. */
	#newText(text: string): number {
		const exports = this.#exports;
		const at = this.#scratch;
		if (this.#memory.writeShortAscii(at, text, scratchBytes)) return exports.PyUnicode_FromStringAndSize(at, text.length);
		const length = Buffer.byteLength(text);
		const address = exports.malloc(length) >>> 0;
		// Python's own way of saying that there is none.
		if (address === 0) return exports.PyUnicode_FromStringAndSize(0, 0x7fffffff);
		// A script that has got at the memory decides what `malloc` finds there.
		if (address + length > this.#memory.bytes.length) throw new WebAssembly.RuntimeError("memory access out of bounds");
		this.#memory.writeUtf8(address, text, length);
		const object = exports.PyUnicode_FromStringAndSize(address, length);
		exports.free(address);
		return object;
	}

	#imports(memory: WebAssembly.Memory): Record<string, ImportedFunction> {
		const exit = (code: number): never => {
			throw new GuestExited(code);
		};
		const abort = (): never => {
			throw new GuestExited(undefined);
		};
		return {
			...createSystemCalls({
				memory: () => this.#memory,
				files: this.files,
				clock: { wallMs: Date.now, monotonicMs: () => performance.now() - this.#startedAt },
				environment,
				random: fillRandom,
			}),
			proc_exit: exit,
			exit,
			_abort_js: abort,
			__assert_fail: abort,
			emscripten_get_heap_max: () => this.maxMemoryBytes,
			emscripten_resize_heap: (bytes: number) => this.#grow(memory, bytes >>> 0),
			_emscripten_get_progname: (address: number, length: number) => {
				if (length > 0) this.#memory.bytes[address] = 0;
			},
			_Py_CheckEmscriptenSignals_Helper: () => {
				this.#memory.setWord(this.#exports._Py_emscripten_signal_clock.value, stepsPerPoll);
				this.host?.poll();
				return 0;
			},
			__call_sighandler: (handler: number, signal: number) => this.#tableFunction(handler)(signal),
		};
	}

	/** A function of the guest's own that JavaScript calls for it; what is not one is none. */
	#tableFunction(number: number): (...args: number[]) => number {
		const table = this.#exports.__indirect_function_table;
		const callable = number >>> 0 < table.length ? table.get(number >>> 0) : undefined;
		if (typeof callable !== "function") throw new WebAssembly.RuntimeError("a null function was called");
		return callable as (...args: number[]) => number;
	}

	/** 1 when the memory has `bytes` then. */
	#grow(memory: WebAssembly.Memory, bytes: number): number {
		const pages = Math.ceil(bytes / pageBytes);
		const present = memory.buffer.byteLength / pageBytes;
		const most = this.maxMemoryBytes / pageBytes;
		if (pages > most) return 0;
		try {
			memory.grow(Math.max(0, Math.min(Math.max(pages, present + growthPages), most) - present));
			return 1;
		} catch {
			return 0;
		}
	}
}

const fillRandom = (bytes: Uint8Array): void => void loadCrypto().randomFillSync(bytes);

const silentHost: PythonHost = {
	call: () => "",
	wait: () => undefined,
	poll: () => undefined,
	write: () => undefined,
	seed: new Uint8Array(24),
};
