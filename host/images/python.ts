import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { isElf } from "./libraries.ts";
import type { RootTree } from "./root-tree.ts";
import { addSdk, sdkDirectory } from "./sdk-files.ts";
import type { Workplace } from "./workplace.ts";

/** What of the standard library an image does not have: tests, windows, ways to install packages, and what Python itself is built with. */
const leftOut = new RegExp(
	[
		String.raw`(?:^|\/)(?:__pycache__|tests?|idlelib|tkinter|turtledemo|turtle\.py|ensurepip|EXTERNALLY-MANAGED)(?:\/|$)`,
		String.raw`(?:^|\/)(?:site-packages|dist-packages|config-[^/]*)(?:\/|$)`,
		String.raw`(?:^|\/)_(?:tkinter|test|ctypes_test|xxtest)[^/]*\.so$`,
		String.raw`\.(?:exe|a)$`,
	].join("|"),
);

interface Interpreter {
	readonly executable: string;
	readonly prefix: string;
	readonly standardLibrary: string;
	readonly version: string;
	/** In the names of files with bytecode: `cpython-313`. */
	readonly cacheTag: string;
}

/** Adds the machine's Python with its standard library, compiled, and the SDK. Answers the files that need libraries. */
export async function addPython(tree: RootTree, workplace: Workplace): Promise<readonly string[]> {
	const python = await findInterpreter(workplace.signal);
	const { executable, prefix, standardLibrary, version } = python;
	// It finds its library by where it is itself. Only what a distribution has built for /usr is left there.
	const imagePrefix = prefix === "/usr" ? "usr" : "usr/local";
	const below = relative(prefix, standardLibrary);
	if (below.startsWith(".."))
		throw new Error(`The standard library of ${executable} is ${standardLibrary}, which is not in ${prefix}.`);
	const library = join(imagePrefix, below);

	tree.addFile(`${imagePrefix}/bin/python${version}`, executable);
	for (const name of ["python3", "python"]) tree.addLink(`${imagePrefix}/bin/${name}`, `python${version}`);
	tree.addTree(library, standardLibrary, (path) => !leftOut.test(path));
	// What `sysconfig` tells, with the place where this Python is installed.
	for (const [path, source] of tree.filesBelow(library))
		if (/^_sysconfigdata.*\.py$/.test(basename(path)))
			tree.replaceText(path, readFileSync(source, "utf8").replaceAll(prefix, `/${imagePrefix}`));
	// Into the standard library: the one directory for packages in which every Python looks, whoever has built it.
	await addSdk(tree, "python", `${library}/cronium`, workplace);
	await addBytecode(tree, python, library, workplace);
	return [executable, ...tree.filesBelow(library).flatMap(([, file]) => (file.endsWith(".so") && isElf(file) ? [file] : []))];
}

/** The one behind whatever is called `python3`: a version manager's script, a virtual environment. It is asked itself. */
async function findInterpreter(signal: AbortSignal): Promise<Interpreter> {
	const program = `
import json, sys, sysconfig
print(json.dumps({
    "executable": getattr(sys, "_base_executable", sys.executable), "prefix": sys.base_prefix, "standardLibrary": sysconfig.get_path("stdlib"),
    "version": "%d.%d" % sys.version_info[:2], "cacheTag": sys.implementation.cache_tag,
}))`;
	try {
		const { stdout } = await promisify(execFile)("python3", ["-I", "-c", program], { signal });
		const answer = JSON.parse(stdout) as Interpreter;
		return {
			...answer,
			executable: realpathSync(answer.executable),
			prefix: realpathSync(answer.prefix),
			standardLibrary: realpathSync(answer.standardLibrary),
		};
	} catch (cause) {
		const { code, message } = cause as NodeJS.ErrnoException;
		throw new Error(
			code === "ENOENT"
				? "This machine does not have python3, which the image needs."
				: `python3 does not say what it is: ${message}`,
		);
	}
}

/**
 * Bytecode of every module, because a container that is thrown away could never keep what it compiles: without it the start takes three times as long.
 * It is taken without a look at the source's time, which is not that of this machine.
 */
async function addBytecode(
	tree: RootTree,
	{ executable, standardLibrary, cacheTag }: Interpreter,
	library: string,
	{ directory: work, signal }: Workplace,
): Promise<void> {
	const cache = join(work, "bytecode");
	mkdirSync(cache, { recursive: true });
	const modules = tree.filesBelow(library).filter(([path]) => path.endsWith(".py"));
	for (const directory of [standardLibrary, sdkDirectory("python")]) {
		const sources = modules.flatMap(([, source]) => (source.startsWith(`${directory}/`) ? [source] : []));
		await compileModules(executable, sources, ["-s", directory, "-p", `/${library}`], cache, signal);
	}
	for (const [path, source] of modules) {
		const name = `${basename(path, ".py")}.${cacheTag}.pyc`;
		const compiled = join(cache, dirname(source), name);
		if (existsSync(compiled)) tree.addFile(join(dirname(path), "__pycache__", name), compiled);
	}
}

/** A module that cannot be compiled (there are some for other versions) is left to whoever imports it. */
async function compileModules(
	executable: string,
	sources: readonly string[],
	places: readonly string[],
	cache: string,
	signal: AbortSignal,
): Promise<void> {
	const options = ["-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", ...places, "-i", "-"];
	const compiling = promisify(execFile)(executable, options, {
		// In a directory of its own: the current one is where modules are looked for first. The seed makes equal bytes of equal sources.
		cwd: cache,
		signal,
		env: { PYTHONPYCACHEPREFIX: cache, PYTHONHASHSEED: "0" },
	});
	compiling.child.stdin?.on("error", () => undefined).end(sources.join("\n"));
	await compiling.catch((cause: { code?: unknown; stderr?: string }) => {
		if (cause.code !== 1) throw new Error(`Python's modules could not be compiled: ${cause.stderr || String(cause)}`);
	});
}
