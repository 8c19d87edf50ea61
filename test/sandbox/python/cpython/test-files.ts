import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GuestFile } from "../../../../host/sandbox/engine.ts";

/** The sandbox has it in C only; the tests compare the two. */
const pureDecimal = "_pydecimal.py";

/** Skips the whole package without sockets, which few of its tests need. */
const refusing = "test/test_asyncio/__init__.py";

/** What all modules need: what supports them, and data. */
const shared = /^test\/(?:__init__\.py|support\/.*\.py|(?:math|decimaltest)data\/.*|[a-z]+tester\.py|[a-z_]+_tests\.py)$/;

/** The files of a module, beside those that all need. */
export function readTests(directory: string, name: string): GuestFile[] {
	const [, top = ""] = name.split(".");
	const files: GuestFile[] = [];
	const read = (path: string): void => {
		for (const entry of readdirSync(join(directory, path), { withFileTypes: true })) {
			const found = join(path, entry.name);
			if (entry.isDirectory() && entry.name !== "__pycache__") read(found);
			else if (found === refusing) continue;
			else if (entry.isFile() && (shared.test(found) || found === `test/${top}.py` || found.startsWith(`test/${top}/`)))
				files.push({ path: found, content: readFileSync(join(directory, found)) });
		}
	};
	read("test");
	const own = join(directory, pureDecimal);
	if (existsSync(own)) files.push({ path: pureDecimal, content: readFileSync(own) });
	return files;
}
