import vm from "node:vm";
import { expression, type OpenPeer, requireResult } from "./peer.ts";

const name = "node:vm, fresh context (no isolation)";

/** A context of Node's own `vm` for every script. No sandbox: what a script costs when nothing is kept apart. */
export const open: OpenPeer = async ({ prelude }) => {
	const compiled = new vm.Script(prelude);
	const script = new vm.Script(expression);
	const answer = (): string => "";
	return {
		name,
		start: async () => {
			const started = performance.now();
			const context = vm.createContext({ __host: answer });
			compiled.runInContext(context);
			const result = script.runInContext(context);
			const took = performance.now() - started;
			requireResult(name, result);
			return took * 1_000;
		},
		callHost: async (calls) => {
			const context = vm.createContext({ __call: answer });
			const loop = new vm.Script(`for (let i = 0; i < ${calls}; i++) __call(9, "[]", undefined)`);
			const started = performance.now();
			loop.runInContext(context);
			return ((performance.now() - started) * 1e6) / calls;
		},
		[Symbol.asyncDispose]: async () => undefined,
	};
};
