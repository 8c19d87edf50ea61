import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Helpers } from "../host/contract/generated/types.ts";
import { limitDefinitions } from "../host/contract/limits.ts";
import { createHelpers } from "../host/helpers/helpers.ts";
import { keepAlive } from "../host/keep-alive.ts";
import { layout } from "../host/layout.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import { ensurePythonImage } from "../host/sandbox/python/image.ts";
import { openLmdbStore } from "../host/store/lmdb-store.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, type Effort, type Measurement, type Row } from "./measurement.ts";
import { createExecution, createRunInEngine } from "./run-in-engine.ts";

/** A call that a script makes again and again: what it says, and which helper it reaches. */
interface Called {
	readonly name: string;
	readonly call: string;
	readonly callsPerRound: number;
	/** The helpers with that call counted when it arrives. */
	readonly observe: (helpers: Helpers, onArrival: () => void) => Helpers;
}

const calls: readonly Called[] = [
	{
		name: "get_variable of 100 bytes",
		call: `if len(cronium.get_variable("key")) != 98: raise ValueError("wrong value")`,
		callsPerRound: 2_000,
		observe: observe("variables", "get"),
	},
	{
		name: "log.info",
		call: `cronium.log.info("A line of the log, as long as most of them are.")`,
		callsPerRound: 1_000,
		observe: observe("log", "write"),
	},
	{
		name: "set_variable of 100 bytes, durable",
		call: `cronium.set_variable("key", value)`,
		callsPerRound: 200,
		observe: observe("variables", "set"),
	},
];

/** What does one call of a helper cost a script in Python, through everything that such a call goes through? */
export async function measure(effort: Effort): Promise<Measurement> {
	using _alive = keepAlive();
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	const store = await openLmdbStore({
		directory: join(directory, "data"),
		maxStoreBytes: limitDefinitions.maxStoreBytes.default,
	});
	try {
		using engine = await createEngine("python", { pythonImage: await ensurePythonImage(join(directory, "images")) });
		const repeat = async ({ call, callsPerRound, observe }: Called): Promise<number[]> => {
			const execution = { ...createExecution(), id: randomUUID() };
			await store.commit({
				operations: [
					{ type: "set", key: layout.live(execution.hostId, execution.id), value: "" },
					{ type: "set", key: layout.variable(execution.namespace, "key"), value: JSON.stringify("x".repeat(98)) },
				],
			});
			const bound = createHelpers(execution, { store, input: undefined, onLog: () => undefined });
			const arrivals: number[] = [];
			const helpers = observe(bound.helpers, () => arrivals.push(performance.now()));
			const source = `import cronium\nvalue = "x" * 98\nfor _ in range(${callsPerRound + 1}):\n    ${call}\n`;
			await createRunInEngine(engine, execution)(source, helpers);
			await bound.settle();
			if (arrivals.length !== callsPerRound + 1)
				throw new Error(`The script made ${arrivals.length - 1} of ${callsPerRound} calls.`);
			return arrivals.slice(1).map((arrival, index) => (arrival - (arrivals[index] as number)) * 1_000);
		};
		const rows = await interleave(
			calls.map((called): Candidate => {
				const taken: number[] = [];
				return {
					name: called.name,
					unit: "µs",
					samplesPerRound: called.callsPerRound,
					sample: async () => {
						if (taken.length === 0) taken.push(...(await repeat(called)));
						return taken.pop() as number;
					},
				};
			}),
			effort.quick ? 10 : 40,
			effort,
		);
		const [read] = rows as [Row];
		return {
			question: "one call of a helper from Python in the sandbox",
			rows,
			targets: [atMostTarget("get_variable of a 100-byte value ≤ 15 µs p50", read.p50, 15, "µs", read.rounds)],
			notes: [
				"a call is measured from its arrival at the host to the arrival of the next; the store is LMDB, in the same thread",
			],
		};
	} finally {
		await store.close();
		await rm(directory, { recursive: true, force: true });
	}
}

function observe<Interface extends keyof Helpers>(name: Interface, method: keyof Helpers[Interface] & string): Called["observe"] {
	return (helpers, onArrival) => {
		const methods = helpers[name];
		const called = methods[method] as (...args: unknown[]) => unknown;
		const observed = (...args: unknown[]): unknown => {
			onArrival();
			return called(...args);
		};
		return { ...helpers, [name]: { ...methods, [method]: observed } };
	};
}
