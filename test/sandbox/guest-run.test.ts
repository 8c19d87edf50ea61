import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import type { EngineName } from "../../host/sandbox/engine.ts";
import { createEngine } from "../../host/sandbox/engines.ts";
import type { GuestEngine } from "../../host/sandbox/guest-engine.ts";
import { drawSeed } from "../../host/sandbox/seed.ts";
import { startRun } from "../helpers/run.ts";

describe.each<EngineName>(["quickjs-wasi", "quickjs-emscripten"])("a run that is stopped, %s", (name) => {
	let engine: GuestEngine;
	beforeAll(async () => {
		engine = await createEngine(name);
	});
	afterAll(() => engine[Symbol.dispose]());

	/** Runs a script whose first print writes `cell` to the shared cell. */
	async function runStopped(source: string, cell: number) {
		const { execution, helpers } = await startRun();
		const stop = new Int32Array(new SharedArrayBuffer(4));
		let printed = 0;
		const print = (): void => {
			printed++;
			Atomics.store(stop, 0, cell);
		};
		const { failure, usage } = await engine.run(
			{ name: "stopped.js", source },
			execution,
			helpers,
			{ seed: drawSeed(), print },
			stop,
		);
		return { printed, hostCalls: usage.hostCalls, end: { code: failure?.code, limit: failure?.limit?.name } };
	}

	const overCpuTime = { code: "cpu-time-exceeded", limit: "maxCpuTimeMs" };

	test("for its processor time stops with that limit", async () => {
		expect((await runStopped("console.log(1); for (;;);", 3)).end).toEqual(overCpuTime);
	});

	test("stops at its next long call, however few steps it takes itself", async () => {
		const source = "const text = 'x'.repeat(100_000); for (let i = 0; i < 5; i++) console.log(text);";
		expect(await runStopped(source, 3)).toEqual({ printed: 1, hostCalls: 0, end: overCpuTime });
	});

	test("stops after some short calls, however few steps it takes itself", async () => {
		const { hostCalls, end } = await runStopped("console.log(1); for (let i = 0; i < 150; i++) cronium.getCondition();", 1);
		expect(end).toEqual({ code: "cancelled", limit: undefined });
		expect(hostCalls).toBeLessThan(100);
	});

	test("while it waits stops with the limit that its signal tells", async () => {
		for (const [limitName, code] of [
			["maxCpuTimeMs", "cpu-time-exceeded"],
			["maxWallTimeMs", "wall-time-exceeded"],
		] as const) {
			const { execution, helpers } = await startRun();
			const limit = { name: limitName, value: 1, unit: "milliseconds" } as const;
			const signal = AbortSignal.abort(new RuntimeError("timed-out", "Over.", { limit }));
			const source = "await new Promise((resolve) => setTimeout(resolve, 60_000))";
			const stop = new Int32Array(1);
			const end = engine.run(
				{ name: "waits.js", source },
				{ ...execution, signal },
				helpers,
				{ seed: drawSeed(), print: () => {} },
				stop,
			);
			expect((await end).failure).toMatchObject({ code, limit: { name: limitName } });
		}
	});
});
