import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bindOperations } from "./bind.ts";
import { readContract } from "./contract.ts";
import { emitCodec } from "./emit-codec.ts";
import { emitOpenapi } from "./emit-openapi.ts";
import { emitGuestOperations, emitOperations } from "./emit-operations.ts";
import { emitSchemas } from "./emit-schemas.ts";
import { type BashParts, emitBash } from "./emit-sdk-bash.ts";
import { emitJavascriptCalls, emitJavascriptSyncTypes, emitJavascriptTypes } from "./emit-sdk-javascript.ts";
import { emitPythonCalls, emitPythonContract, emitPythonFunctions, emitPythonGuestOperations } from "./emit-sdk-python.ts";
import { emitTypes } from "./emit-types.ts";
import { type OperationBinding, operationBindings } from "./operations.ts";
import { WitError } from "./syntax.ts";

/** The root of the repository: nothing here depends on the working directory. */
const root = dirname(import.meta.dirname);
const contractDirectory = "host/contract/generated";
const preludeFile = "host/sandbox/generated/prelude.js";

/** A generated file: its path from the root, and its text. */
export interface GeneratedFile {
	readonly path: string;
	readonly text: string;
}

/** Everything that the WIT files in `directory` determine. Throws a WitError when they or the tables beside them are wrong. */
export function generateContract(
	directory: string,
	bindings: Readonly<Record<string, OperationBinding>> = operationBindings,
): readonly GeneratedFile[] {
	const contract = readContract(directory);
	const operations = bindOperations(contract, bindings);
	return [
		{ path: `${contractDirectory}/types.ts`, text: emitTypes(contract) },
		{ path: `${contractDirectory}/operations.ts`, text: emitOperations(operations) },
		{ path: `${contractDirectory}/guest-operations.ts`, text: emitGuestOperations(operations) },
		{ path: `${contractDirectory}/codec.ts`, text: emitCodec(operations) },
		{ path: `${contractDirectory}/schemas.ts`, text: emitSchemas(contract, operations) },
		{ path: "guest-sdks/openapi.json", text: emitOpenapi(contract, operations) },
		{ path: "guest-sdks/js/cronium.d.ts", text: emitJavascriptTypes(contract, operations) },
		{ path: "guest-sdks/js/cronium-sync.d.ts", text: emitJavascriptSyncTypes(contract, operations) },
		{ path: "guest-sdks/js/src/generated/calls.ts", text: emitJavascriptCalls(operations) },
		...["", "_aio"].flatMap((twin) => [
			{ path: `guest-sdks/python/cronium/${twin}_calls.py`, text: emitPythonCalls(operations, twin !== "") },
			{ path: `guest-sdks/python/cronium/${twin}_functions.py`, text: emitPythonFunctions(operations, twin !== "") },
		]),
		{ path: "guest-sdks/python/cronium/_contract.py", text: emitPythonContract(contract, operations) },
		{ path: "host/sandbox/python/guest/_cronium_operations.py", text: emitPythonGuestOperations(operations) },
		{ path: "guest-sdks/bash/cronium.sh", text: emitBash(contract, operations, readBashParts()) },
	];
}

/** What is written by hand of the Bash SDK, which is one file. */
function readBashParts(): BashParts {
	const read = (name: string): string => readFileSync(join(root, "guest-sdks/bash/src", `${name}.sh`), "utf8");
	return { json: read("json"), transport: read("transport"), stub: read("stub") };
}

/** What differs between `files` and the tree under `target`, one line a file; empty when all is fresh. */
export function describeStale(files: readonly GeneratedFile[], target: string): readonly string[] {
	const stale = files.flatMap(({ path, text }) => {
		const file = join(target, path);
		if (!existsSync(file)) return [`${path} is missing`];
		const difference = firstDifference(readFileSync(file, "utf8"), text);
		return difference === undefined ? [] : [`${path} ${difference}`];
	});
	const directory = join(target, contractDirectory);
	const unknown = (existsSync(directory) ? readdirSync(directory) : [])
		.map((name) => `${contractDirectory}/${name}`)
		.filter((path) => !files.some((file) => file.path === path))
		.map((path) => `${path} is not generated any more`);
	return [...stale, ...unknown];
}

function firstDifference(found: string, expected: string): string | undefined {
	if (found === expected) return undefined;
	const foundLines = found.split("\n");
	const expectedLines = expected.split("\n");
	const at = expectedLines.findIndex((line, index) => line !== foundLines[index]);
	const line = at === -1 ? expectedLines.length : at;
	return `differs at line ${line + 1}\n  - ${clip(foundLines[line])}\n  + ${clip(expectedLines[line])}`;
}

function clip(line: string | undefined): string {
	if (line === undefined) return "(end of file)";
	return line.length > 120 ? `${line.slice(0, 120)}…` : line;
}

/**
 * The script that every sandbox evaluates first. It is bundled from the generated contract, so its builder is loaded when
 * that is written: it must not see the one of before.
 */
async function generatePrelude(): Promise<GeneratedFile> {
	const { buildPrelude } = await import("../host/sandbox/prelude/build.ts");
	return { path: preludeFile, text: await buildPrelude() };
}

function write(files: readonly GeneratedFile[], target: string): void {
	for (const { path, text } of files) {
		const file = join(target, path);
		if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
		mkdirSync(dirname(file), { recursive: true });
		writeFileSync(file, text);
		console.log(`wrote ${path}`);
	}
}

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: { check: { type: "boolean", default: false }, wit: { type: "string", default: import.meta.dirname } },
	});
	const contract = generateContract(resolve(values.wit));
	if (!values.check) {
		write(contract, root);
		write([await generatePrelude()], root);
		return;
	}
	const stale = describeStale([...contract, await generatePrelude()], root);
	if (stale.length === 0) return;
	console.error(`${stale.join("\n")}\nRun "npm run generate" and commit the result.`);
	process.exitCode = 1;
}

if (import.meta.main) {
	try {
		await main();
	} catch (error) {
		if (!(error instanceof WitError)) throw error;
		console.error(error.message);
		process.exitCode = 1;
	}
}
