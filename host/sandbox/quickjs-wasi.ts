import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { GuestEngine, type PreparedEngine } from "./guest-engine.ts";
import { toInstance } from "./guest-run.ts";
import { type ImagePlace, keptEngine, programSources } from "./image-file.ts";
import { quickJsWasiExports } from "./quickjs-wasi-exports.ts";
import { glueUrl, QuickJsWasiGuest } from "./quickjs-wasi-guest.ts";
import { requireDigest, rewriteModule } from "./wasm-module.ts";

const file = "quickjs-wasi/quickjs.wasm";
/** quickjs-wasi 3.6.2, QuickJS-ng 0.17. */
const reviewedSha256 = "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9";
/** Enough for the prelude, whatever the limits of the runs that follow. */
const bootPages = 512;

/** Compiles the engine and evaluates the prelude. Throws an Error when the engine is not the reviewed one or the prelude fails. */
export function prepareQuickJsWasi(prelude: () => string, images?: ImagePlace): PreparedEngine {
	const parts = (): string[] => [reviewedSha256, ...programSources(glueUrl), prelude()];
	const { binary, minimumPages, image } = keptEngine("quickjs-wasi", parts, images, () => {
		const bytes = readFileSync(createRequire(import.meta.url).resolve(file));
		requireDigest(bytes, file, reviewedSha256);
		const rewritten = rewriteModule(bytes, { exports: quickJsWasiExports, memoryImport: ["env", "memory"] });
		const { minimumPages } = rewritten;
		const module = new WebAssembly.Module(rewritten.bytes);
		const image = QuickJsWasiGuest.boot({ module, minimumPages, maximumPages: bootPages }, prelude());
		return { binary: rewritten.bytes, minimumPages, image };
	});
	return { name: "quickjs-wasi", module: new WebAssembly.Module(binary), minimumPages, image };
}

export function createQuickJsWasi(prepared: PreparedEngine): GuestEngine {
	const { module, minimumPages, image } = prepared;
	return new GuestEngine(prepared, (maximumPages) =>
		toInstance(QuickJsWasiGuest.create({ module, minimumPages, maximumPages }, image)),
	);
}
