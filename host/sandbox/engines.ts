import { readFileSync } from "node:fs";
import { limitDefinitions } from "../contract/limits.ts";
import type { EngineName } from "./engine.ts";
import type { GuestEngine, PreparedEngine } from "./guest-engine.ts";
import { createQuickJsWasi, prepareQuickJsWasi } from "./quickjs-wasi.ts";

export interface EngineOptions {
	/** What another thread's engine of the same name has in `prepared`; without it the engine is compiled and the prelude evaluated. */
	readonly prepared?: PreparedEngine;
	/** Source of the guest's prelude; the generated one unless a test brings its own. */
	readonly prelude?: string;
	/** Memory limit of the runs to be ready for. */
	readonly maxMemoryBytes?: number;
}

/** Makes an engine with one instance ready to run. Throws an Error when the engine's binary is not the reviewed one. */
export async function createEngine(name: EngineName, options: EngineOptions = {}): Promise<GuestEngine> {
	const prelude = (): string => options.prelude ?? readFileSync(new URL("./generated/prelude.js", import.meta.url), "utf8");
	const engine = await create(name, options.prepared, prelude);
	engine.warm(options.maxMemoryBytes ?? limitDefinitions.maxMemoryBytes.default);
	return engine;
}

async function create(name: EngineName, prepared: PreparedEngine | undefined, prelude: () => string): Promise<GuestEngine> {
	if (prepared && prepared.name !== name) throw new Error(`An engine prepared for ${prepared.name} cannot be ${name}.`);
	if (name === "quickjs-wasi") return createQuickJsWasi(prepared ?? prepareQuickJsWasi(prelude()));
	// Loaded only when it is asked for: most processes never use the second engine.
	const { createQuickJsEmscripten, prepareQuickJsEmscripten } = await import("./quickjs-emscripten.ts");
	return createQuickJsEmscripten(prepared ?? (await prepareQuickJsEmscripten(prelude())));
}
