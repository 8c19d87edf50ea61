import { sandboxOperations } from "../sandbox-operations.ts";
import { callNow, nothing, settle } from "./calls.ts";
import { startClock } from "./clock.ts";
import { cronium, croniumModule, readInput } from "./cronium.ts";
import { describe, describeAsText } from "./describe.ts";
import { toJsonText } from "./json.ts";
import { defineProperty, hasInstance, IntrinsicPromise, stringifyJson } from "./primordials.ts";
import { seedRandom } from "./random.ts";
import "./web.ts";
import "./call-sites.ts";

// The guest's side of everything a script has beside the language. Evaluated once, before the memory image of an instance is
// taken; the engine takes the hooks below and removes them from the globals.

/** Begins a run: nothing of it may come from the image, which all runs share. Takes three words of 32 random bits. */
function begin(seed1: number, seed2: number, seed3: number): void {
	startClock();
	seedRandom(seed1, seed2, seed3);
}

/**
 * Called with the script's module once it has evaluated: calls its default function with the input and hands what it returns to the host.
 * Rejects with what the function threw. A value that is not JSON ends the run through the operation `fail` instead.
 */
async function finish(namespace: { readonly default?: unknown }): Promise<void> {
	const main = namespace.default;
	if (typeof main !== "function") {
		// Silence would look like an output that got lost.
		if (main !== undefined)
			callNow(sandboxOperations.print, '["stderr"]', "Warning: the default export is not a function and is ignored.\n", nothing);
		return;
	}
	const input = readInput();
	const returned = await main(hasInstance(IntrinsicPromise, input) ? await input : input);
	if (returned === undefined) return;
	let text: string;
	try {
		text = toJsonText(returned, "The returned value");
	} catch (error) {
		// Getters and toJSON of the value are the script's own code and may throw anything.
		const code = (error as { code?: unknown } | undefined)?.code === "invalid" ? "invalid-output" : "script-error";
		callNow(sandboxOperations.fail, stringifyJson([code]), stringifyJson(describe(error)), nothing);
		return;
	}
	callNow(sandboxOperations.return, "[]", text, nothing);
}

defineProperty(globalThis, "cronium", { value: cronium, enumerable: true });
(globalThis as { __hooks?: unknown }).__hooks = {
	begin,
	settle,
	finish,
	describe: describeAsText,
	croniumModule,
};
