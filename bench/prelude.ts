import { readFileSync } from "node:fs";

/** Source text that is evaluated in every fresh context before the script. */
export interface Prelude {
	readonly source: string;
	readonly description: string;
}

/** The prelude of the sandbox, so that every thing compared evaluates the same source. */
export function readPrelude(): Prelude {
	const source = readFileSync(new URL("../host/sandbox/generated/prelude.js", import.meta.url), "utf8");
	return { source, description: `the SDK prelude, ${Math.round(Buffer.byteLength(source) / 1024)} KB` };
}
