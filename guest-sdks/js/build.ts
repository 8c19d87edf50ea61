/**
 * Makes `dist/`: what is published. One file for each module and module system that needs no other, because a script may take it along to another
 * machine.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";

const outdir = resolve(process.argv[2] ?? join(import.meta.dirname, "dist"));
const source = (name: string): string => join(import.meta.dirname, "src", name);
const common: BuildOptions = { bundle: true, platform: "node", target: "node18", logLevel: "warning", legalComments: "none" };

await rm(outdir, { recursive: true, force: true });
const worker = await build({ ...common, entryPoints: [source("sync-worker.ts")], format: "cjs", minify: true, write: false });
for (const [format, extension] of [
	["esm", ".js"],
	["cjs", ".cjs"],
] as const)
	await build({
		...common,
		entryPoints: { index: source("index.ts"), sync: source("sync.ts") },
		outdir,
		outExtension: { ".js": extension },
		format,
		define: {
			CRONIUM_SYNC_WORKER: JSON.stringify(worker.outputFiles[0]?.text),
			// Only a clone looks for a file beside this one.
			...(format === "cjs" && { "import.meta.url": '""' }),
		},
	});

const read = (name: string): Promise<string> => readFile(join(import.meta.dirname, name), "utf8");
const client = (await read("client.d.ts")).replace(/^\/\/.*\n/, "");
const sync = client
	.replaceAll("createClient", "createSyncClient")
	.replaceAll("await client", "client")
	.replaceAll("Client = ", "SyncClient = ")
	.replace("): Client;", "): SyncClient;")
	.replace("Closes the connections. Without it they close with the process.", "Ends the thread that waits, and its connections.");
for (const [name, text] of [
	["index", (await read("cronium.d.ts")) + client],
	["sync", (await read("cronium-sync.d.ts")) + sync],
] as const)
	for (const extension of [".d.ts", ".d.cts"]) await writeFile(join(outdir, name + extension), text);
