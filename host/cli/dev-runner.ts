/**
 * The process in which `cronium dev` runs a script in JavaScript: the bundled source in the place of its file, the SDK in the place of `cronium`, and
 * the sandbox's convention of a default export that is called with the input.
 */
import { createRequire, registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

/** What the process is sent when it has started. */
export interface RunnerMessage {
	/** The absolute path of the script. */
	readonly file: string;
	/** One module, with its source map. */
	readonly source: string;
	/** URLs of the SDK's modules, by the names that scripts import. */
	readonly sdk: Readonly<Record<string, string>>;
}

interface Sdk {
	getInput(): Promise<unknown>;
	setOutput(value: unknown): Promise<void>;
}

process.once("message", async ({ file, source, sdk }: RunnerMessage) => {
	// Nothing else is sent, and the script ends when it has nothing left to do.
	process.disconnect?.();
	// As if Node had been started with the script.
	process.argv.splice(1, 2, file);
	const url = pathToFileURL(file).href;
	registerHooks({
		resolve: (specifier, context, next) => {
			// Not where it leads when it is a link: its source is what was sent.
			if (specifier === url) return { url, shortCircuit: true };
			return Object.hasOwn(sdk, specifier) ? { url: sdk[specifier] as string, shortCircuit: true } : next(specifier, context);
		},
		load: (loaded, context, next) => (loaded === url ? { format: "module", source, shortCircuit: true } : next(loaded, context)),
	});
	// A module in CommonJS that was bundled asks for packages with it.
	Object.defineProperty(globalThis, "require", { value: createRequire(url), configurable: true, writable: true });
	try {
		const { default: main } = (await import(url)) as { default?: unknown };
		if (typeof main !== "function") return;
		const { getInput, setOutput } = (await import(sdk.cronium as string)) as Sdk;
		const output = (await main(await getInput())) as unknown;
		if (output !== undefined) await setOutput(output);
	} catch (error) {
		console.error(error);
		// At once, as after any error that nobody catches: what is still open would keep the process.
		process.exit(1);
	}
});
