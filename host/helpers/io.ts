import type { Io, Json } from "../contract/generated/types.ts";
import { requireJson } from "../contract/json-text.ts";
import { layout } from "../layout.ts";
import type { StoreOperation } from "../store/store.ts";
import type { Binding } from "./binding.ts";
import { unrefusable } from "./effect.ts";
import type { LastCall } from "./journal.ts";
import { journalArgument, journalText } from "./journal-entry.ts";
import { operation } from "./scope.ts";

const getInput = operation("io.get-input");
const setOutput = operation("io.set-output");

/** The input and the output of one run. */
export function createIo(binding: Binding): Io {
	const { journal, results } = binding;
	const input = binding.input ?? "null";
	let inputInJournal: string | undefined;
	return {
		getInput: (call) =>
			journal.read(
				getInput,
				"{}",
				call,
				() => input,
				() => {
					inputInJournal ??= journalText(input, { input: true });
					return inputInJournal;
				},
			),
		setOutput: (value, call) =>
			journal.effect<void>(setOutput, outputArguments(value), call, (sequence) => {
				const operations = writeOutput(binding, value, sequence);
				return {
					operations,
					result: "null",
					refused: unrefusable,
					committed: () => {
						results.output = value;
					},
				};
			}),
	};
}

/** The value that a script returned: its last set-output, in the transaction that ends the run. */
export function returnedOutput(binding: Binding, value: Json): LastCall {
	return {
		operation: setOutput,
		argumentsText: outputArguments(value),
		prepare: (sequence) => writeOutput(binding, value, sequence),
	};
}

function writeOutput({ execution }: Binding, value: Json, sequence: number): StoreOperation[] {
	requireJson(value, execution.limits, { name: "output", maxBytesLimit: "maxOutputBytes" });
	return [{ type: "set", key: layout.output(execution.id, sequence), value }];
}

const outputArguments = (value: unknown): string => `{"value":${journalArgument(value)}}`;
