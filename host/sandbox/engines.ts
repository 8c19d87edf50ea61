import { readFileSync } from "node:fs";
import { limitDefinitions } from "../contract/limits.ts";
import { programFiles } from "../program-files.ts";
import type { EngineName } from "./engine.ts";
import type { GuestEngine, PreparedEngine } from "./guest-engine.ts";
import type { ImagePlace } from "./image-file.ts";
import { createQuickJsWasi, prepareQuickJsWasi } from "./quickjs-wasi.ts";

export interface EngineOptions {
	/** What another thread's engine of the same name has in `prepared`; without it the engine is compiled and the prelude evaluated. */
	readonly prepared?: PreparedEngine;
	/** Source of the guest's prelude; the generated one unless a test brings its own. */
	readonly prelude?: string;
	/** Where the engine's image may lie ready. */
	readonly images?: ImagePlace;
	/** The file of Python's image, for that engine. */
	readonly pythonImage?: string;
	/** The module of that image, when another thread has compiled it. */
	readonly pythonModule?: WebAssembly.Module;
	/** Memory limit of the runs to be ready for. */
	readonly maxMemoryBytes?: number;
}

export type PythonOptions = Pick<EngineOptions, "pythonImage" | "pythonModule">;

/** Makes an engine with one instance ready to run. Throws an Error when the engine's binary is not the reviewed one. */
export async function createEngine(name: EngineName, options: EngineOptions = {}): Promise<GuestEngine> {
	const engine = await create(name, options);
	engine.warm(options.maxMemoryBytes ?? limitDefinitions.maxMemoryBytes.default);
	return engine;
}

/** The engines of one thread: the first one, and others, which are made when a run asks for them and kept. */
export function engineChoice(
	first: GuestEngine,
	options: Pick<EngineOptions, "images">,
): (name: EngineName, python?: PythonOptions) => GuestEngine | Promise<GuestEngine> {
	const engines = new Map([[first.name, first]]);
	return (name, python = {}) =>
		engines.get(name) ??
		createEngine(name, { ...options, ...python }).then((engine) => {
			engines.set(name, engine);
			return engine;
		});
}

async function create(name: EngineName, options: EngineOptions): Promise<GuestEngine> {
	const { prepared, prelude, images, pythonImage, pythonModule } = options;
	if (prepared && prepared.name !== name) throw new Error(`An engine prepared for ${prepared.name} cannot be ${name}.`);
	const source = (): string => prelude ?? readFileSync(programFiles.prelude, "utf8");
	if (name === "quickjs-wasi") return createQuickJsWasi(prepared ?? prepareQuickJsWasi(source, images));
	if (name === "python") {
		const { createPython } = await import("./python/engine.ts");
		return createPython(requireImage(pythonImage), pythonModule);
	}
	// Loaded only when it is asked for: most processes never use the second engine.
	const { createQuickJsEmscripten, prepareQuickJsEmscripten } = await import("./quickjs-emscripten.ts");
	return createQuickJsEmscripten(prepared ?? prepareQuickJsEmscripten(source, images));
}

function requireImage(file: string | undefined): string {
	if (file === undefined) throw new Error("Python's engine needs the file of its image.");
	return file;
}
