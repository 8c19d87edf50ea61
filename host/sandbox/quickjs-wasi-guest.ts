import { loadCrypto } from "../crypto.ts";
import {
	type Completion,
	type Guest,
	type GuestHooks,
	type GuestHost,
	type GuestImage,
	GuestOutOfMemory,
	type Handle,
	type ModuleCompletion,
	type PromiseState,
} from "./guest.ts";
import { Rejections } from "./guest-rejections.ts";
import { readString, tagOf, valueTags } from "./quickjs-values.ts";
import type { QuickJsWasiExports as Exports } from "./quickjs-wasi-exports.ts";
import { GuestMemory } from "./wasm-memory.ts";

/** JSString of the pinned build. */
const stringLayout = { length: 0, characters: 24 } as const;

const evalFlags = { global: 0, module: 1 } as const;
const configurableAndWritable = 3;
const promiseStates = ["pending", "fulfilled", "rejected"] as const satisfies readonly PromiseState[];

/** Room in the image for short texts and arguments on their way into the guest. */
const scratchBytes = 4096;
const maxArguments = 4;
/** Free heap in the image: most scripts then run without growing the memory, and their instance can be used again. */
const spareHeapBytes = 1024 * 1024;
/** The prelude alone is beyond the engine's default of 256 KiB, so that every short run would pay for a collection. */
const collectionThresholdBytes = 2 * 1024 * 1024;
/** With less than this left of the module's own stack, a trap is taken for its overflow. */
const stackReserveBytes = 16 * 1024;
/** Where the module's data segments go. A fresh instance has them, the image has what became of them. */
const staticData = { start: 1024 * 1024, end: 1140 * 1024 } as const;
/** The module's stack of 1 MiB, less what native functions may need beyond QuickJS's own check. */
const maxStackBytes = 768 * 1024;

const preludeFile = "cronium:prelude";
/** What `import … from "cronium"` is resolved to. No script can be named so that it takes its place: names are files. */
const croniumModule = "cronium:module";

const errno = { badFile: 8, notSupported: 52, success: 0 } as const;

interface GuestSource {
	readonly module: WebAssembly.Module;
	readonly minimumPages: number;
	readonly maximumPages: number;
}

/** This file: an image that another version of it, or of what it is bundled with, has made is not taken. */
export const glueUrl = import.meta.url;

/** A guest of the module `quickjs-wasi`. */
export class QuickJsWasiGuest implements Guest {
	readonly hooks: GuestHooks;
	host: GuestHost | undefined;
	readonly maxMemoryBytes: number;
	readonly #memory: GuestMemory;
	readonly #exports: Exports;
	readonly #rejections: Rejections;
	readonly #image: GuestImage;
	#context = 0;
	/** A JSValue that is `undefined`, and one that is written before every settlement. */
	#undefined: Handle = 0;
	#number: Handle = 0;
	#scratch = 0;
	#arguments = 0;
	#croniumSource = "";

	/** Evaluates the prelude in a new instance and takes its image. */
	static boot(source: GuestSource, prelude: string): GuestImage {
		return new QuickJsWasiGuest(source, prelude).#image;
	}

	/** An instance in the state of `image`. */
	static create(source: GuestSource, image: GuestImage): QuickJsWasiGuest {
		return new QuickJsWasiGuest(source, image);
	}

