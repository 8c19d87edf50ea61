import { readFileSync } from "node:fs";

/** Source text that is evaluated in every fresh context before the script. */
export interface Prelude {
	readonly source: string;
	readonly description: string;
}

/**
 * The prelude replaces methods of the frames that QuickJS hands to `Error.prepareStackTrace`. V8 does not let it:
 * there it gets a text instead of frames, whose prototype takes the methods.
 */
const onV8 = 'Object.defineProperty(Error, "prepareStackTrace", { get: () => undefined, set() {}, configurable: true });';

/** The prelude of the sandbox, so that every thing compared evaluates the same source; made to work on V8, where the peers run. */
export function readPrelude(): Prelude {
	const source = readFileSync(new URL("../host/sandbox/generated/prelude.js", import.meta.url), "utf8");
	return { source: `${onV8}\n${source}`, description: `the SDK prelude, ${Math.round(Buffer.byteLength(source) / 1024)} KB` };
}
