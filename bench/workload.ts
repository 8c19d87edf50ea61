import type { Host, RunOptions } from "../host/index.ts";

/** One getInput, two variable reads, one durable setVariable, one setOutput: what most steps of a workflow do. */
const source = `
import { getInput, getVariable, setOutput, setVariable } from "cronium";

const order = await getInput();
const rate = await getVariable("rate");
const customer = await getVariable("customer");
const total = order.items.reduce((sum, { price, quantity }) => sum + price * quantity, 0) * (1 + rate);
await setVariable("total-" + (order.number % 16), { total, customer: customer.name });
await setOutput({ number: order.number, total });
`;

const items = [
	{ price: 12.5, quantity: 2 },
	{ price: 3.25, quantity: 7 },
];
const expected = items.reduce((sum, { price, quantity }) => sum + price * quantity, 0) * 1.25;

/** The run number `number` of the workload. */
export function describeRun(number: number): RunOptions {
	return { script: { name: "order.js", source }, input: JSON.stringify({ number, items }), namespace: "bench" };
}

/** Writes the variables that the workload reads. */
export async function prepareWorkload(host: Host): Promise<void> {
	const outcome = await host.run({
		script: {
			name: "prepare.js",
			source: "await cronium.setVariable('rate', 0.25); await cronium.setVariable('customer', { name: 'Ada' });",
		},
		namespace: "bench",
	});
	if (outcome.status !== "succeeded") throw new Error(`The workload was not prepared: ${outcome.error?.message}`);
}

/** Runs one and throws unless it computed what it should have. Resolves with its milliseconds. */
export async function runOnce(host: Host, number: number): Promise<number> {
	const started = performance.now();
	const { status, output, error } = await host.run(describeRun(number));
	const took = performance.now() - started;
	if (status !== "succeeded") throw new Error(`A run ended as ${status}: ${error?.message}`);
	if ((output as { total: number }).total !== expected)
		throw new Error(`A run answered ${JSON.stringify(output)}, not ${expected}.`);
	return took;
}

/** Makes `runs` runs with `inFlight` of them under way at any time. Resolves with the runs per second and each run's milliseconds. */
export async function runMany(
	host: Host,
	runs: number,
	inFlight: number,
): Promise<{ readonly perSecond: number; readonly took: number[] }> {
	const took: number[] = [];
	let next = 0;
	const started = performance.now();
	const lane = async (): Promise<void> => {
		while (next < runs) {
			next += 1;
			took.push(await runOnce(host, next));
		}
	};
	await Promise.all(Array.from({ length: inFlight }, lane));
	return { perSecond: (runs * 1_000) / (performance.now() - started), took };
}
