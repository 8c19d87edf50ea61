import type { EngineName } from "../host/sandbox/engine.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import type { GuestHost } from "../host/sandbox/guest.ts";
import { prepareQuickJsWasi } from "../host/sandbox/quickjs-wasi.ts";
import { QuickJsWasiGuest } from "../host/sandbox/quickjs-wasi-guest.ts";
import { createExecution, createRunInEngine } from "./run-in-engine.ts";

/** Calls a host function in a guest loop. Resolves with the nanoseconds of one call, on average. */
export type CallInLoop = (calls: number) => Promise<number>;

/** Stands in for the prelude: keeps the host function where a script finds it, and makes the calls that the "script" says. */
const prelude = `
	const host = __host;
	globalThis.__hooks = {
		begin() {},
		settle() {},
		async finish({ calls }) { for (let i = 0; i < calls; i++) host(9, "[]", undefined); },
		describe: String,
		croniumModule: "export default 1",
	};
	globalThis.__call = host;
`;

/** The glue alone: from the guest's call to a host function that does nothing, and back. */
export function openBareGlue(): CallInLoop {
	const { module, minimumPages, image } = prepareQuickJsWasi(() => prelude);
	const guest = QuickJsWasiGuest.create({ module, minimumPages, maximumPages: 1024 }, image);
	let made = 0;
	const host: GuestHost = {
		call: () => {
			made += 1;
			return "";
		},
		poll: () => undefined,
		refuseImport: () => "refused",
	};
	return async (calls) => {
		guest.host = host;
		made = 0;
		const source = `for (let i = 0; i < ${calls}; i++) __call(9, "[]", undefined)`;
		const started = performance.now();
		const completion = guest.evaluateModule("loop.js", source);
		const took = performance.now() - started;
		if (completion.type === "thrown" || made !== calls) throw new Error(`The loop made ${made} of ${calls} calls.`);
		guest.restore();
		return (took * 1e6) / calls;
	};
}

/** The glue and the bindings: the call is counted, its parameters are checked, and a helper that does nothing is called. */
export async function openBoundGlue(name: EngineName): Promise<CallInLoop> {
	const run = createRunInEngine(await createEngine(name, { prelude }), createExecution());
	return async (calls) => {
		const started = performance.now();
		const { usage } = await run(`export const calls = ${calls}`);
		const took = performance.now() - started;
		if (usage.hostCalls !== calls) throw new Error(`The loop made ${usage.hostCalls} of ${calls} calls.`);
		return (took * 1e6) / calls;
	};
}