	private constructor({ module, minimumPages, maximumPages }: GuestSource, from: string | GuestImage) {
		const initial = typeof from === "string" ? minimumPages : from.pages;
		const memory = new WebAssembly.Memory({ initial, maximum: maximumPages });
		this.#memory = new GuestMemory(memory);
		this.maxMemoryBytes = maximumPages * 65536;
		const instance = new WebAssembly.Instance(module, this.#imports(memory));
		this.#exports = instance.exports as unknown as Exports;
		this.#rejections = new Rejections((value) => this.free(value));
		this.#image = typeof from === "string" ? this.#boot(from) : from;
		const place = (name: string): number => this.#image.places[name] as number;
		this.#context = place("context");
		this.#undefined = place("undefined");
		this.#number = place("number");
		this.#scratch = place("scratch");
		this.#arguments = place("arguments");
		this.hooks = { begin: place("begin"), settle: place("settle"), finish: place("finish"), describe: place("describe") };
		if (typeof from !== "string") {
			// The rest of a fresh memory is empty as it is; pages that nobody touches cost nothing.
			this.#memory.bytes.fill(0, staticData.start, staticData.end);
			this.#memory.write(from.memory);
			this.#exports.__stack_pointer.value = from.stackPointer;
		}
	}

	get memoryBytes(): number {
		return this.#memory.bytes.length;
	}

	get stackIsExhausted(): boolean {
		return this.#exports.__stack_pointer.value < stackReserveBytes;
	}

	setMaxStackBytes(bytes: number): void {
		this.#exports.qjs_set_max_stack_size(Math.min(bytes, maxStackBytes));
	}

	evaluateModule(name: string, source: string): ModuleCompletion {
		const handle = this.#evaluate(name, source, evalFlags.module);
		if (this.#tag(handle) !== valueTags.exception) return { type: "promise", handle };
		this.free(handle);
		return { type: "thrown", handle: this.#exports.qjs_get_exception() };
	}

	call(callable: Handle, args: readonly Handle[]): Completion {
		if (args.length > maxArguments) throw new Error(`The glue passes at most ${maxArguments} arguments.`);
		for (let index = 0; index < args.length; index++) this.#memory.setWord(this.#arguments + 4 * index, args[index] as number);
		return this.#complete(this.#exports.qjs_call(callable, this.#undefined, args.length, this.#arguments));
	}

	runJob(): boolean | Completion {
		const status = this.#exports.qjs_execute_pending_job();
		if (status >= 0) return status > 0;
		return { type: "thrown", handle: this.#exports.qjs_get_exception() };
	}

	settle(callId: number, answer: string): void {
		const isSmall = callId <= 0x7fffffff;
		if (isSmall) this.#memory.setWord(this.#number, callId);
		const id = isSmall ? this.#number : this.newNumber(callId);
		const text = this.newText(answer);
		const completion = this.call(this.hooks.settle, [id, text]);
		this.free(text);
		if (!isSmall) this.free(id);
		this.free(completion.handle);
		// The prelude's own function throws only when there is no room left to run it.
		if (completion.type === "thrown") throw new GuestOutOfMemory();
	}

	promiseState(promise: Handle): PromiseState {
		return promiseStates[this.#exports.qjs_promise_state(promise)] ?? "fulfilled";
	}

	promiseResult(promise: Handle): Handle {
		return this.#present(this.#exports.qjs_promise_result(promise));
	}

	watch(promise: Handle): void {
		this.#rejections.watch(this.#memory.word(promise));
	}

	unhandledRejection(): { readonly reason: Handle | undefined } | undefined {
		return this.#rejections.first;
	}

	newText(text: string): Handle {
		const handle = this.#tryNewText(text);
		if (handle === 0 || this.#tag(handle) === valueTags.exception) throw new GuestOutOfMemory();
		return handle;
	}

	newNumber(value: number): Handle {
		return this.#present(this.#exports.qjs_new_number(value));
	}

	text(value: Handle): string | undefined {
		const text = readString(this.#memory, value, stringLayout);
		if (text !== undefined) return text;
		const tag = this.#tag(value);
		return tag === valueTags.rope || tag === valueTags.string ? this.#flatten(value) : undefined;
	}

	free(value: Handle): void {
		if (value !== 0) this.#exports.qjs_free_value(value);
	}

	restore(): boolean {
		this.host = undefined;
		this.#rejections.clear();
		if (this.memoryBytes !== this.#image.pages * 65536) return false;
		this.#memory.overwrite(this.#image.memory);
		this.#exports.__stack_pointer.value = this.#image.stackPointer;
		return true;
	}

	/** A guest with no memory for eight bytes is at its end. */
	#present(handle: Handle): Handle {
		if (handle === 0) throw new GuestOutOfMemory();
		return handle;
	}

	#tag(value: Handle): number {
		return tagOf(this.#memory, value);
	}

	#complete(handle: Handle): Completion {
		if (this.#tag(this.#present(handle)) !== valueTags.exception) return { type: "value", handle };
		this.free(handle);
		return { type: "thrown", handle: this.#present(this.#exports.qjs_get_exception()) };
	}

	/** The handle of a new string, 0 or an exception when there is no memory for it. */
	#tryNewText(text: string): Handle {
		const exports = this.#exports;
		const memory = this.#memory;
		if (memory.writeShortAscii(this.#scratch, text, scratchBytes)) return exports.qjs_new_string(this.#scratch, text.length);
		if (!text.isWellFormed()) return this.#tryNewUtf16(text);
		const bytes = Buffer.byteLength(text);
		const address = exports.wasm_malloc(bytes);
		if (address === 0) return 0;
		memory.writeUtf8(address, text, bytes);
		const handle = exports.qjs_new_string(address, bytes);
		exports.wasm_free(address);
		return handle;
	}

	/** UTF-8 has no lone surrogates. */
	#tryNewUtf16(text: string): Handle {
		const exports = this.#exports;
		const address = exports.wasm_malloc(2 * text.length);
		if (address === 0) return 0;
		this.#memory.writeUtf16(address, text);
		const value = exports.JS_NewStringUTF16(this.#context, address, text.length);
		exports.wasm_free(address);
		const handle = exports.qjs_get_undefined();
		if (handle !== 0) this.#memory.bytes.writeBigInt64LE(value, handle);
		return handle;
	}

	/** Text in several pieces (or of a kind that the glue does not read itself) is put together by the engine. */
	#flatten(value: Handle): string {
		const exports = this.#exports;
		const length = this.#scratch;
		const address = exports.JS_ToCStringLenUTF16(this.#context, length, this.#memory.bytes.readBigInt64LE(value));
		if (address === 0) throw new GuestOutOfMemory();
		const text = this.#memory.utf16(address, this.#memory.word(length));
		exports.JS_FreeCStringUTF16(this.#context, address);
		return text;
	}

	#evaluate(name: string, source: string, flags: number): Handle {
		const exports = this.#exports;
		const text = this.#newZeroTerminated(source);
		const fileName = this.#newZeroTerminated(name);
		const handle = exports.qjs_eval(text.address, text.length, fileName.address, flags);
		exports.wasm_free(text.address);
		exports.wasm_free(fileName.address);
		return this.#present(handle);
	}

	#newZeroTerminated(text: string): { address: number; length: number } {
		const length = Buffer.byteLength(text);
		const address = this.#exports.wasm_malloc(length + 1);
		if (address === 0) throw new GuestOutOfMemory();
		this.#memory.writeUtf8(address, text, length);
		this.#memory.bytes[address + length] = 0;
		return { address, length };
	}

	#imports(memory: WebAssembly.Memory): WebAssembly.Imports {
		const clock = (result: number): number => {
			// Milliseconds only: a finer clock tells one run more of its neighbours.
			this.#memory.bytes.writeBigUInt64LE(BigInt(Date.now()) * 1_000_000n, result);
			return errno.success;
		};
		return {
			env: {
				memory,
				host_call: (_name: number, _length: number, _self: Handle, count: number, args: number) => this.#answer(count, args),
				host_interrupt: () => {
					this.host?.poll();
					return 0;
				},
				host_promise_rejection: (promise: Handle, reason: Handle, handled: number) => this.#track(promise, reason, handled),
				host_module_normalize: (_base: number, name: number) => this.#resolve(this.#memory.zeroTerminated(name)),
				host_module_load: (_name: number, length: number) => this.#load(length),
				// Scripts see UTC: where the host is does not concern them, and results do not depend on it.
				host_get_timezone_offset: () => 0,
			},
			wasi_snapshot_preview1: {
				clock_time_get: (_clock: number, _precision: bigint, result: number) => clock(result),
				random_get: (address: number, length: number) => {
					loadCrypto().randomFillSync(this.#memory.bytes.subarray(address, address + length));
					return errno.success;
				},
				fd_write: () => errno.badFile,
				fd_close: () => errno.badFile,
				fd_seek: () => errno.badFile,
				fd_fdstat_get: () => errno.badFile,
			},
		};
	}

	/** A call of the prelude: `(operation, params, body)`. Returns the address of a JSValue that the caller frees, 0 after throwing in the guest. */
	#answer(count: number, args: number): Handle {
		const exports = this.#exports;
		const host = this.host;
		if (!host || count < 2) return exports.qjs_get_undefined();
		const words = this.#memory.words;
		const slot = args >>> 2;
		const operation = words[slot] as number;
		const params = words[slot + 1] as number;
		const body = count > 2 ? (words[slot + 2] as number) : 0;
		if (operation === 0 || params === 0 || (count > 2 && body === 0)) throw new GuestOutOfMemory();
		const isInt = (words[(operation >>> 2) + 1] as number) === valueTags.int;
		const number = isInt ? (words[operation >>> 2] as number) | 0 : -1;
		const answer = host.call(number, this.text(params) ?? "", body === 0 ? undefined : this.text(body));
		if (typeof answer === "number") return exports.qjs_new_number(answer);
		const handle = this.#tryNewText(answer);
		if (handle === 0) exports.JS_ThrowOutOfMemory(this.#context);
		return handle;
	}

	#track(promise: Handle, reason: Handle, handled: number): void {
		if (promise === 0 || reason === 0) throw new GuestOutOfMemory();
		const address = this.#memory.word(promise);
		if (handled === 0) {
			this.#rejections.add(address, promise, reason);
			return;
		}
		this.#rejections.remove(address);
		this.free(promise);
		this.free(reason);
	}

	/** The name of the module that `specifier` stands for, as a new C string; 0 after throwing in the guest. */
	#resolve(specifier: string): number {
		if (specifier === "cronium") return this.#newZeroTerminated(croniumModule).address;
		this.#throw(this.host?.refuseImport(specifier) ?? `There is no module ${specifier}.`);
		return 0;
	}

	/** Loading happens only at boot: the image holds the one module there is. */
	#load(length: number): number {
		if (this.#croniumSource === "") {
			this.#throw("There is no such module.");
			return 0;
		}
		const source = this.#newZeroTerminated(this.#croniumSource);
		this.#memory.setWord(length, source.length);
		return source.address;
	}

	#throw(message: string): void {
		const exports = this.#exports;
		const error = this.#present(exports.qjs_new_error());
		const text = this.newText(message);
		const name = this.#newZeroTerminated("message");
		exports.qjs_define_prop_string(error, name.address, text, configurableAndWritable);
		this.free(exports.qjs_throw(error));
		exports.wasm_free(name.address);
		this.free(text);
		this.free(error);
	}

	#boot(prelude: string): GuestImage {
		const exports = this.#exports;
		exports._initialize();
		if (exports.qjs_init() !== 0) throw new Error("QuickJS does not start.");
		exports.qjs_set_interrupt_handler(1);
		exports.qjs_set_promise_rejection_handler(1);
		exports.qjs_set_module_loader(1);
		this.#context = exports.qjs_get_context_ptr();
		this.#undefined = exports.qjs_get_undefined();
		this.#number = exports.qjs_new_number(1);
		this.#memory.setWord(this.#number + 4, valueTags.int);
		this.#scratch = exports.wasm_malloc(scratchBytes);
		this.#arguments = exports.wasm_malloc(4 * maxArguments);
		const global = exports.qjs_get_global();
		const hostName = this.#newZeroTerminated("__host");
		const host = exports.qjs_new_host_function(hostName.address, hostName.length, 3);
		exports.qjs_set_prop_string(global, hostName.address, host);
		this.free(host);
		exports.wasm_free(hostName.address);
		this.free(this.#evaluateAtBoot(preludeFile, prelude, evalFlags.global));
		const hooks = this.#property(global, "__hooks");
		const source = this.#property(hooks, "croniumModule");
		this.#croniumSource = this.text(source) ?? "";
		this.free(source);
		this.free(this.#evaluateAtBoot(preludeFile, "delete globalThis.__host; delete globalThis.__hooks;", evalFlags.global));
		this.free(this.#evaluateAtBoot("cronium:boot", 'import "cronium";', evalFlags.module));
		while (exports.qjs_execute_pending_job() > 0);
		this.#croniumSource = "";
		const [begin, settle, finish, describe] = ["begin", "settle", "finish", "describe"].map((name) =>
			this.#property(hooks, name),
		);
		this.free(hooks);
		this.free(global);
		const places = {
			context: this.#context,
			begin: begin as number,
			settle: settle as number,
			finish: finish as number,
			describe: describe as number,
			undefined: this.#undefined,
			number: this.#number,
			scratch: this.#scratch,
			arguments: this.#arguments,
		};
		exports.qjs_run_gc();
		exports.qjs_set_gc_threshold(collectionThresholdBytes);
		const spare = exports.wasm_malloc(spareHeapBytes);
		exports.wasm_free(spare);
		const memory = this.#memory.copy();
		return { memory, pages: this.memoryBytes / 65536, stackPointer: exports.__stack_pointer.value, places };
	}

	#evaluateAtBoot(name: string, source: string, flags: number): Handle {
		const completion = this.#complete(this.#evaluate(name, source, flags));
		if (completion.type === "value") return completion.handle;
		throw new Error(`The prelude fails: ${this.#flatten(completion.handle)}`);
	}

	#property(object: Handle, name: string): Handle {
		const text = this.#newZeroTerminated(name);
		const handle = this.#exports.qjs_get_prop_string(object, text.address);
		this.#exports.wasm_free(text.address);
		return this.#present(handle);
	}
}
