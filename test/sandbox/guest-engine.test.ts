import { afterEach, expect, test, vi } from "vitest";
import { createEngine } from "../../host/sandbox/engines.ts";
import { drawSeed } from "../../host/sandbox/seed.ts";
import { startRun } from "../helpers/run.ts";

const MiB = 1024 * 1024;

afterEach(() => {
	vi.unstubAllGlobals();
});

test("the memory of dropped instances does not gather", async () => {
	const memories: WeakRef<WebAssembly.Memory>[] = [];
	class CountedMemory extends WebAssembly.Memory {
		constructor(descriptor: ConstructorParameters<typeof WebAssembly.Memory>[0]) {
			super(descriptor);
			memories.push(new WeakRef<WebAssembly.Memory>(this));
		}
	}
	vi.stubGlobal("WebAssembly", { ...ownProperties(WebAssembly), Memory: CountedMemory });
	using engine = await createEngine("quickjs-wasi");
	const source = "const kept = Array.from({ length: 40 }, () => new Uint8Array(1024 * 1024)); export default () => kept.length";
	let most = 0;
	const runs = 16;
	for (let run = 0; run < runs; run++) {
		const { execution, helpers } = await startRun();
		const { returned, failure } = await engine.run(
			{ name: "big.js", source },
			execution,
			helpers,
			{ seed: drawSeed(), print },
			new Int32Array(1),
		);
		expect({ returned, failure }).toEqual({ returned: "40", failure: undefined });
		engine.tidy();
		// The engine makes itself ready for the next run, and references that were looked at are let go.
		for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
		let held = 0;
		for (const memory of memories) held += memory.deref()?.buffer.byteLength ?? 0;
		most = Math.max(most, held);
	}
	expect(engine.statistics.dropped).toBe(runs);
	expect(most).toBeGreaterThan(40 * MiB);
	expect(most).toBeLessThan(250 * MiB);
});

test("the instance for the next run is made ready although nothing else happens in the loop", async () => {
	using engine = await createEngine("quickjs-wasi");
	using immediate = vi.spyOn(globalThis, "setImmediate");
	engine.tidy();
	const made = immediate.mock.results.map(({ value }) => value as NodeJS.Immediate);
	// Without, the loop would sleep before it.
	expect(made.map((one) => one.hasRef())).toEqual([true]);
});

const print = (): void => {};

/** The members of a namespace object, which are not enumerable. */
const ownProperties = (holder: object): Record<string, unknown> =>
	Object.fromEntries(Object.getOwnPropertyNames(holder).map((name) => [name, (holder as Record<string, unknown>)[name]]));
