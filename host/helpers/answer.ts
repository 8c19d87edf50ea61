import type { Answer } from "../contract/generated/types.ts";

/** Goes on with an answer: at once when it is there, so that a store in this process costs no turn of the event loop. */
export function whenReady<T, R>(answer: Answer<T>, next: (value: T) => R): Answer<R> {
	return answer instanceof Promise ? answer.then(next) : (next(answer) as Answer<R>);
}
