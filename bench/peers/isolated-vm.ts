import { expression, type OpenPeer, requireResult } from "./peer.ts";

/** The part of isolated-vm's interface that is used here; the package may be absent when types are checked. */
interface IsolatedVm {
	readonly Isolate: new (options: { memoryLimit: number }) => Isolate;
	readonly Callback: new (callback: (...parameters: never[]) => unknown) => unknown;
}
interface Isolate {
	createContextSync(): Context;
	compileScriptSync(code: string): { runSync(context: Context): unknown };
	dispose(): void;
}
interface Context {
	readonly global: { setSync(name: string, value: unknown): void };
}

const name = "isolated-vm, fresh isolate";

/**
 * A V8 isolate for every script, its memory capped at the sandbox's default of 64 MB. A start-up snapshot would save it the prelude, but
 * V8 14 crashes when a snapshot of this prelude is opened.
 */
export const open: OpenPeer = async ({ prelude }) => {
	const { default: ivm } = (await import("isolated-vm" as string)) as { default: IsolatedVm };
	const create = (): { isolate: Isolate; context: Context } => {
		const isolate = new ivm.Isolate({ memoryLimit: 64 });
		const context = isolate.createContextSync();
		context.global.setSync("__host", new ivm.Callback(answer));
		isolate.compileScriptSync(prelude).runSync(context);
		return { isolate, context };
	};
	return {
		name,
		start: async () => {
			const started = performance.now();
			const { isolate, context } = create();
			const result = isolate.compileScriptSync(expression).runSync(context);
			const took = performance.now() - started;
			isolate.dispose();
			requireResult(name, result);
			return took * 1_000;
		},
		callHost: async (calls) => {
			const { isolate, context } = create();
			context.global.setSync("__call", new ivm.Callback(answer));
			const loop = isolate.compileScriptSync(`for (let i = 0; i < ${calls}; i++) __call(9, "[]", undefined)`);
			const started = performance.now();
			loop.runSync(context);
			const took = performance.now() - started;
			isolate.dispose();
			return (took * 1e6) / calls;
		},
		[Symbol.asyncDispose]: async () => undefined,
	};
};

const answer = (): string => "";
