import { type Dirent, readdirSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Message } from "esbuild";
import { programFiles } from "../program-files.ts";
import type { RunnerMessage } from "./dev-runner.ts";
import type { DevPlan } from "./dev-session.ts";

/** How one run of a script is started. */
export interface DevScript {
	readonly program: string;
	readonly arguments: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
	/** Sent to the process when it has started. */
	readonly message?: RunnerMessage;
	/** Absolute paths: what the script is made of. */
	readonly files: readonly string[];
}

/** The script cannot be run as it is. */
export class ScriptError extends Error {
	override readonly name = "ScriptError";
	/** What it is made of, as far as that is known. */
	readonly files: readonly string[];

	constructor(message: string, files: readonly string[] = []) {
		super(message);
		this.files = files;
	}
}

/** Finds out how the script is run with its SDK. Throws ScriptError when it cannot be parsed. */
export function prepareScript(
	{ kind, file }: Pick<DevPlan, "kind" | "file">,
	environment: Readonly<Record<string, string>>,
): DevScript | Promise<DevScript> {
	switch (kind) {
		case "javascript":
			return bundleJavascript(file);
		case "python":
			return {
				program: "python3",
				arguments: [file],
				environment: {
					PYTHONPATH: prepend(sdk("python/"), environment.PYTHONPATH),
					PYTHONDONTWRITEBYTECODE: "1",
					// What it prints is there when it is stopped, and in order with what its helpers print.
					PYTHONUNBUFFERED: "1",
				},
				files: findBeside(file, ".py"),
			};
		case "bash":
			return {
				program: "bash",
				arguments: [file],
				// `source cronium.sh` looks for it there.
				environment: { PATH: prepend(sdk("bash/"), environment.PATH) },
				files: findBeside(file, ".sh", ".bash"),
			};
	}
}

const sdk = (path: string): string => fileURLToPath(new URL(path, programFiles.sdks)).replace(/\/$/, "");

const prepend = (directory: string, list: string | undefined): string => (list ? `${directory}:${list}` : directory);

/** More directories than a project of scripts has. */
const maxDirectories = 200;

/** What a script may import from beside it and from directories there: what it does import is known only when it has run. */
function findBeside(file: string, ...extensions: readonly string[]): string[] {
	const found: string[] = [];
	const directories = [dirname(file)];
	for (let index = 0; index < directories.length && index < maxDirectories; index++) {
		const directory = directories[index] as string;
		for (const entry of listDirectory(directory)) {
			const path = join(directory, entry.name);
			if (extensions.includes(extname(entry.name))) found.push(path);
			else if (entry.isDirectory() && !/^\.|^(?:node_modules|__pycache__|venv)$/.test(entry.name)) directories.push(path);
		}
	}
	return found;
}

/** Nothing for a directory that is gone or closed: then the script itself says what is wrong. */
function listDirectory(directory: string): Dirent[] {
	try {
		return readdirSync(directory, { withFileTypes: true });
	} catch {
		return [];
	}
}

/** One module of the script and its own files; packages stay imports, and so does `cronium`. Node runs it in the place of the script. */
async function bundleJavascript(file: string): Promise<DevScript> {
	const { build } = await import("esbuild");
	const directory = dirname(file);
	try {
		const { outputFiles, metafile } = await build({
			entryPoints: [file],
			absWorkingDir: directory,
			outfile: join(directory, "cronium-dev.mjs"),
			bundle: true,
			write: false,
			metafile: true,
			packages: "external",
			platform: "node",
			format: "esm",
			target: "es2024",
			// As `cronium run` bundles.
			tsconfigRaw: "{}",
			sourcemap: "inline",
			logLevel: "silent",
		});
		return {
			program: process.execPath,
			arguments: ["--enable-source-maps", "--disable-warning=ExperimentalWarning", fileURLToPath(programFiles.devRunner), file],
			environment: {},
			message: { file, source: outputFiles[0]?.text ?? "", sdk: programFiles.javascriptSdk },
			files: Object.keys(metafile.inputs).map((path) => resolve(directory, path)),
		};
	} catch (cause) {
		const { errors } = cause as { errors?: readonly Message[] };
		if (!errors) throw cause;
		const lines = errors.map(({ text, location }) =>
			location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text,
		);
		throw new ScriptError(
			lines.join("\n"),
			errors.flatMap((error) => findMissing(error, directory)),
		);
	}
}

/** The file that an error is in, and those of which any would make an import good. */
function findMissing({ text, location }: Message, directory: string): string[] {
	if (!location) return [];
	const file = resolve(directory, location.file);
	const [, missing] = /^Could not resolve "(\.[^"]*)"/.exec(text) ?? [];
	if (missing === undefined) return [file];
	const path = resolve(dirname(file), missing);
	const stem = path.replace(/\.[cm]?js$/, "");
	const ends = ["", ".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json"];
	return [file, path, ...ends.map((end) => stem + end), ...ends.slice(1).map((end) => join(path, `index${end}`))];
}
