import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { programFiles } from "../../program-files.ts";
import type { GuestFile } from "../engine.ts";
import { programSources } from "../image-file.ts";
import { requireDigest } from "../wasm-module.ts";
import { pythonPaths } from "./paths.ts";

/** pyodide 314.0.7: CPython 3.14.2. Its JavaScript is not loaded; what its module imports is said in imports.ts. */
const reviewed = {
	"pyodide/pyodide.asm.wasm": "cc36e3cab04fdfc9a63ff13eb52eae2b911bf46c025cc7b281f394bd3de1d5e6",
	"pyodide/python_stdlib.zip": "fa1957e5777068fc4f7437f96d860ae2fbe9c19732ba06c84e004ec16dd7dd7a",
} as const;

/** Where Debian and most others keep the rules of time zones. */
const zoneDirectory = "/usr/share/zoneinfo";
/** Other forms of the same zones, and what is no zone. */
const otherForms = ["posix", "right", "posixrules", "localtime", "Etc/localtime"];
/** `TZif`, with which every file of a zone begins. */
const zoneMark = Buffer.from("TZif");

/** The bytes of a reviewed file. Throws an Error when it is another one. */
export function readReviewed(file: keyof typeof reviewed): Buffer<ArrayBuffer> {
	const bytes = readFileSync(createRequire(import.meta.url).resolve(file));
	requireDigest(bytes, file, reviewed[file]);
	return bytes;
}

/** What every Python finds in its file system: the standard library, what runs scripts, the SDK, and the machine's time zones. */
export function readPythonFiles(): GuestFile[] {
	return [
		{ path: pythonPaths.standardLibrary, content: readReviewed("pyodide/python_stdlib.zip") },
		...readGuestSources(),
		...readSdk(),
		...readZones(),
	];
}

/** Everything that an image depends on: the reviewed files by their digests, the program that makes it, the guest's sources, and the version of the zones. */
export function describeParts(): string[] {
	const sources = [...readGuestSources(), ...readSdk()];
	return [
		...Object.values(reviewed),
		...readMaker(),
		...sources.flatMap(({ path, content }) => [path, Buffer.from(content).toString("latin1")]),
		describeZones(),
	];
}

/** A bundle names the chunks that it imports by their content; a clone has sources here and in the directory above. */
function readMaker(): readonly string[] {
	const { href } = programFiles.pythonImageMaker;
	const above = href.endsWith(".ts") ? programSources(new URL("../engine.ts", href).href) : [];
	return [...programSources(href), ...above];
}

const readGuestSources = (): GuestFile[] => readSources(fileURLToPath(programFiles.pythonGuest), pythonPaths.guest);

const readSdk = (): GuestFile[] =>
	readSources(join(fileURLToPath(programFiles.sdks), "python/cronium"), `${pythonPaths.sdk}/cronium`);

/** A text that changes with the zones. Their rules in one file are there where the zones are Debian's; elsewhere the time of the last change has to do. */
function describeZones(): string {
	try {
		return readFileSync(join(zoneDirectory, "tzdata.zi"), "latin1");
	} catch {
		return String(statSync(zoneDirectory, { throwIfNoEntry: false })?.mtimeMs);
	}
}

function readSources(directory: string, to: string): GuestFile[] {
	const names = readdirSync(directory).filter((name) => name.endsWith(".py"));
	return names.sort().map((name) => ({ path: `${to}/${name}`, content: readFileSync(join(directory, name)) }));
}

/** The machine's zones; none on one that has none, where `zoneinfo` knows UTC only. */
function readZones(): GuestFile[] {
	const zones: GuestFile[] = [];
	const read = (name: string): void => {
		for (const entry of readdirSync(join(zoneDirectory, name), { withFileTypes: true })) {
			const path = name === "" ? entry.name : `${name}/${entry.name}`;
			if (otherForms.includes(path)) continue;
			if (entry.isDirectory()) read(path);
			else {
				const content = readFileSync(join(zoneDirectory, path));
				if (content.subarray(0, zoneMark.length).equals(zoneMark)) zones.push({ path: `${zoneDirectory}/${path}`, content });
			}
		}
	};
	try {
		read("");
	} catch {
		return [];
	}
	return zones.sort((a, b) => (a.path < b.path ? -1 : 1));
}
