import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./directory.ts";

const hasStrace = spawnSync("strace", ["-V"]).status === 0 && spawnSync("strace", ["-e", "trace=none", "true"]).status === 0;

test.skipIf(!hasStrace)(
	"an acknowledgement comes after the file was synchronised and the root page was written synchronously (needs strace)",
	() => {
		const directory = temporaryDirectory();
		try {
			const log = join(directory.path, "calls");
			const child = fileURLToPath(new URL("durability-child.ts", import.meta.url));
			execFileSync("strace", [
				"-f",
				"-qq",
				"-e",
				"trace=openat,fdatasync,pwrite64,pwritev,writev,write",
				"-e",
				"signal=none",
				"-o",
				log,
				process.execPath,
				child,
				join(directory.path, "data"),
			]);
			const lines = readFileSync(log, "utf8").split("\n");
			const files = new Map<string, boolean>();
			for (const line of lines) {
				const opened = /openat\(.*store\.lmdb", (\S+)(?:, \d+)?\) = (\d+)/.exec(line);
				if (opened) files.set(opened[2] as string, (opened[1] as string).includes("SYNC"));
			}
			const synchronous = [...files].filter(([, isSynchronous]) => isSynchronous).map(([file]) => file);
			expect(synchronous).toHaveLength(1);

			for (let round = 0; round < 3; round++) {
				const start = lines.findIndex((line) => line.includes(`"begin ${round}\\n"`));
				const end = lines.findIndex((line) => line.includes(`"acknowledged ${round}\\n"`));
				expect(start).toBeGreaterThan(0);
				expect(end).toBeGreaterThan(start);
				const calls = lines.slice(start, end);
				const pages = calls.findIndex((line) => /(pwrite64|pwritev|writev)\(/.test(line));
				const flushed = calls.findIndex((line) => /fdatasync(\(\d+\)| resumed.*)\s+= 0/.test(line));
				const root = calls.findIndex((line) => line.includes(`pwrite64(${synchronous[0]},`));
				expect(pages).toBeGreaterThanOrEqual(0);
				expect(flushed).toBeGreaterThan(pages);
				expect(root).toBeGreaterThan(flushed);
			}
		} finally {
			directory.remove();
		}
	},
);
