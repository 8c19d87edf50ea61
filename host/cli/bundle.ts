import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, extname, isAbsolute, join, resolve, win32 } from "node:path";
import type { BuildOptions, Loader, Message, OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { limitDefinitions } from "../contract/limits.ts";
import { BundleError } from "./bundle-error.ts";
import { bundlerEnvironment, describeMemory, isNestedTooDeeply, maxNesting, watchMemory } from "./bundler-process.ts";
import { relativeToRoot } from "./project-root.ts";

/** One module with everything it imports, and the map back to the files it came from. */
export interface Bundle {
	readonly source: string;
	/** Its `sources` are paths relative to the project's root. */
	readonly sourceMap: string;
	readonly warnings: readonly string[];
}

/** Where a bundle is to run: in the sandbox, or with Node.js, which has modules of its own, in a container whose image may have packages. */
export type BundleTarget = "sandbox" | "container";

/** What to do instead, said with every refusal of what only a whole machine has. */
const containerAdvice = 'Use the helpers of "cronium", or run the script in container mode.';

const loaders: Readonly<Record<string, Loader>> = {
	".js": "js",
	".mjs": "js",
	".cjs": "js",
	".ts": "ts",
	".mts": "ts",
	".cts": "ts",
	".json": "json",
	".txt": "text",
};

const targetOptions = {
	sandbox: {
		// Honours the `browser` fields of packages, which is where they say how to do without Node.js.
		platform: "browser",
		target: "es2023",
		conditions: ["browser", "module"],
		mainFields: ["browser", "module", "main"],
		define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
	},
	container: {
		platform: "node",
		target: "node20",
		define: { "process.env.NODE_ENV": '"production"' },
		// What is in CommonJS asks for modules of Node.js with it.
		banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
	},
} as const satisfies Record<BundleTarget, BuildOptions>;

/** Hidden data that marks our own question to esbuild's resolver, which would else come back to us. */
const asked = Symbol("asked");
/** Namespace of what a package has nothing of for browsers. */
const switchedOff = "switched-off";
const buildTimeMs = 30_000;

/**
 * Bundles a script and what it imports into one module; `cronium` stays an import. Only regular files whose real path is inside `root` are read,
 * source maps and `tsconfig.json` files are not, and no message shows text of a file outside.
 *
 * @param file the real path of the script, inside `root`
 * @param root the real path of the project
 * @param target where it is to run
 * @throws {BundleError} for what cannot be parsed, found, or had in the sandbox
 */
export async function bundle(file: string, root: string, target: BundleTarget = "sandbox"): Promise<Bundle> {
	const { build, stop } = await import("esbuild");
	let timer: NodeJS.Timeout | undefined;
	const timeout = new Promise<never>((_, reject) => {
		timer = setTimeout(
			() => reject(new BundleError("import-error", `Bundling took longer than ${buildTimeMs / 1000} seconds.`)),
			buildTimeMs,
		);
	});
	// The library keeps its process until it is stopped: stopped first, it starts one of ours.
	void stop();
	let memory: ReturnType<typeof watchMemory> | undefined;
	try {
		const { result: building, child } = startProcess(() =>
			build({
				entryPoints: [file],
				bundle: true,
				write: false,
				outfile: `${root}/bundle.js`,
				absWorkingDir: root,
				format: "esm",
				...targetOptions[target],
				sourcemap: "external",
				sourcesContent: false,
				legalComments: "none",
				charset: "utf8",
				tsconfigRaw: "{}",
				logLevel: "silent",
				logOverride: { "unsupported-require-call": "warning", "unsupported-dynamic-import": "warning" },
				plugins: [confine(file, root, target)],
			}),
		);
		memory = child && watchMemory(child);
		const described = building.catch((error: { errors?: Message[] }) => {
			if (memory?.isExceeded)
				throw new BundleError(
					"import-error",
					`Bundling takes more than ${describeMemory} of memory; import less, or smaller files.`,
				);
			throw describeErrors(error.errors ?? []);
		});
		const result = await Promise.race([described, timeout]);
		const own = result.warnings.filter(({ location }) => !location?.file.includes("node_modules/"));
		const dynamic = own.find(({ id }) => id === "unsupported-require-call" || id === "unsupported-dynamic-import");
		if (dynamic)
			throw new BundleError(
				"import-error",
				`${describePlace(dynamic)}${dynamic.id === "unsupported-require-call" ? "require" : "import"}() of a name that is only known when the script runs; imports are bundled before it runs, so write the name as a string.`,
			);
		const text = (extension: string): string => result.outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? "";
		return {
			source: text(".js"),
			sourceMap: text(".map"),
			warnings: own.map((warning) => describePlace(warning) + warning.text),
		};
	} finally {
		clearTimeout(timer);
		memory?.[Symbol.dispose]();
		void stop();
	}
}

/**
 * Starts something that spawns a process before it returns, and takes neither an environment for it nor hands it out, as esbuild's library. The
 * process gets the bundler's environment instead of ours.
 */
function startProcess<Result>(start: () => Result): { result: Result; child: ChildProcess | undefined } {
	let child: ChildProcess | undefined;
	const onSpawn = (message: unknown): void => {
		child = (message as { process: ChildProcess }).process;
	};
	const ours = process.env;
	subscribe("child_process", onSpawn);
	process.env = { ...bundlerEnvironment };
	try {
		return { result: start(), child };
	} finally {
		process.env = ours;
		unsubscribe("child_process", onSpawn);
	}
}

/** Decides where every import leads, and reads the files itself. */
function confine(file: string, root: string, target: BundleTarget): Plugin {
	return {
		name: "confine",
		setup(pluginBuild) {
			pluginBuild.onResolve({ filter: /.*/ }, (args) => {
				if (args.pluginData === asked) return undefined;
				if (args.kind === "entry-point") return { path: file };
				return resolveImport(pluginBuild, args, root, target);
			});
			pluginBuild.onLoad({ filter: /.*/, namespace: switchedOff }, () => ({ loader: "js", contents: "" }));
			pluginBuild.onLoad({ filter: /.*/, namespace: "file" }, async ({ path }) => {
				const loader = loaders[extname(path).toLowerCase()] ?? (path === file ? "js" : undefined);
				if (!loader)
					return refuse(
						`${relativeToRoot(root, path)} is not JavaScript, TypeScript, JSON or text (${Object.keys(loaders).join(", ")}).`,
					);
				if (await isSwitchedOff(path, root)) return { loader: "js", contents: "" };
				// Checked when it was resolved; checked again because it is opened now.
				if (relativeToRoot(root, await realpath(path)) === undefined) return refuse("A file outside the project is not bundled.");
				const { size } = await stat(path);
				const { maximum } = limitDefinitions.maxSourceBytes;
				if (size > maximum)
					return refuse(`${relativeToRoot(root, path)} has ${size} bytes; the limit is ${maximum} (maxSourceBytes).`);
				const contents = await readFile(path, "utf8");
				if (loader !== "text" && isNestedTooDeeply(contents))
					return refuse(`${relativeToRoot(root, path)} is nested too deeply; the limit is ${maxNesting} brackets.`);
				// The last such comment counts. A map named by an input could lead to any file; this one leads nowhere.
				return { loader, contents: loader === "js" || loader === "ts" ? `${contents}\n//# sourceMappingURL=none:` : contents };
			});
		},
	};
}

/** Refuses an import, or leaves it to esbuild, which then finds the same file again and knows more of it (`sideEffects`, `"browser": false`). */
async function resolveImport(
	pluginBuild: PluginBuild,
	args: OnResolveArgs,
	root: string,
	target: BundleTarget,
): Promise<OnResolveResult | undefined> {
	const { path, importer, resolveDir, kind } = args;
	const quoted = JSON.stringify(path.slice(0, 200));
	if (path === "cronium") return { path, external: true };
	const isForNode = target === "container";
	if (isForNode && (path === "cronium/sync" || isBuiltin(path))) return { path, external: true };
	if (isForNode && /^(?:node|bun):/.test(path))
		return refuse(
			`${quoted} is ${path.startsWith("node:") ? "no module of" : "part of another runtime than"} Node.js, which runs scripts in containers.`,
		);
	if (path.startsWith("node:") || path === "bun" || path.startsWith("bun:"))
		return refuse(`${quoted} is part of Node.js, which the sandbox is not. ${containerAdvice}`);
	if (isAbsolute(path) || win32.isAbsolute(path))
		return refuse(`${quoted} is an absolute path; imports are relative, or names of packages in the project.`);
	if (/^[a-z][a-z0-9+.-]*:/i.test(path))
		return refuse(`${quoted} is a URL; nothing is downloaded for a script. Install it as a package.`);

	if (path.startsWith("#") && !hasPackage(importer, root))
		return refuse(`${quoted} is a name of the package's own, and no package.json in the project says what it is.`);

	const found = await pluginBuild.resolve(path, { kind, importer, resolveDir, namespace: "file", pluginData: asked });
	const errors = found.errors.filter((error) => !isAboveRoot(error, root));
	const isMisled = errors.length < found.errors.length;
	if (errors.length > 0 || found.path === "") {
		const broken = errors.find(({ location }) => location?.file.endsWith("package.json"));
		if (broken) return refuse(`${describePlace(broken)}this package.json is not valid.`);
		// A package of that name may stand in for a module of Node's (`events`, `buffer`); without one there is none.
		// The image may have it.
		if (isForNode && !/^[.#]/.test(path)) return { path, external: true };
		if (isBuiltin(path)) return refuse(`${quoted} is part of Node.js, which the sandbox is not. ${containerAdvice}`);
		return refuse(
			/^\.\.?(?:\/|$)/.test(path)
				? `there is no file ${quoted}.`
				: `there is no package ${quoted} in the project; install it with npm first.`,
		);
	}
	// A package that says `"browser": { "fs": false }` gets an empty module.
	if (!isAbsolute(found.path)) return isMisled ? { path, namespace: switchedOff } : undefined;
	const real = await realpath(found.path);
	const inside = relativeToRoot(root, real);
	if (inside === undefined)
		return refuse(
			`${quoted} leads out of the project; only files inside the directory of its package.json or .git are bundled (--root names another one).`,
		);
	if (extname(real) === ".node")
		return refuse(
			isForNode
				? `${quoted} is a native addon, which cannot be bundled; build an image that has its package, and remove it here.`
				: `${quoted} is a native addon, which the sandbox cannot load. Run the script in container mode.`,
		);
	if (!(await stat(real)).isFile()) return refuse(`${quoted} is not a regular file.`);
	const isOfPackage = hasPackage(real, root);
	if (!isMisled && isOfPackage) return undefined;
	// Asked on its own, esbuild would go by a package.json above the project.
	const { namespace, suffix, sideEffects } = found;
	return { path: found.path, namespace, suffix, sideEffects: isOfPackage ? sideEffects : true };
}

/** esbuild reads each package.json up to the top of the file system; what is wrong with those above the project is no error of the script. */
function isAboveRoot({ location }: Message, root: string): boolean {
	return location !== null && relativeToRoot(dirname(resolve(root, location.file)), root) !== undefined;
}

/** Whether a package.json of the project is the nearest one above the file. */
function hasPackage(file: string, root: string): boolean {
	for (let directory = dirname(file); ; directory = dirname(directory)) {
		if (existsSync(join(directory, "package.json"))) return true;
		if (relativeToRoot(root, directory) === undefined) return false;
	}
}

/** Whether the file's package says that it has nothing for browsers: `"browser": { "./node.js": false }`. esbuild knows, but asks us all the same. */
async function isSwitchedOff(path: string, root: string): Promise<boolean> {
	if (!path.includes("node_modules")) return false;
	for (let directory = dirname(path); relativeToRoot(root, directory) !== undefined; directory = dirname(directory)) {
		const text = await readFile(join(directory, "package.json"), "utf8").catch(() => undefined);
		if (text === undefined) continue;
		const name = `./${relativeToRoot(directory, path)}`;
		try {
			const { browser } = JSON.parse(text) as { browser?: Record<string, unknown> };
			return browser?.[name] === false || browser?.[name.slice(0, -extname(name).length)] === false;
		} catch {
			return false;
		}
	}
	return false;
}

const refuse = (text: string): { errors: [{ text: string }] } => ({ errors: [{ text }] });

function describeErrors(errors: readonly Message[]): BundleError {
	const first = errors[0];
	if (!first)
		return new BundleError(
			"syntax-error",
			"The source could not be bundled: it is nested too deeply or too large for the bundler.",
		);
	const own = first.pluginName === "confine";
	const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
	return new BundleError(
		own ? "import-error" : "syntax-error",
		`${describePlace(first)}${first.text}${own || /[.!?]$/.test(first.text) ? "" : "."}${more}`,
	);
}

/** `orders.ts:3:8: `; no more than the place, so that no line of a file is shown that the user did not mean to show. */
function describePlace({ location }: Message): string {
	if (!location || isAbsolute(location.file) || location.file.startsWith("..")) return "";
	// esbuild counts columns in bytes from 0; the line gives the characters.
	const column = Buffer.from(location.lineText).subarray(0, location.column).toString().length + 1;
	return `${location.file}:${location.line}:${column}: `;
}
