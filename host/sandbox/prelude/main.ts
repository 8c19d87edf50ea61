import { sandboxOperations } from "../sandbox-operations.ts";
import { callNow, nothing, type RuntimeError, settle } from "./calls.ts";
import { startClock } from "./clock.ts";
import { cronium, croniumModule } from "./cronium.ts";
import { describe, describeAsText } from "./describe.ts";
import { toJsonText } from "./json.ts";
import { defineProperty, parseJson, stringifyJson } from "./primordials.ts";
import { seedRandom } from "./random.ts";
import "./web.ts";
import "./call-sites.ts";

// The guest's side of everything a script has beside the language. Evaluated once, before the memory image of an instance is
// taken; the engine takes the hooks below and removes them from the globals.

interface Start {
	/** Milliseconds since the Unix epoch. */
	readonly now: number;
	/** Up to 53 random bits. */
	readonly seed: number;
}

/** Begins a run: nothing of it may come from the image, which all runs share. */
function begin(text: string): void {
	const { now, seed } = parseJson(text) as Start;
	startClock(now);
	seedRandom(seed);
}

/** The input for the default function: null without the right to read it, because the script has not asked for it. */
async function readInput(): Promise<unknown> {
	try {
		return await (cronium.getInput as () => Promise<unknown>)();
	} catch (error) {
		if ((error as RuntimeError).code === "denied") return null;
		throw error;
	}
}

/**
 * Called with the script's module once it has evaluated: calls its default function with the input and hands what it returns to the host.
 * Rejects with what the function threw. A value that is not JSON ends the run through the operation `fail` instead.
 */
async function finish(namespace: { readonly default?: unknown }): Promise<void> {
	const main = namespace.default;
	if (typeof main !== "function") return;
	const input = await readInput();
	const returned = await main(input);
	if (returned === undefined) return;
	let text: string;
	try {
		text = toJsonText(returned, "The returned value");
	} catch (error) {
		// Getters and toJSON of the value are the script's own code and may throw anything.
		const code = (error as { code?: unknown } | undefined)?.code === "invalid" ? "invalid-output" : "script-error";
		callNow(sandboxOperations.fail, [code], stringifyJson(describe(error)), nothing);
		return;
	}
	callNow(sandboxOperations.return, [], text, nothing);
}

defineProperty(globalThis, "cronium", { value: cronium, enumerable: true });
(globalThis as { __hooks?: unknown }).__hooks = {
	begin,
	settle,
	finish,
	describe: describeAsText,
	croniumModule,
};
