import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { GuestEngine, type PreparedEngine } from "./guest-engine.ts";
import { toInstance } from "./guest-run.ts";
import { type ImagePlace, keptEngine, programSources } from "./image-file.ts";
import { exportLetters, tableExport } from "./quickjs-emscripten-exports.ts";
import { glueUrl, QuickJsEmscriptenGuest } from "./quickjs-emscripten-guest.ts";
import { requireDigest, rewriteModule } from "./wasm-module.ts";

const file = "@jitl/quickjs-ng-wasmfile-release-sync/wasm";
/** quickjs-emscripten 0.32.0, QuickJS-ng 0.12.1. */
const reviewedSha256 = "b56fe5094b8751c47b8c32fb5ed4d75afe2dbb43412d3d983ac5d1156af456da";
const bootPages = 512;
/** Static data and stack of the module, and a little heap; it would ask for 16 MiB, more than the least memory limit. */
const minimumPages = 96;

/** (module (import "m" "f" (func (param i32 i64 i64 i32 i32))) (export "f" (func 0))) */
const trackerBytes = Uint8Array.from([
	0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x09, 0x01, 0x60, 0x05, 0x7f, 0x7e, 0x7e, 0x7f, 0x7f, 0x00, 0x02, 0x07,
	0x01, 0x01, 0x6d, 0x01, 0x66, 0x00, 0x00, 0x07, 0x05, 0x01, 0x01, 0x66, 0x00, 0x00,
]);

/** Compiles the engine and evaluates the prelude. Throws an Error when the engine is not the reviewed one or the prelude fails. */
export function prepareQuickJsEmscripten(prelude: () => string, images?: ImagePlace): PreparedEngine {
	const parts = (): string[] => [reviewedSha256, ...programSources(glueUrl), prelude()];
	const { binary, image } = keptEngine("quickjs-emscripten", parts, images, () => {
		const bytes = readFileSync(createRequire(import.meta.url).resolve(file));
		requireDigest(bytes, file, reviewedSha256);
		const { bytes: binary } = rewriteModule(bytes, { exports: Object.values(exportLetters), minimumPages, tableExport });
		const module = new WebAssembly.Module(binary);
		const parts = { module, trackerModule: trackerModule(), minimumPages, maximumPages: bootPages };
		return { binary, minimumPages, image: QuickJsEmscriptenGuest.boot(parts, prelude()) };
	});
	return { name: "quickjs-emscripten", module: new WebAssembly.Module(binary), minimumPages, image };
}

export function createQuickJsEmscripten({ name, module, image }: PreparedEngine): GuestEngine {
	const tracker = trackerModule();
	return new GuestEngine({ name, module, minimumPages, image }, (maximumPages) =>
		toInstance(QuickJsEmscriptenGuest.create({ module, trackerModule: tracker, minimumPages, maximumPages }, image)),
	);
}

const trackerModule = (): WebAssembly.Module => new WebAssembly.Module(trackerBytes);
