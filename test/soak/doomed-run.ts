import type { RunOptions } from "../../host/index.ts";
import { createRandom } from "./random.ts";
import { counter, namespaces } from "./random-run.ts";

/** One run of a host that will be killed: writes a series of its own and prints each value once it is acknowledged. */
export function describeDoomedRun(seed: number, number: number) {
	const random = createRandom(seed, number);
	const series = `doomed-${number}`;
	const writes = random.integer(1, 12);
	const namespace = namespaces[number % namespaces.length] as string;
	const source = `
		for (let n = 1; n <= ${writes}; n++) {
			await cronium.setVariable("${series}", n);
			console.log(n);
			if (n % 3 === 0) await cronium.incrementVariable("${counter}");
		}
		${random.chance(0.2) ? "throw new Error('on purpose')" : "await cronium.setOutput('done')"};
	`;
	return {
		series,
		writes,
		namespace,
		options: { script: { name: `${series}.js`, source }, namespace } satisfies RunOptions,
	};
}
