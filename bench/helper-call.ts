import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Helpers } from "../host/contract/generated/types.ts";
import { limitDefinitions } from "../host/contract/limits.ts";
import type { Execution } from "../host/execution.ts";
import { createHelpers } from "../host/helpers/helpers.ts";
import { layout } from "../host/layout.ts";
import type { EngineName } from "../host/sandbox/engine.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import type { GuestEngine } from "../host/sandbox/guest-engine.ts";
import { type LmdbStore, openLmdbStore } from "../host/store/lmdb-store.ts";
import { openBareGlue, openBoundGlue } from "./glue.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, createRow, type Effort, type Measurement, type Row } from "./measurement.ts";
import { openPeers } from "./peers/open.ts";
import { readPrelude } from "./prelude.ts";
import { createExecution, createRunInEngine } from "./run-in-engine.ts";

const callsPerSample = 20_000;
const readsPerRound = 2_000;
const javascriptEngines = ["quickjs-wasi", "quickjs-emscripten"] as const satisfies readonly EngineName[];

/** What does a call of a helper cost: through the glue alone, and through everything that a read of a variable goes through? */
export async function measure(effort: Effort): Promise<Measurement> {
	const rounds = effort.quick ? 10 : 40;
	const prelude = readPrelude();
	const { opened, skipped } = await openPeers(["isolated-vm", "node-vm"], { prelude: prelude.source });
	const candidates: Candidate[] = [];
	const bare = openBareGlue();
	candidates.push({ name: "quickjs-wasi, glue alone", unit: "ns", samplesPerRound: 5, sample: () => bare(callsPerSample) });
	for (const name of javascriptEngines) {
		const bound = await openBoundGlue(name);
		const calls = name === "quickjs-wasi" ? callsPerSample : callsPerSample / 10;
		candidates.push({ name: `${name}, glue and bindings`, unit: "ns", samplesPerRound: 5, sample: () => bound(calls) });
	}
	for (const { name, callHost } of Object.values(opened))
		if (callHost) candidates.push({ name, unit: "ns", samplesPerRound: 5, sample: () => callHost(callsPerSample) });
	const calls = await interleave(candidates, rounds, effort);
	const [glue] = calls as [Row];
	const reads: Row[] = [];
	for (const name of javascriptEngines) reads.push(await measureReads(name, rounds));
	const [read] = reads as [Row];
	for (const peer of Object.values(opened)) await peer[Symbol.asyncDispose]();
	return {
		question: "one call of a helper",
		rows: [...calls, ...reads],
		targets: [
			atMostTarget("helper call without data ≤ 0.4 µs in the engine glue", glue.p50, 400, "ns", glue.rounds),
			atMostTarget("getVariable of a 100-byte value, awaited, ≤ 10 µs p50", read.p50, 10, "µs", read.rounds),
		],
		notes: [
			`a sample of a call without data is the average of ${callsPerSample} calls in a guest loop; of getVariable it is one call, from its arrival at the host to the arrival of the next`,
			...skipped,
		],
	};
}

/** A script that awaits getVariable again and again, through contract checks, journal and LMDB. */
async function measureReads(name: EngineName, rounds: number): Promise<Row> {
	const directory = await mkdtemp(join(tmpdir(), "cronium-bench-"));
	const store = await openLmdbStore({
		directory: join(directory, "data"),
		maxStoreBytes: limitDefinitions.maxStoreBytes.default,
	});
	using engine = await createEngine(name);
	try {
		const samples: number[][] = [];
		for (let round = -1; round < rounds; round++) {
			const taken = await readInLoop(engine, store);
			if (round >= 0) samples.push(taken);
		}
		return createRow(`${name}, getVariable of 100 bytes, awaited`, "µs", samples);
	} finally {
		await store.close();
		await rm(directory, { recursive: true, force: true });
	}
}

const script = `for (let n = 0; n <= ${readsPerRound}; n++) if ((await cronium.getVariable("key")).length !== 98) throw new Error("wrong value");`;

async function readInLoop(engine: GuestEngine, store: LmdbStore): Promise<number[]> {
	const execution: Execution = { ...createExecution(), id: randomUUID() };
	await store.commit({
		operations: [
			{ type: "set", key: layout.live(execution.hostId, execution.id), value: "" },
			{ type: "set", key: layout.variable(execution.namespace, "key"), value: JSON.stringify("x".repeat(98)) },
		],
	});
	const bound = createHelpers(execution, { store, input: undefined, onLog: () => undefined });
	const arrivals = new Float64Array(readsPerRound + 1);
	let arrived = 0;
	const { variables } = bound.helpers;
	const helpers: Helpers = {
		...bound.helpers,
		variables: {
			...variables,
			get: (key, call) => {
				arrivals[arrived++] = performance.now();
				return variables.get(key, call);
			},
		},
	};
	await createRunInEngine(engine, execution)(script, helpers);
	await bound.settle();
	return Array.from(
		{ length: readsPerRound },
		(_, index) => ((arrivals[index + 1] as number) - (arrivals[index] as number)) * 1_000,
	);
}
