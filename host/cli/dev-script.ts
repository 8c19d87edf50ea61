import { readdirSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
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
export function prepareScript({ kind, file, environment }: DevPlan): DevScript | Promise<DevScript> {
	switch (kind) {
		case "javascript":
			return bundleJavascript(file);
		case "python":
			return {
				program: "python3",
				arguments: [file],
				environment: { PYTHONPATH: prepend(sdk("python/"), environment.PYTHONPATH), PYTHONDONTWRITEBYTECODE: "1" },
				files: besides(file, ".py"),
			};
		case "bash":
			return {
				program: "bash",
				arguments: [file],
				// `source cronium.sh` looks for it there.
				environment: { PATH: prepend(sdk("bash/"), environment.PATH) },
				files: besides(file, ".sh", ".bash"),
			};
	}
}

const sdk = (path: string): string => fileURLToPath(new URL(path, programFiles.sdks)).replace(/\/$/, "");

const prepend = (directory: string, list: string | undefined): string => (list ? `${directory}:${list}` : directory);

/** What is imported from where the script is, as far as that can be known without running it. */
function besides(file: string, ...extensions: readonly string[]): string[] {
	const directory = dirname(file);
	return readdirSync(directory)
		.filter((name) => extensions.includes(extname(name)))
		.map((name) => join(directory, name));
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
			sourcemap: "inline",
			logLevel: "silent",
		});
		return {
			program: process.execPath,
			arguments: ["--enable-source-maps", "--no-warnings", fileURLToPath(programFiles.devRunner), file],
			environment: {},
			message: { file, source: outputFiles[0]?.text ?? "", sdk: programFiles.javascriptSdk },
			files: Object.keys(metafile.inputs).map((path) => resolve(directory, path)),
		};
	} catch (cause) {
		const { errors } = cause as {
			errors?: readonly { text: string; location: { file: string; line: number; column: number } | null }[];
		};
		if (!errors) throw cause;
		const lines = errors.map(({ text, location }) =>
			location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text,
		);
		const files = errors.flatMap(({ location }) => (location ? [resolve(directory, location.file)] : []));
		throw new ScriptError(lines.join("\n"), files);
	}
}
