import { setImmediate as nextTurn } from "node:timers/promises";
import type { EngineName } from "../host/sandbox/engine.ts";
import { createEngine } from "../host/sandbox/engines.ts";
import { type Candidate, interleave } from "./interleave.ts";
import { atMostTarget, type Effort, fasterTarget, type Measurement, type Row, type Target } from "./measurement.ts";
import { openPeers, type PeerName } from "./peers/open.ts";
import { readPrelude } from "./prelude.ts";
import { createRunInEngine } from "./run-in-engine.ts";

const script = "export default () => [6].map((n) => n * 7)[0]";

/** The peers and how often each is started in a round: what takes long is done less often. */
const peerSamples = { "isolated-vm": 20, run: 6, "node-vm": 20, "spawn-node": 2 } satisfies Record<PeerName, number>;

/** How long does it take from asking for a script to run in a fresh sandbox until its result is there? */
export async function measure(effort: Effort): Promise<Measurement> {
	const { quick } = effort;
	const prelude = readPrelude();
	const { opened, skipped } = await openPeers(Object.keys(peerSamples) as PeerName[], { prelude: prelude.source });
	const candidates: Candidate[] = [
		await createCandidate("quickjs-wasi", "waiting", quick ? 100 : 200),
		await createCandidate("quickjs-wasi", "just used", quick ? 100 : 200),
		await createCandidate("quickjs-emscripten", "waiting", quick ? 5 : 10),
	];
	for (const [name, peer] of Object.entries(opened))
		candidates.push({ name: peer.name, unit: "µs", samplesPerRound: peerSamples[name as PeerName], sample: () => peer.start() });
	const rows = await interleave(candidates, quick ? 10 : 40, effort);
	const [own] = rows as [Row];
	const find = (name: PeerName): Row | undefined => rows.find((row) => row.name === opened[name]?.name);
	const targets: Target[] = [];
	const compare = (name: PeerName, factor: number, text: string): void => {
		const row = find(name);
		if (row) targets.push(fasterTarget(text, own, row, factor));
	};
	compare("isolated-vm", 8, "≥ 8× faster than a fresh isolated-vm isolate with the same prelude");
	compare("run", 25, "≥ 25× faster than `run`");
	compare("spawn-node", 200, "≥ 200× faster than spawning node");
	targets.push(atMostTarget("p99 ≤ 5× p50 on a quiet machine", own.p99, 5 * own.p50, "µs"));
	for (const peer of Object.values(opened)) await peer[Symbol.asyncDispose]();
	return {
		question: `isolated script start → first result, with ${prelude.description}`,
		rows,
		targets,
		notes: [
			"one thread; no time includes cleaning up, except that of an instance that was just used, which is taken back to its image within it",
			"an instance is waiting when a turn of the event loop has passed since the last run, as it has between two runs of a worker",
			...skipped,
		],
	};
}

async function createCandidate(name: EngineName, instance: "waiting" | "just used", samplesPerRound: number): Promise<Candidate> {
	const run = createRunInEngine(await createEngine(name));
	return {
		name: `${name}, instance ${instance}`,
		unit: "µs",
		samplesPerRound,
		sample: async () => {
			// Two turns, for the engine restores its instance in the first.
			if (instance === "waiting") for (let turn = 0; turn < 2; turn++) await nextTurn();
			const started = performance.now();
			const { returned } = await run(script);
			const took = performance.now() - started;
			if (returned !== "42") throw new Error(`${name} answered ${returned} instead of 42`);
			return took * 1_000;
		},
	};
}
