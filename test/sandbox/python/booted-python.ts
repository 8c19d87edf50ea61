import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { GuestFiles, type GuestFilesOptions } from "../../../host/sandbox/python/files.ts";
import { createSystemCalls, type SystemCall } from "../../../host/sandbox/python/system-calls.ts";
import { GuestMemory } from "../../../host/sandbox/wasm-memory.ts";

type Exports = Record<string, (...values: unknown[]) => number>;

const resolve = createRequire(import.meta.url).resolve;
const directory = resolve("pyodide/package.json").replace(/package\.json$/, "");

/** What of the WebAssembly API only this needs. */
const { Module, Global } = WebAssembly as unknown as {
	Module: { imports(module: WebAssembly.Module): { module: string; name: string; kind: string }[] };
	Global: new (type: { value: string; mutable: boolean }, value: number) => WebAssembly.Global;
};

/** CPython over the system calls and nothing else: what else the module imports traps. */
export class BootedPython {
	readonly files: GuestFiles;
	readonly calls: Record<string, SystemCall>;
	readonly #exports: Exports;
	readonly #memory: () => GuestMemory;
	#printed = "";

	constructor(options: Partial<GuestFilesOptions> = {}) {
		const started = performance.now();
		this.files = new GuestFiles({
			base: new Map([["/lib/python314.zip", readFileSync(`${directory}python_stdlib.zip`)]]),
			limits: { maxBytes: 32 * 1024 * 1024, maxEntries: 2_000 },
			print: (_fd, bytes) => {
				this.#printed += Buffer.from(bytes).toString("utf8");
			},
			random: randomFillSync,
			now: Date.now,
			...options,
		});
		let memory: GuestMemory | undefined;
		this.#memory = () => memory as GuestMemory;
		this.calls = createSystemCalls({
			memory: this.#memory,
			files: this.files,
			clock: { wallMs: Date.now, monotonicMs: () => performance.now() - started },
			environment: ["PYTHONHOME=/", "PYTHONHASHSEED=1", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp"],
			random: randomFillSync,
		});
		const module = new WebAssembly.Module(readFileSync(`${directory}pyodide.asm.wasm`));
		const instance = new WebAssembly.Instance(module, this.#imports(module));
		this.#exports = instance.exports as Exports;
		memory = new GuestMemory((instance.exports as { memory: WebAssembly.Memory }).memory);
		this.#call("__wasm_call_ctors");
		this.#initialize();
	}

	/** Runs a program to its end and answers what it has printed, tracebacks included. */
	run(program: string): string {
		this.#printed = "";
		this.#call("PyRun_SimpleStringFlags", this.#text(`${program}\nimport sys; sys.stdout.flush(); sys.stderr.flush()`), 0);
		return this.#printed;
	}

	#initialize(): void {
		const config = this.#call("PyInitConfig_Create");
		for (const [name, value] of Object.entries({ site_import: 0, write_bytecode: 0, utf8_mode: 1, install_signal_handlers: 0 }))
			this.#call("PyInitConfig_SetInt", config, this.#text(name), BigInt(value));
		this.#call("PyInitConfig_SetStr", config, this.#text("home"), this.#text("/"));
		if (this.#call("Py_InitializeFromInitConfig", config) < 0) throw new Error("Python does not start.");
	}

	#call(name: string, ...values: unknown[]): number {
		const call = this.#exports[name];
		if (!call) throw new Error(`The module has no ${name}.`);
		return call(...values);
	}

	#text(text: string): number {
		const bytes = Buffer.from(`${text}\0`);
		const address = this.#call("malloc", bytes.length);
		this.#memory().bytes.set(bytes, address);
		return address;
	}

	#imports(module: WebAssembly.Module): WebAssembly.Imports {
		const table = (index: number) =>
			(this.#exports.__indirect_function_table as unknown as WebAssembly.Table).get(index) as (...values: number[]) => number;
		const implemented: Record<string, (...values: never[]) => unknown> = {
			...this.calls,
			saveState: () => null,
			_try_fcntl64: () => 0,
			_maybe_poll_async: () => null,
			_Py_emscripten_runtime: () => 0,
			_Py_CheckEmscriptenSignals_Helper: () => 0,
			_emscripten_get_progname: () => undefined,
			__hiwire_deduplicate_new: () => null,
			JsvError_Check: () => 0,
			hiwire_invalid_ref_js: () => undefined,
			emscripten_get_heap_max: () => 1 << 30,
			emscripten_resize_heap: (bytes: number) => {
				const { memory } = this.#memory();
				memory.grow(Math.ceil(((bytes >>> 0) - memory.buffer.byteLength) / 65_536));
				return 1;
			},
			_PyEM_TrampolineCall_JS: (index: number, ...values: number[]) => table(index)(...values),
		};
		const imports: WebAssembly.Imports = {};
		for (const { module: from, name, kind } of Module.imports(module)) {
			imports[from] ??= {};
			imports[from][name] =
				kind === "global"
					? new Global({ value: "i32", mutable: true }, 0)
					: (implemented[name] ??
						(() => {
							throw new Error(`${name} is not there.`);
						}));
		}
		return imports;
	}
}
