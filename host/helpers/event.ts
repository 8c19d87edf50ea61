import type { Event, EventContext } from "../contract/generated/types.ts";
import type { Execution } from "../execution.ts";
import type { Binding } from "./binding.ts";
import { operation } from "./scope.ts";

const getContext = operation("event.get-context");

/** The event of one run. */
export function createEvent({ execution, journal }: Binding): Event {
	const context = eventContext(execution);
	let contextText: string | undefined;
	return {
		getContext: (call) =>
			journal.read(
				getContext,
				"{}",
				call,
				() => context,
				() => {
					contextText ??= JSON.stringify(context);
					return contextText;
				},
			),
	};
}

function eventContext({ event, id, namespace, mode, attempt, startedAt, deadlineAt }: Execution): EventContext {
	return {
		...event,
		execution: {
			id,
			namespace,
			mode,
			attempt,
			startedAt: new Date(startedAt).toISOString(),
			deadlineAt: new Date(deadlineAt).toISOString(),
		},
	};
}
