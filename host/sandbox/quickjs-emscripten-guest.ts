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
import { type QuickJsEmscriptenExports as Exports, exportLetters, tableExport } from "./quickjs-emscripten-exports.ts";
import { readString, tagOf, valueTags } from "./quickjs-values.ts";
import { GuestMemory } from "./wasm-memory.ts";

/** JSString and JSRuntime of the pinned build. */
const stringLayout = { length: 4, characters: 28 } as const;
const ropeLayout = { length: 4, left: 16, right: 24 } as const;
const rejectionTrackerOffset = 180;

const evalFlags = { global: 0, module: 1 } as const;
const promiseStates = ["pending", "fulfilled", "rejected"] as const satisfies readonly PromiseState[];

const scratchBytes = 4096;
const maxArguments = 4;
/** Free heap in the image. Small, because 5 MiB of stack are in it already and runs may be limited to 8 MiB. */
const spareHeapBytes = 256 * 1024;
/** Static data ends here and the stack grows down to it. With less than the reserve left, a trap is taken for an overflow. */
const stackEnd = 97 * 1024;
/** Where the module's data segments go. A fresh instance has them, the image has what became of them. */
const staticData = { start: 1024, end: stackEnd } as const;
const stackReserveBytes = 16 * 1024;

const preludeFile = "cronium:prelude";
const croniumModule = "cronium:module";

const errno = { notSupported: 52 } as const;

interface GuestSource {
	readonly module: WebAssembly.Module;
	/** A module that turns its import `f` into a function which a table of functions can hold. */
	readonly trackerModule: WebAssembly.Module;
	readonly minimumPages: number;
	readonly maximumPages: number;
}

/** This file: an image that another version of it, or of what it is bundled with, has made is not taken. */
export const glueUrl = import.meta.url;

/** A guest of the module `@jitl/quickjs-ng-wasmfile-release-sync`, driven without the package's JavaScript. */
export class QuickJsEmscriptenGuest implements Guest {
	readonly hooks: GuestHooks;
	host: GuestHost | undefined;
	readonly maxMemoryBytes: number;
	readonly #memory: GuestMemory;
	readonly #exports: Exports;
	readonly #rejections: Rejections;
	readonly #image: GuestImage;
	#runtime = 0;
	#context = 0;
	#undefined: Handle = 0;
	#scratch = 0;
	#arguments = 0;
	#croniumSource = "";

	/** Evaluates the prelude in a new instance and takes its image. */
	static boot(source: GuestSource, prelude: string): GuestImage {
		return new QuickJsEmscriptenGuest(source, prelude).#image;
	}

	/** An instance in the state of `image`. */
	static create(source: GuestSource, image: GuestImage): QuickJsEmscriptenGuest {
		return new QuickJsEmscriptenGuest(source, image);
	}

