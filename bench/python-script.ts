import { randomUUID } from "node:crypto";
import { createHelpers } from "../host/helpers/helpers.ts";
import { layout } from "../host/layout.ts";
import type { GuestEngine } from "../host/sandbox/guest-engine.ts";
import type { Store } from "../host/store/store.ts";
import { createExecution, createRunInEngine } from "./run-in-engine.ts";

/** One get_input, one get_variable, one set_output: what most steps of a workflow do. */
export const source = `import cronium

order = cronium.get_input()
rate = cronium.get_variable("rate")
total = sum(item["price"] * item["quantity"] for item in order["items"]) * (1 + rate)
cronium.set_output({"number": order["number"], "total": total})
`;

const items = [
	{ price: 12.5, quantity: 2 },
	{ price: 3.25, quantity: 7 },
];
export const rate = 0.25;
const total = items.reduce((sum, { price, quantity }) => sum + price * quantity, 0) * (1 + rate);

/** The input of the run with this number, a JSON text. */
export const inputOf = (number: number): string => JSON.stringify({ number, items });

/** Throws when a run of that number has another output: its time would mean nothing. */
export function requireOutput(name: string, number: number, output: unknown): void {
	const found = output as { readonly number?: unknown; readonly total?: unknown } | null | undefined;
	if (found?.number !== number || found.total !== total)
		throw new Error(`${name} answered ${JSON.stringify(output)}; the total of run ${number} is ${total}.`);
}

/** Runs the script in an engine of this thread, with helpers on the store as they are in every run. Resolves with its milliseconds. */
export async function runWithHelpers(engine: GuestEngine, store: Store, number: number): Promise<number> {
	const execution = { ...createExecution(), id: randomUUID() };
	await store.commit({
		operations: [
			{ type: "set", key: layout.live(execution.hostId, execution.id), value: "" },
			{ type: "set", key: layout.variable(execution.namespace, "rate"), value: JSON.stringify(rate) },
		],
	});
	const started = performance.now();
	const bound = createHelpers(execution, { store, input: inputOf(number), onLog: () => undefined });
	await createRunInEngine(engine, execution)(source, bound.helpers);
	const { output } = await bound.settle();
	const took = performance.now() - started;
	requireOutput("The sandbox", number, JSON.parse(output ?? "null"));
	return took;
}
