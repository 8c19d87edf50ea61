import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { type ImportedFunction, RefusedImport, sealImports } from "../../../host/sandbox/python/imports.ts";
import { createSystemCalls } from "../../../host/sandbox/python/system-calls.ts";
import { GuestMemory } from "../../../host/sandbox/wasm-memory.ts";
import { createGuestFiles } from "./guest-files.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const binary = readFileSync(createRequire(import.meta.url).resolve("pyodide/pyodide.asm.wasm"));
const module = new WebAssembly.Module(binary);

type Call = (...args: unknown[]) => unknown;

describe("the imports of CPython's module", () => {
	test("are all known, and none is a function of pyodide's JavaScript", () => {
		const imports = sealImports(module, implementedAsTraps(), memory);
		const named = WebAssembly.Module.imports(module);
		for (const { module: from, name, kind } of named) {
			const given = imports[from]?.[name];
			if (kind === "function") expect(given, name).toBeTypeOf("function");
			else expect(given, name).toBeInstanceOf(WebAssembly.Global);
		}
	});

	test("that reach for JavaScript, libffi or the debugger end the run", () => {
		const env = sealImports(module, implementedAsTraps(), memory).env as Record<string, Call>;
		for (const name of [
			"raw_call_js",
			"JsvFunction_CallBound",
			"emscripten_asm_const_int",
			"ffi_call_js",
			"emscripten_debugger",
			"pyodide_js_init",
		])
			expect(env[name], name).toThrow(RefusedImport);
	});

	test("that are system calls of sockets, pipes, other processes and mapped files fail", () => {
		const calls = createSystemCalls({
			memory: () => new GuestMemory(memory),
			files: createGuestFiles({}),
			clock: { wallMs: Date.now, monotonicMs: performance.now },
			environment: [],
			random: (bytes) => bytes,
		}) as Record<string, ImportedFunction>;
		const env = sealImports(module, { ...implementedAsTraps(), ...calls }, memory).env as Record<string, Call>;
		const [unsupportedFamily, missing, noDevice] = [-5, -52, -43];
		for (const [name, answer] of Object.entries({
			__syscall_socket: unsupportedFamily,
			__syscall_connect: missing,
			__syscall_pipe: missing,
			_emscripten_system: missing,
			_mmap_js: noDevice,
		}))
			expect(env[name]?.(0, 0, 0), name).toBe(answer);
		expect(env._dlopen_js?.(0)).toBe(0);
	});

	test.each([
		["a function", "function", functionImport("env", "emscripten_run_script")],
		["a function by the name of a property that every object has", "function", functionImport("env", "constructor")],
		["a function of another module", "function", functionImport("wasi_snapshot_preview1", "sock_accept")],
		["an address that is not of a function left out", "global", globalImport("GOT.mem", "secret")],
	])("fail the module's start when %s is not known, and name it", (_what, kind, bytes) => {
		const unknown = new WebAssembly.Module(bytes);
		const [{ module: from, name } = { module: "", name: "" }] = WebAssembly.Module.imports(unknown);
		expect(() => sealImports(unknown, {}, memory)).toThrow(`imports the ${kind} ${from}.${name}, which nobody has reviewed`);
	});
});

test("the reviewed module and library are those that are installed", () => {
	const library = readFileSync(createRequire(import.meta.url).resolve("pyodide/python_stdlib.zip"));
	const parts = readFileSync(new URL("../../../host/sandbox/python/parts.ts", import.meta.url), "utf8");
	for (const bytes of [binary, library]) expect(parts).toContain(createHash("sha256").update(bytes).digest("hex"));
});

/** What the engine implements does not matter here. */
function implementedAsTraps(): Record<string, () => never> {
	const names = WebAssembly.Module.imports(module).map(({ name }) => name);
	const sealed = (name: string): boolean => {
		const one = new WebAssembly.Module(functionImport("env", name));
		try {
			sealImports(one, {}, memory);
			return true;
		} catch {
			return false;
		}
	};
	const rest = names.filter((name) => !sealed(name));
	return Object.fromEntries(
		rest.map((name) => [
			name,
			() => {
				throw new Error(name);
			},
		]),
	);
}

function importSection(entry: number[], from: string, name: string, types: number[]): Uint8Array<ArrayBuffer> {
	const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
	const content = [1, ...text(from), ...text(name), ...entry];
	return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...types, 2, content.length, ...content]);
}

/** A module that imports a function without parameters, and nothing else. */
function functionImport(from: string, name: string): Uint8Array<ArrayBuffer> {
	return importSection([0, 0], from, name, [1, 4, 1, 0x60, 0, 0]);
}

function globalImport(from: string, name: string): Uint8Array<ArrayBuffer> {
	return importSection([3, 0x7f, 1], from, name, []);
}
