#!/usr/bin/env node
// Starts the command line: checks the version of Node, turns the compile cache on, and hands over. Plain JavaScript that Node 14 still parses.
import { chmodSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const oldestNode = 24;
const packageDirectory = fileURLToPath(new URL("..", import.meta.url));

if (Number(process.versions.node.split(".")[0]) < oldestNode) startWithPinnedNode();
else start();

async function start() {
	const cache = prepareCompileCache();
	if (cache) nodeModule.enableCompileCache(cache);
	// A clone has sources, and what was built from them once may be old; the published package has only what was built.
	const source = join(packageDirectory, "host", "cli", "main.ts");
	const entry = existsSync(source) ? source : join(packageDirectory, "dist", "cli.js");
	const { main } = await import(pathToFileURL(entry).href);
	main(process.argv.slice(2));
}

/** A clone brings a Node of its own as a dev dependency. */
async function startWithPinnedNode() {
	const pinned = join(packageDirectory, "node_modules", "node", "bin", "node");
	if (!existsSync(pinned) || process.env.CRONIUM_RESTARTED) {
		console.error(`cronium: Node ${process.versions.node} is too old; version ${oldestNode} or newer is needed.`);
		process.exit(125);
	}
	const { spawn } = await import("node:child_process");
	const child = spawn(pinned, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
		stdio: "inherit",
		env: { ...process.env, CRONIUM_RESTARTED: "1" },
	});
	// A terminal sends Ctrl-C to both of us, and a second one would end the child at once.
	const fromTerminal = process.stdin.isTTY || process.stderr.isTTY;
	process.on("SIGINT", () => fromTerminal || child.kill("SIGINT"));
	process.on("SIGTERM", () => child.kill("SIGTERM"));
	child.on("error", ({ code }) => {
		console.error(`cronium: ${pinned} cannot be started: ${code}.`);
		process.exit(125);
	});
	child.on("exit", (status, signal) => process.exit(signal ? 130 : status));
}

/**
 * Compiled code is cached in a directory that only this user can open, because whoever can write there runs code as this user. Without
 * such a directory there is no cache.
 */
function prepareCompileCache() {
	if (process.env.NODE_COMPILE_CACHE || process.env.NODE_DISABLE_COMPILE_CACHE) return undefined;
	try {
		const { XDG_CACHE_HOME: given } = process.env;
		const directory = join(given && isAbsolute(given) ? given : join(homedir(), ".cache"), "cronium");
		mkdirSync(directory, { recursive: true, mode: 0o700 });
		const stats = lstatSync(directory);
		if (!stats.isDirectory() || (process.getuid && stats.uid !== process.getuid())) return undefined;
		if (process.platform !== "win32" && stats.mode & 0o077) chmodSync(directory, 0o700);
		return directory;
	} catch {
		return undefined;
	}
}
