// The part of the WebAssembly JavaScript API that the engines use: TypeScript has it only in its library for browsers.

declare namespace WebAssembly {
	type ImportValue = Memory | Table | Global | object | ((...args: never[]) => unknown);
	type Imports = Record<string, Record<string, ImportValue>>;

	class Module {
		constructor(bytes: BufferSource);
		static imports(module: Module): { module: string; name: string; kind: string }[];
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
		constructor(descriptor: { value: "i32"; mutable: boolean }, value: number);
		value: number;
	}

	/** Makes of a function that returns a promise an import that suspends the module's stack until the promise has settled. */
	const Suspending: (new (call: (...args: never[]) => unknown) => object) | undefined;
	/** Makes of an export, whose stack can be suspended, a function that returns a promise. */
	const promising: ((exported: unknown) => (...args: number[]) => Promise<number>) | undefined;

	class RuntimeError extends Error {}
}

type BufferSource = ArrayBuffer | ArrayBufferView;
