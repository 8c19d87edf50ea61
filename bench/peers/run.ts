import { expression, type OpenPeer, requireResult } from "./peer.ts";

/** The part of `run`'s interface that is used here; the package may be absent when types are checked. */
interface Run {
	createRunner(options: object): { run(input: { source: string }): Promise<{ status: string; value?: unknown }> };
}

const name = "run (its worker pool, no prelude)";

/** The npm package `run`: QuickJS in a pool of worker threads, a fresh context for every script. It cannot be given the prelude. */
export const open: OpenPeer = async () => {
	const { createRunner } = (await import("run" as string)) as Run;
	const runner = createRunner({});
	return {
		name,
		start: async () => {
			const started = performance.now();
			const result = await runner.run({ source: `return ${expression}` });
			const took = performance.now() - started;
			requireResult(name, result.value);
			return took * 1_000;
		},
		[Symbol.asyncDispose]: async () => undefined,
	};
};
