import { sandboxOperations } from "../sandbox-operations.ts";
import { beginCall, cancelCall } from "./calls.ts";
import { fail } from "./failure.ts";
import {
	apply,
	IntrinsicMap,
	IntrinsicPromise,
	IntrinsicTypeError,
	mapDelete,
	mapGet,
	mapSet,
	max,
	resolvePromise,
	uncurry,
} from "./primordials.ts";

type Callback = (...args: unknown[]) => unknown;

/** The pending call of each timer, by the timer's id. */
const timers = new IntrinsicMap<number, number>();
let lastId = 0;

const then = uncurry(IntrinsicPromise.prototype.then);

function start(callback: Callback, delay: unknown, args: unknown[], repeat: boolean, name: string): number {
	if (typeof callback !== "function") throw new IntrinsicTypeError(`${name} takes a function, not ${typeof callback}`);
	const milliseconds = +(delay as number);
	const id = ++lastId;
	const sleep = (): void => {
		const callId = beginCall(sandboxOperations.sleep, [max(0, milliseconds)], undefined, () => {
			if (!repeat) mapDelete(timers, id);
			run(callback, args);
			if (repeat && mapGet(timers, id) !== undefined) sleep();
		});
		mapSet(timers, id, callId);
	};
	sleep();
	return id;
}

function stop(id: unknown): void {
	const callId = mapGet(timers, +(id as number)) as number | undefined;
	if (callId === undefined) return;
	mapDelete(timers, +(id as number));
	cancelCall(callId);
}

function run(callback: Callback, args: unknown[]): void {
	try {
		apply(callback, undefined, args);
	} catch (error) {
		fail(error);
	}
}

export const timerFunctions = {
	setTimeout: (callback: Callback, delay?: unknown, ...args: unknown[]): number =>
		start(callback, delay, args, false, "setTimeout"),
	setInterval: (callback: Callback, delay?: unknown, ...args: unknown[]): number =>
		start(callback, delay, args, true, "setInterval"),
	setImmediate: (callback: Callback, ...args: unknown[]): number => start(callback, 0, args, false, "setImmediate"),
	clearTimeout: (id?: unknown): void => stop(id),
	clearInterval: (id?: unknown): void => stop(id),
	clearImmediate: (id?: unknown): void => stop(id),
	queueMicrotask: (callback: () => void): void => {
		if (typeof callback !== "function") throw new IntrinsicTypeError(`queueMicrotask takes a function, not ${typeof callback}`);
		then(resolvePromise(undefined), () => run(callback, []));
	},
};
