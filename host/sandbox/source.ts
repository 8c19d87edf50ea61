import { createHash } from "node:crypto";
import type { Failure } from "../execution.ts";
import type { Script } from "./engine.ts";
import { SourceWorkers } from "./source-workers.ts";

/** A script as its author wrote it: one module, its imports bundled. */
export interface SourceText {
	readonly name: string;
	readonly source: string;
	/** Taken from the name's extension when not given: `.ts` and `.mts` are TypeScript. */
	readonly language?: "javascript" | "typescript";
	/** Maps the source back to the author's files. Stripping keeps every position, so it stays valid. */
	readonly sourceMap?: string;
}

export type PreparedSource = { readonly script: Script } | { readonly failure: Failure };

const maxCachedSources = 256;
const maxCachedCharacters = 32 * 1024 * 1024;
/** Longer maps are not read: parsed, they would fill the thread's memory. A bundler's, without sources, is about as long as its bundle. */
const maxSourceMapCharacters = 24 * 1024 * 1024;
const maxStackCharacters = 64 * 1024;

const workers = new SourceWorkers();
/** Stripped sources by hash, the one used longest ago first. */
const stripped = new Map<string, string>();
let strippedCharacters = 0;

/**
 * Makes a script ready for an engine: JavaScript passes untouched, types are replaced by spaces in a disposable thread, because parsing
 * untrusted source is execution. Never rejects: what is wrong with the source is a Failure.
 *
 * `owner` says whose source it is; a thread that has read one owner's source never reads another's. Without it the thread is used once.
 *
 * @example
 * const prepared = await prepareSource({ name: "hello.ts", source: "const a: number = 1" });
 * if ("script" in prepared) prepared.script.source; // "const a         = 1"
 */
export async function prepareSource(text: SourceText, owner?: string): Promise<PreparedSource> {
	const { name, sourceMap } = text;
	// The language's own sign of a byte order mark; it would shift the first line's columns.
	const source = text.source.startsWith("\uFEFF") ? text.source.slice(1) : text.source;
	const language = text.language ?? (/\.m?tsx?$/i.test(name) ? "typescript" : "javascript");
	const script = (code: string): PreparedSource => ({
		script: { name, source: code, ...(sourceMap !== undefined && { sourceMap }) },
	});
	if (language === "javascript") return script(source);

	const hash = createHash("sha256").update(source).digest("base64");
	const known = stripped.get(hash);
	if (known !== undefined) {
		stripped.delete(hash);
		stripped.set(hash, known);
		return script(known);
	}
	const answer = await workers.run({ type: "strip", source }, owner);
	switch (answer.type) {
		case "stripped":
			remember(hash, answer.source);
			return script(answer.source);
		case "refused":
			return { failure: { code: "syntax-error", message: describeRefusal(name, answer) } };
		case "broken":
			return {
				failure: {
					code: "syntax-error",
					message: `${name} could not be parsed: it is nested too deeply or too large for the parser (${answer.reason}).`,
				},
			};
		default:
			return { failure: { code: "internal", message: `The thread that reads source gave no answer (${answer.type}).` } };
	}
}

/**
 * Rewrites a stack's positions in a bundle to those in the author's files. The map is untrusted and read in a disposable thread. Never rejects;
 * a frame, or a whole stack, that cannot be mapped stays as it is. `owner` as for `prepareSource`.
 */
export async function mapStack(stack: string, sourceMap: string, owner?: string): Promise<string> {
	if (sourceMap.length > maxSourceMapCharacters || stack.length > maxStackCharacters) return stack;
	const answer = await workers.run({ type: "map", stack, sourceMap }, owner);
	return answer.type === "mapped" ? answer.stack : stack;
}

function remember(hash: string, source: string): void {
	stripped.set(hash, source);
	strippedCharacters += source.length;
	for (const [oldest, { length }] of stripped) {
		if (stripped.size <= maxCachedSources && strippedCharacters <= maxCachedCharacters) return;
		stripped.delete(oldest);
		strippedCharacters -= length;
	}
}

/** What to write instead of the TypeScript that is more than types. */
const advice: readonly (readonly [RegExp, string])[] = [
	[/\benum\b/, "Write `const Color = { red: 0 } as const` instead."],
	[/namespace|module/, "Write a module of its own, or an object, instead."],
	[/parameter propert/, "Declare the field and assign it in the constructor instead."],
	[/import equals/, 'Write `import x from "…"` instead.'],
	[/export assignment/, "Write `export default` instead."],
];

function describeRefusal(name: string, refusal: { message: string; line?: number; column?: number }): string {
	const place =
		refusal.line === undefined ? name : `${name}:${refusal.line}${refusal.column === undefined ? "" : `:${refusal.column}`}`;
	const hint = /not supported/.test(refusal.message) ? advice.find(([pattern]) => pattern.test(refusal.message))?.[1] : undefined;
	const message = refusal.message.replaceAll("strip-only mode", "the sandbox, which only strips types");
	return `${place}: ${message.endsWith(".") ? message : `${message}.`}${hint ? ` ${hint}` : ""}`;
}