	private constructor(source: GuestSource, from: string | GuestImage) {
		const initial = typeof from === "string" ? source.minimumPages : from.pages;
		const memory = new WebAssembly.Memory({ initial, maximum: source.maximumPages });
		this.#memory = new GuestMemory(memory);
		this.maxMemoryBytes = source.maximumPages * 65536;
		const instance = new WebAssembly.Instance(source.module, { a: this.#imports(memory) });
		const letters = Object.entries(exportLetters).map(([name, letter]) => [name, instance.exports[letter]]);
		this.#exports = Object.fromEntries(letters) as Exports;
		this.#rejections = new Rejections((value) => this.free(value));
		const tracker = this.#addTracker(source.trackerModule, instance.exports[tableExport] as WebAssembly.Table);
		this.#image = typeof from === "string" ? this.#boot(from, tracker) : from;
		const place = (name: string): number => this.#image.places[name] as number;
		this.#runtime = place("runtime");
		this.#context = place("context");
		this.#undefined = place("undefined");
		this.#scratch = place("scratch");
		this.#arguments = place("arguments");
		this.hooks = { begin: place("begin"), settle: place("settle"), finish: place("finish"), describe: place("describe") };
		if (typeof from !== "string") {
			this.#memory.bytes.fill(0, staticData.start, staticData.end);
			this.#memory.write(from.memory);
			this.#exports.restoreStack(from.stackPointer);
		}
	}

	get memoryBytes(): number {
		return this.#memory.bytes.length;
	}

	get stackIsExhausted(): boolean {
		return this.#exports.currentStack() < stackEnd + stackReserveBytes;
	}

	setMaxStackBytes(bytes: number): void {
		this.#exports.setMaxStackSize(this.#runtime, bytes);
	}

	evaluateModule(name: string, source: string): ModuleCompletion {
		const handle = this.#evaluate(name, source, evalFlags.module);
		const completion = this.#complete(handle);
		if (completion.type === "thrown") return completion;
		// The engine answers with the namespace itself when the module needed no promise.
		const isPending = this.promiseState(handle) === "pending" && this.#isPromise(handle);
		return { type: isPending ? "promise" : "namespace", handle };
	}

	call(callable: Handle, args: readonly Handle[]): Completion {
		if (args.length > maxArguments) throw new Error(`The glue passes at most ${maxArguments} arguments.`);
		for (let index = 0; index < args.length; index++) this.#memory.setWord(this.#arguments + 4 * index, args[index] as number);
		return this.#complete(this.#exports.call(this.#context, callable, this.#undefined, args.length, this.#arguments));
	}

	runJob(): boolean | Completion {
		const exports = this.#exports;
		if (exports.isJobPending(this.#runtime) === 0) return false;
		// Answers with the number of jobs it ran, or with what a job threw.
		const handle = this.#present(exports.executePendingJob(this.#runtime, 1, this.#scratch));
		if (tagOf(this.#memory, handle) >= valueTags.int || this.#isNumber(handle)) {
			this.free(handle);
			return true;
		}
		return { type: "thrown", handle };
	}

	settle(callId: number, answer: string): void {
		const number = this.newNumber(callId);
		const text = this.newText(answer);
		const completion = this.call(this.hooks.settle, [number, text]);
		this.free(text);
		this.free(number);
		this.free(completion.handle);
		if (completion.type === "thrown") throw new GuestOutOfMemory();
	}

	promiseState(promise: Handle): PromiseState {
		return promiseStates[this.#exports.promiseState(this.#context, promise)] ?? "fulfilled";
	}

	promiseResult(promise: Handle): Handle {
		return this.#present(this.#exports.promiseResult(this.#context, promise));
	}

	watch(promise: Handle): void {
		this.#rejections.watch(this.#memory.word(promise));
	}

	unhandledRejection(): { readonly reason: Handle | undefined } | undefined {
		return this.#rejections.first;
	}

	newText(text: string): Handle {
		const handle = this.#tryNewText(text);
		if (handle === 0 || tagOf(this.#memory, handle) === valueTags.exception) throw new GuestOutOfMemory();
		return handle;
	}

	newNumber(value: number): Handle {
		return this.#present(this.#exports.newFloat64(this.#context, value));
	}

	text(value: Handle): string | undefined {
		const text = readString(this.#memory, value, stringLayout);
		if (text !== undefined) return text;
		const tag = tagOf(this.#memory, value);
		return tag === valueTags.rope || tag === valueTags.string ? this.#flatten(value) : undefined;
	}

	free(value: Handle): void {
		if (value !== 0) this.#exports.freeValue(this.#context, value);
	}

	restore(): boolean {
		this.host = undefined;
		this.#rejections.clear();
		if (this.memoryBytes !== this.#image.pages * 65536) return false;
		this.#memory.overwrite(this.#image.memory);
		this.#exports.restoreStack(this.#image.stackPointer);
		return true;
	}

	#present(handle: Handle): Handle {
		if (handle === 0) throw new GuestOutOfMemory();
		return handle;
	}

	#complete(handle: Handle): Completion {
		if (tagOf(this.#memory, this.#present(handle)) !== valueTags.exception) return { type: "value", handle };
		const thrown = this.#present(this.#exports.resolveException(this.#context, handle));
		this.free(handle);
		return { type: "thrown", handle: thrown };
	}

	#tryNewText(text: string): Handle {
		const exports = this.#exports;
		if (text.includes("\0") || !text.isWellFormed()) return this.#tryNewEscaped(text);
		const bytes = Buffer.byteLength(text);
		const address = exports.malloc(bytes + 1);
		if (address === 0) return 0;
		this.#memory.writeUtf8(address, text, bytes);
		this.#memory.bytes[address + bytes] = 0;
		const handle = exports.newString(this.#context, address);
		exports.free(address);
		return handle;
	}

	/** The C interface takes zero-terminated UTF-8; the rest goes as a literal. */
	#tryNewEscaped(text: string): Handle {
		return this.#evaluate(preludeFile, JSON.stringify(text), evalFlags.global);
	}

	/** Has the engine put the pieces together, which leaves the whole text as the left piece. */
	#flatten(value: Handle): string {
		const exports = this.#exports;
		const memory = this.#memory;
		const address = exports.getString(this.#context, value);
		if (address === 0) throw new GuestOutOfMemory();
		const rope = memory.word(value);
		const whole = tagOf(memory, value) === valueTags.rope ? rope + ropeLayout.left : 0;
		const isWhole =
			whole !== 0 &&
			tagOf(memory, whole) === valueTags.string &&
			(memory.word(memory.word(whole) + stringLayout.length) & 0x7fffffff) === memory.word(rope + ropeLayout.length);
		const text = (isWhole ? readString(memory, whole, stringLayout) : undefined) ?? memory.zeroTerminated(address);
		exports.freeCString(this.#context, address);
		return text;
	}

	#evaluate(name: string, source: string, flags: number): Handle {
		const exports = this.#exports;
		const text = this.#newZeroTerminated(source);
		const fileName = this.#newZeroTerminated(name);
		const handle = exports.eval(this.#context, text.address, text.length, fileName.address, 0, flags);
		exports.free(text.address);
		exports.free(fileName.address);
		return this.#present(handle);
	}

	#newZeroTerminated(text: string): { address: number; length: number } {
		const length = Buffer.byteLength(text);
		const address = this.#exports.malloc(length + 1);
		if (address === 0) throw new GuestOutOfMemory();
		this.#memory.writeUtf8(address, text, length);
		this.#memory.bytes[address + length] = 0;
		return { address, length };
	}

	/** Payload and tag of a number: an int, or a float, whose tag is out of the range of the others. */
	#isNumber(value: Handle): boolean {
		const tag = tagOf(this.#memory, value);
		return tag === valueTags.int || tag < -16 || tag > 16;
	}

	#isPromise(value: Handle): boolean {
		// The engine says -1 for the state of anything but a promise.
		return this.#exports.promiseState(this.#context, value) >= 0;
	}

	/** The imports by the letters of the pinned binary. Files, environment, processes and timers of the host do not exist. */
	#imports(memory: WebAssembly.Memory): Record<string, WebAssembly.ImportValue> {
		const abort = (): never => {
			throw new WebAssembly.RuntimeError("abort");
		};
		return {
			a: memory,
			b: abort,
			r: abort,
			s: abort,
			c: () => errno.notSupported,
			d: () => errno.notSupported,
			o: () => errno.notSupported,
			e: () => errno.notSupported,
			f: () => errno.notSupported,
			j: () => errno.notSupported,
			l: () => undefined,
			k: (bytes: number) => Number(this.#grow(bytes >>> 0)),
			m: (seconds: bigint, result: number) => this.#writeTime(Number(seconds), result),
			n: (timezone: number, daylight: number, standardName: number, summerName: number) => {
				this.#memory.setWord(timezone, 0);
				this.#memory.setWord(daylight, 0);
				for (const name of [standardName, summerName]) this.#memory.bytes.write("UTC\0", name, "latin1");
			},
			q: (_clock: number, _precision: bigint, result: number) => {
				this.#memory.bytes.writeBigUInt64LE(BigInt(Date.now()) * 1_000_000n, result);
				return 0;
			},
			p: () => Date.now(),
			t: (_context: number, _self: Handle, count: number, args: number) => this.#answer(count, args),
			i: () => {
				this.host?.poll();
				return 0;
			},
			g: (_runtime: number, _context: number, _base: number, name: number) => this.#resolve(this.#memory.zeroTerminated(name)),
			h: () => (this.#croniumSource === "" ? 0 : this.#newZeroTerminated(this.#croniumSource).address),
			u: () => undefined,
		};
	}

	/** Grows to `bytes`; false when the maximum of the memory does not allow it. */
	#grow(bytes: number): boolean {
		const { memory } = this.#memory;
		const pages = Math.ceil((bytes - memory.buffer.byteLength) / 65536);
		try {
			memory.grow(Math.max(pages, 0));
			return true;
		} catch {
			return false;
		}
	}

	/** C's `struct tm`, in UTC: where the host is does not concern a script. */
	#writeTime(seconds: number, result: number): void {
		const time = new Date(seconds * 1000);
		const year = time.getUTCFullYear();
		const dayOfYear = Math.floor((Date.UTC(year, time.getUTCMonth(), time.getUTCDate()) - Date.UTC(year, 0, 1)) / 86_400_000);
		const fields = [
			time.getUTCSeconds(),
			time.getUTCMinutes(),
			time.getUTCHours(),
			time.getUTCDate(),
			time.getUTCMonth(),
			year - 1900,
			time.getUTCDay(),
			dayOfYear,
			0,
			0,
		];
		for (const [index, field] of fields.entries()) this.#memory.setWord(result + 4 * index, field);
	}

	/** A call of the prelude; the arguments are JSValues in a row. */
	#answer(count: number, args: number): Handle {
		const host = this.host;
		if (!host || count < 2) return 0;
		const memory = this.#memory;
		const operation = tagOf(memory, args) === valueTags.int ? memory.word(args) | 0 : -1;
		const params = this.text(args + 8) ?? "";
		const body = count > 2 ? this.text(args + 16) : undefined;
		const answer = host.call(operation, params, body);
		if (typeof answer === "number") return this.#exports.newFloat64(this.#context, answer);
		// An exception handed back is thrown in the guest.
		return this.#present(this.#tryNewText(answer));
	}

	#resolve(specifier: string): number {
		if (specifier === "cronium") return this.#newZeroTerminated(croniumModule).address;
		const exports = this.#exports;
		const context = this.#context;
		const error = this.#present(exports.newError(context));
		const name = this.newText("message");
		const message = this.newText(this.host?.refuseImport(specifier) ?? `There is no module ${specifier}.`);
		exports.defineProp(context, error, name, message, this.#undefined, this.#undefined, 1, 0, 1);
		this.free(exports.throw(context, error));
		for (const value of [name, message, error]) this.free(value);
		return 0;
	}

	/**
	 * The interface has no function to hear of rejected promises, QuickJS itself has: the address of a callback in JSRuntime. It is
	 * an index of the table of functions, to which one of the host's is added here.
	 */
	#addTracker(module: WebAssembly.Module, table: WebAssembly.Table): number {
		const track = (_context: number, promise: bigint, reason: bigint, handled: number): void =>
			this.#track(promise, reason, handled);
		const tracker = new WebAssembly.Instance(module, { m: { f: track } });
		const index = table.grow(1);
		table.set(index, tracker.exports.f);
		return index;
	}

	#track(promise: bigint, reason: bigint, handled: number): void {
		const address = Number(BigInt.asUintN(32, promise));
		if (handled !== 0) this.#rejections.remove(address);
		else this.#rejections.add(address, this.#duplicate(promise), this.#duplicate(reason));
	}

	/** A handle of its own on a value that the engine only shows. */
	#duplicate(value: bigint): Handle {
		const bytes = this.#memory.bytes;
		const slot = this.#scratch + 16;
		bytes.writeBigInt64LE(value, slot);
		return this.#present(this.#exports.duplicate(this.#context, slot));
	}

	#boot(prelude: string, tracker: number): GuestImage {
		const exports = this.#exports;
		exports.wasmCallCtors();
		this.#runtime = exports.newRuntime();
		exports.enableInterruptHandler(this.#runtime);
		exports.enableModuleLoader(this.#runtime, 1);
		this.#memory.setWord(this.#runtime + rejectionTrackerOffset, tracker);
		this.#context = exports.newContext(this.#runtime, 0);
		this.#undefined = exports.getUndefined();
		this.#scratch = exports.malloc(scratchBytes);
		this.#arguments = exports.malloc(4 * maxArguments);
		const global = exports.getGlobalObject(this.#context);
		const hostName = this.#newZeroTerminated("__host");
		const host = exports.newFunction(this.#context, hostName.address, 3, 0, 1);
		const hostKey = this.newText("__host");
		exports.setProp(this.#context, global, hostKey, host);
		for (const value of [host, hostKey]) this.free(value);
		exports.free(hostName.address);
		this.free(this.#evaluateAtBoot(preludeFile, prelude, evalFlags.global));
		const hooks = this.#property(global, "__hooks");
		const source = this.#property(hooks, "croniumModule");
		this.#croniumSource = this.text(source) ?? "";
		this.free(source);
		this.free(this.#evaluateAtBoot(preludeFile, "delete globalThis.__host; delete globalThis.__hooks;", evalFlags.global));
		this.free(this.#evaluateAtBoot("cronium:boot", 'import "cronium";', evalFlags.module));
		while (this.runJob() === true);
		this.#croniumSource = "";
		const [begin, settle, finish, describe] = ["begin", "settle", "finish", "describe"].map((name) =>
			this.#property(hooks, name),
		);
		this.free(hooks);
		this.free(global);
		const places = {
			runtime: this.#runtime,
			context: this.#context,
			undefined: this.#undefined,
			scratch: this.#scratch,
			arguments: this.#arguments,
			begin: begin as number,
			settle: settle as number,
			finish: finish as number,
			describe: describe as number,
		};
		exports.free(exports.malloc(spareHeapBytes));
		return {
			memory: this.#memory.copy(),
			pages: this.memoryBytes / 65536,
			stackPointer: exports.currentStack(),
			places,
		};
	}

	#evaluateAtBoot(name: string, source: string, flags: number): Handle {
		const completion = this.#complete(this.#evaluate(name, source, flags));
		if (completion.type === "value") return completion.handle;
		const address = this.#exports.getString(this.#context, completion.handle);
		throw new Error(`The prelude fails: ${this.#memory.zeroTerminated(address)}`);
	}

	#property(object: Handle, name: string): Handle {
		const key = this.newText(name);
		const handle = this.#exports.getProp(this.#context, object, key);
		this.free(key);
		return this.#present(handle);
	}
}
