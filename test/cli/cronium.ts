import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { builtProgram } from "../built-program.ts";
import { roomForStart } from "../room-for-start.ts";

export const projectDirectory = fileURLToPath(new URL("../..", import.meta.url));
export const launcher = join(builtProgram(), "bin", "cronium.js");
/** That of the clone, which runs its sources. */
export const cloneLauncher = join(projectDirectory, "bin", "cronium.js");

export interface Ended {
	readonly code: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

export interface CliOptions {
	readonly cwd?: string;
	/** Standard input; empty when not given. */
	readonly stdin?: string;
	readonly env?: Record<string, string>;
	readonly nodeArguments?: readonly string[];
	/** The built program's when not given. */
	readonly launcher?: string;
	/** The user and group that run it; this process's own when not given. */
	readonly identity?: { readonly uid?: number; readonly gid?: number };
	/** Called with everything that is on standard error so far, whenever there is more. */
	readonly onStderr?: (text: string, child: ChildProcess) => void;
}

/** Runs the real command line in a process of its own. */
export function cronium(argv: readonly string[], options: CliOptions = {}): Promise<Ended> {
	return new Promise((resolve, reject) => {
		const { NO_COLOR: _, FORCE_COLOR: __, CRONIUM_DATA: ___, NODE_COMPILE_CACHE: ____, ...env } = process.env;
		const child = spawn(
			process.execPath,
			[roomForStart, ...(options.nodeArguments ?? []), options.launcher ?? launcher, ...argv],
			{
				cwd: options.cwd ?? projectDirectory,
				env: { ...env, ...options.env },
				...options.identity,
			},
		);
		let stdout = "";
		let stderr = "";
		child.stdout.setEncoding("utf8").on("data", (text: string) => {
			stdout += text;
		});
		child.stderr.setEncoding("utf8").on("data", (text: string) => {
			stderr += text;
			options.onStderr?.(stderr, child);
		});
		child.stdin.on("error", () => undefined);
		child.stdin.end(options.stdin ?? "");
		child.on("error", reject);
		child.on("close", (code) => resolve({ code, stdout, stderr }));
	});
}

/** A directory that is removed when the test has finished. */
export function createDirectory(): string {
	const directory = mkdtempSync(join(tmpdir(), "cronium-test-"));
	onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
	return directory;
}

/** Writes files below the directory, with the directories that they are in. */
export function writeFiles(directory: string, files: Readonly<Record<string, string | Uint8Array>>): void {
	for (const [name, content] of Object.entries(files)) {
		mkdirSync(dirname(join(directory, name)), { recursive: true });
		writeFileSync(join(directory, name), content);
	}
}
