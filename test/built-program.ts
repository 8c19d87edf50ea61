import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("..", import.meta.url));
const builds = join(repository, "node_modules", ".cache", "built-programs");

/** Where the program is that tests start as processes; test/setup.ts makes it. */
export const programVariable = "CRONIUM_TEST_PROGRAM";

/** The directory of the built program. */
export function builtProgram(): string {
	const directory = process.env[programVariable];
	if (directory === undefined) throw new Error(`${programVariable} is not set: tests of the command line are run by vitest.`);
	return directory;
}

/** What a build is made of, and all that is beside it in the published package. */
const sources = [
	"bin",
	"host",
	"sidecar",
	"ssh-bridge",
	"guest-sdks",
	"images",
	"build.ts",
	"build-agent.ts",
	"package.json",
	"package-lock.json",
];
const published = [
	"bin",
	"images",
	"package.json",
	...["js/package.json", "js/cronium.d.ts", "python/cronium", "bash"].map((name) => `guest-sdks/${name}`),
];

/**
 * Builds the program as it is published, once for the same sources. Hundreds of tests start it: as one that is bundled, it takes a third less of a processor
 * than a clone's. What is in the package, and what only a clone does, have tests of their own.
 */
export function buildProgram(): string {
	const directory = join(builds, hashSources());
	if (!existsSync(directory)) {
		removeOldBuilds();
		// Where scripts find the packages that the program needs: below `node_modules`, its parents have them.
		const draft = `${directory}-${process.pid}`;
		mkdirSync(draft, { recursive: true });
		for (const name of published) cpSync(join(repository, name), join(draft, name), { recursive: true });
		const run = (script: string, outdir: string): void =>
			void execFileSync(process.execPath, [join(repository, script), join(draft, outdir)]);
		run("build.ts", "dist");
		run("guest-sdks/js/build.ts", "guest-sdks/js/dist");
		try {
			renameSync(draft, directory);
		} catch {
			// Another run of the suite was quicker.
			rmSync(draft, { recursive: true });
		}
	}
	return directory;
}

function hashSources(): string {
	const hash = createHash("sha256").update(process.version);
	for (const name of sources) {
		const files = statSync(join(repository, name), { throwIfNoEntry: false })?.isDirectory()
			? globSync("**/*", { cwd: join(repository, name), exclude: ["**/node_modules", "**/__pycache__", "**/dist"] }).map((file) =>
					join(name, file),
				)
			: [name];
		for (const file of files.sort()) {
			const path = join(repository, file);
			if (statSync(path, { throwIfNoEntry: false })?.isFile()) hash.update(`${file}\0`).update(readFileSync(path)).update("\0");
		}
	}
	return hash.digest("hex").slice(0, 16);
}

/** Those of sources of another day: another run of the suite may use what is younger. */
function removeOldBuilds(): void {
	if (!existsSync(builds)) return;
	for (const name of readdirSync(builds)) {
		const path = join(builds, name);
		if (Date.now() - statSync(path).mtimeMs > 86_400_000) rmSync(path, { recursive: true, force: true });
	}
}
