// The part of the WebAssembly JavaScript API that the engines use: TypeScript has it only in its library for browsers.

declare namespace WebAssembly {
	type ImportValue = Memory | Table | Global | ((...args: never[]) => unknown);
	type Imports = Record<string, Record<string, ImportValue>>;

	class Module {
		constructor(bytes: BufferSource);
	}

	class Instance {
		constructor(module: Module, imports?: Imports);
		readonly exports: Record<string, unknown>;
	}

	class Memory {
		constructor(descriptor: { initial: number; maximum?: number });
		readonly buffer: ArrayBuffer;
		grow(pages: number): number;
	}

	class Table {
		readonly length: number;
		get(index: number): unknown;
		set(index: number, value: unknown): void;
		grow(delta: number): number;
	}

	class Global {
		value: number;
	}

	class RuntimeError extends Error {}
}

type BufferSource = ArrayBuffer | ArrayBufferView;
