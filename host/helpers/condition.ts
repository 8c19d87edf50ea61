import { RuntimeError } from "../contract/errors.ts";
import type { Condition } from "../contract/generated/types.ts";
import { kindOf } from "../contract/key.ts";
import { layout } from "../layout.ts";
import { whenReady } from "./answer.ts";
import type { Binding } from "./binding.ts";
import { unrefusable } from "./effect.ts";
import { journalArgument } from "./journal-entry.ts";
import { operation } from "./scope.ts";

const set = operation("condition.set");
const get = operation("condition.get");

/** The condition of one run: true, false or unset. */
export function createCondition({ execution, store, journal, results }: Binding): Condition {
	const key = layout.condition(execution.id);
	return {
		set: (value, call) =>
			journal.effect<void>(set, `{"value":${journalArgument(value)}}`, call, () => {
				if (typeof value !== "boolean")
					throw new RuntimeError("invalid", `The condition must be true or false; it is ${kindOf(value)}.`);
				return {
					operations: [{ type: "set", key, value: value ? "true" : "false" }],
					result: "null",
					refused: unrefusable,
					committed: () => {
						results.condition = value;
					},
				};
			}),
		get: (call) =>
			journal.read(
				get,
				"{}",
				call,
				() => whenReady(store.get(key), (entry) => (entry ? entry.value === "true" : undefined)),
				(value) => (value === undefined ? "null" : String(value)),
			),
	};
}
