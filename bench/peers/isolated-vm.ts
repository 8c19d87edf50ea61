import { expression, type OpenPeer, type Peer, requireResult } from "./peer.ts";

/** The part of isolated-vm's interface that is used here; the package may be absent when types are checked. */
interface IsolatedVm {
	readonly Isolate: {
		new (options: { memoryLimit: number; snapshot?: unknown }): Isolate;
		createSnapshot(scripts: readonly { code: string }[]): unknown;
	};
	readonly Callback: new (callback: (...parameters: never[]) => unknown) => unknown;
}
interface Isolate extends Disposable {
	createContextSync(): Context;
	compileScriptSync(code: string): { runSync(context: Context): unknown };
	dispose(): void;
}
interface Context {
	readonly global: { setSync(name: string, value: unknown): void };
}

const name = "isolated-vm, fresh isolate";

/** A V8 isolate for every script; its machine code is compiled ahead, its memory is capped at the sandbox's default of 64 MB. */
export const open: OpenPeer = async ({ prelude }) => {
	const { default: ivm } = (await import("isolated-vm" as string)) as { default: IsolatedVm };
	return createPeer(name, ivm, () => {
		const isolate = new ivm.Isolate({ memoryLimit: 64 });
		const context = isolate.createContextSync();
		context.global.setSync("__host", new ivm.Callback(answer));
		isolate.compileScriptSync(prelude).runSync(context);
		return { isolate, context };
	});
};

/** The same with the prelude in a start-up snapshot: the fastest that isolated-vm can do. */
export const openSnapshot: OpenPeer = async ({ prelude }) => {
	const { default: ivm } = (await import("isolated-vm" as string)) as { default: IsolatedVm };
	const late =
		"globalThis.__host = (...parameters) => globalThis.__answer(...parameters); globalThis.SharedArrayBuffer ??= class SharedArrayBuffer {};";
	const snapshot = ivm.Isolate.createSnapshot([{ code: late }, { code: prelude }]);
	return createPeer("isolated-vm, prelude in a snapshot", ivm, () => {
		const isolate = new ivm.Isolate({ memoryLimit: 64, snapshot });
		const context = isolate.createContextSync();
		context.global.setSync("__answer", new ivm.Callback(answer));
		return { isolate, context };
	});
};

const answer = (): string => "+";

function createPeer(peerName: string, ivm: IsolatedVm, create: () => { isolate: Isolate; context: Context }): Peer {
	return {
		name: peerName,
		start: async () => {
			const started = performance.now();
			const { isolate, context } = create();
			const result = isolate.compileScriptSync(expression).runSync(context);
			const took = performance.now() - started;
			isolate.dispose();
			requireResult(peerName, result);
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
}
