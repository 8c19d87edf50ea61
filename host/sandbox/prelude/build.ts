import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

/** Where the built prelude is kept. */
export const preludePath = join(here, "../generated/prelude.js");

/** Bundles the guest's prelude into one classic script. The same sources give the same bytes. */
export async function buildPrelude(): Promise<string> {
	const { outputFiles } = await build({
		entryPoints: [join(here, "main.ts")],
		absWorkingDir: join(here, "../../.."),
		bundle: true,
		format: "iife",
		platform: "neutral",
		mainFields: ["module", "main"],
		// What QuickJS-ng has; it knows no private name checks that would need lowering.
		target: "es2023",
		minify: true,
		charset: "ascii",
		legalComments: "inline",
		sourcemap: false,
		write: false,
		logLevel: "silent",
		banner: { js: "// Generated from host/sandbox/prelude/ by `npm run generate`. Do not edit." },
	});
	return (outputFiles[0] as { text: string }).text;
}

/** Builds the prelude and writes it to its place. */
export async function writePrelude(): Promise<void> {
	await writeFile(preludePath, await buildPrelude());
}
