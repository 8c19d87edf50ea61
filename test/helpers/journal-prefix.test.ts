import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { type JournalEntry, readJournal } from "../../host/helpers/journal-reader.ts";
import { layout } from "../../host/layout.ts";
import { createMemoryStore } from "../../host/store/memory-store.ts";
import type { Store } from "../../host/store/store.ts";
import { startRun, type TestRun } from "./run.ts";
import { createRandom, UnrulyStore } from "./unruly-store.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const rounds = Number(process.env.ROUNDS ?? 60);

/** What a script has seen of one call. */
interface Seen {
	readonly callId: string;
	readonly operation: string;
	outcome?: { readonly result: unknown } | { readonly error: string };
}

const keys = ["a", "b", "counter"];

/** Makes one random call, without awaiting it. */
function callSomething(run: TestRun, random: () => number, seen: Seen[], versions: string[]): void {
	const { variables, io, condition, log } = run.helpers;
	const call = run.call();
	const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
	const key = pick(keys);
	const value = random() < 0.2 ? JSON.stringify(`${call.callId} ${"x".repeat(2_000)}`) : JSON.stringify(call.callId);
	const attempts: [string, () => unknown][] = [
		["variables.get", () => variables.get(key, call)],
		["variables.get", () => variables.get(key, call)],
		["variables.set", () => variables.set(key, value, undefined, call)],
		["variables.set", () => variables.set(key, value, { ifAbsent: true }, call)],
		["variables.set", () => variables.set(key, value, { ifVersion: versions.length ? pick(versions) : "1" }, call)],
		["variables.set", () => variables.set(key, "{", undefined, call)],
		["variables.set", () => variables.set("counter", "1", undefined, call)],
		["variables.delete", () => variables.delete(key, undefined, call)],
		["variables.increment", () => variables.increment("counter", 1, call)],
		["variables.increment", () => variables.increment(key, 1, call)],
		["io.set-output", () => io.setOutput(value, call)],
		["condition.set", () => condition.set(random() < 0.5, call)],
		["log.write", () => log.write("info", "line", undefined, call)],
	];
	const [operation, attempt] = pick(attempts);
	const mine: Seen = { callId: call.callId, operation };
	seen.push(mine);
	const fail = (error: unknown): void => {
		mine.outcome = { error: error instanceof RuntimeError ? error.code : String(error) };
	};
	try {
		Promise.resolve(attempt()).then((result) => {
			mine.outcome = { result };
			if (operation === "variables.set") versions.push(result as string);
		}, fail);
	} catch (error) {
		fail(error);
	}
}

/** Applies the journal to nothing and compares with what is in the store: every effect is in both, in the same order, or in neither. */
async function expectSameState(journal: readonly JournalEntry[], store: Store, run: TestRun, note: string): Promise<void> {
	const variables = new Map<string, { value: unknown; version: string }>();
	const outputs: number[] = [];
	let condition: unknown;
	for (const { operation, sequence, version, arguments: given } of journal) {
		if (version === undefined) continue;
		const key = given.key as string;
		const { value } = given;
		if (operation === "variables.set") variables.set(key, { value, version });
		else if (operation === "variables.delete") variables.delete(key);
		else if (operation === "variables.increment")
			variables.set(key, { value: String(Number(variables.get(key)?.value ?? 0) + 1), version });
		else if (operation === "io.set-output") outputs.push(sequence);
		else if (operation === "condition.set") condition = value;
		else throw new Error(`${operation} has no effect.`);
	}
	const stored = await store.list({ prefix: layout.variables("tests"), limit: 100 });
	expect(
		stored.map(({ key, value, version }) => [key.at(-1), value.length > 1024 ? value.length : value, version]),
		note,
	).toEqual(
		[...variables]
			.toSorted(([a], [b]) => (a < b ? -1 : 1))
			.map(([key, { value, version }]) => [key, typeof value === "object" ? (value as { size: number }).size : value, version]),
	);
	const storedOutputs = await store.list({ prefix: layout.outputs(run.execution.id), limit: 1_000 });
	expect(
		storedOutputs.map(({ key }) => key.at(-1)),
		note,
	).toEqual(outputs);
	const storedCondition = await store.get(layout.condition(run.execution.id));
	expect(storedCondition?.value, note).toBe(condition === undefined ? undefined : String(condition));
}

function expectPrefix(journal: readonly JournalEntry[], seen: readonly Seen[], note: string): void {
	expect(
		journal.map(({ sequence, callId, operation }) => [sequence, callId, operation]),
		note,
	).toEqual(seen.slice(0, journal.length).map(({ callId, operation }, index) => [index + 1, callId, operation]));
	for (const [index, { outcome }] of seen.entries()) {
		const entry = journal[index];
		if (outcome && "result" in outcome && isEffect(seen[index] as Seen, outcome.result))
			expect(entry?.version, `${note}: call ${index + 1} was acknowledged`).toBeDefined();
		if (!entry || !outcome) continue;
		if ("error" in outcome) {
			expect(entry.version, `${note}: call ${index + 1} failed`).toBeUndefined();
			if (entry.error) expect(entry.error.code, note).toBe(outcome.error);
		} else if (entry.result !== undefined && entry.operation !== "log.write" && typeof entry.result !== "object")
			expect(entry.result, `${note}: result of call ${index + 1}`).toEqual(outcome.result);
	}
}

const isEffect = ({ operation }: Seen, result: unknown): boolean =>
	!["variables.get", "log.write"].includes(operation) && !(operation === "variables.delete" && result === false);

async function playRound(roundSeed: number): Promise<void> {
	const note = `seed ${roundSeed}`;
	const random = createRandom(roundSeed);
	const store = createMemoryStore();
	const network = new UnrulyStore(store, random);
	network.unavailable = random() < 0.5 ? 0 : 0.2;
	network.slowReads = random() < 0.5;
	const unopened = random() < 0.5;
	const run = await startRun({ store, throughStore: network, unopened });
	const openAt = unopened && random() < 0.5 ? Math.floor(random() * 10) : Number.POSITIVE_INFINITY;
	const seen: Seen[] = [];
	const versions: string[] = [];
	const calls = 10 + Math.floor(random() * 80);
	const killAt = random() < 0.6 ? Math.floor(random() * calls) : Number.POSITIVE_INFINITY;
	while (seen.length < calls) {
		if (seen.length === killAt) {
			if (random() < 0.5) network.dead = true;
			else await run.kill();
			break;
		}
		if (seen.length === openAt) await run.open();
		callSomething(run, random, seen, versions);
		while (random() < 0.5) {
			network.step();
			await turn();
		}
		if (random() < 0.2) {
			const journal = await readJournal(store, run.execution.id);
			expectPrefix(journal, seen, note);
			await expectSameState(journal, store, run, note);
		}
	}
	if (killAt !== Number.POSITIVE_INFINITY) {
		for (let step = 0; step < 50; step++) {
			network.step();
			await turn();
		}
		const journal = await readJournal(store, run.execution.id);
		expectPrefix(journal, seen, note);
		await expectSameState(journal, store, run, note);
		return;
	}
	const ending = run.end('"returned"');
	let ended = false;
	void ending.finally(() => {
		ended = true;
	});
	while (!ended) {
		network.step();
		await turn();
	}
	const remainder = await ending;
	expect(remainder.output, note).toBe('"returned"');
	seen.push({ callId: "returned", operation: "io.set-output", outcome: { result: undefined } });
	const journal = await readJournal(store, run.execution.id);
	expect(journal, note).toHaveLength(seen.length);
	for (const [index, entry] of journal.entries()) {
		const { outcome } = seen[index] as Seen;
		// A read that the network has not answered by the end is the one thing without an outcome.
		if (outcome)
			expect("result" in entry ? "result" : entry.error?.code, `${note}: call ${index + 1}`).toBe(
				"result" in outcome ? "result" : outcome.error,
			);
	}
	expectPrefix(journal, seen, note);
	await expectSameState(journal, store, run, note);
	expect(await store.get(layout.execution(run.execution.id)), note).toBeDefined();
}

describe("the durable journal", () => {
	it(`is a prefix of what happened, and the store is what it says, at every moment (seed ${seed}, ${rounds} rounds)`, async () => {
		for (let round = 0; round < rounds; round++) await playRound(seed + round);
	});

	it("costs calls that are made to fail at most two transactions each", async () => {
		const random = createRandom(1);
		const store = createMemoryStore();
		const network = new UnrulyStore(store, random);
		const run = await startRun({ store, throughStore: network });
		const calls = 200;
		const results = Promise.allSettled(
			Array.from({ length: calls }, (_, index) => {
				const fails = index % 2 === 0;
				return Promise.resolve(run.helpers.variables.set("key", "1", fails ? { ifVersion: "0" } : undefined, run.call()));
			}),
		);
		let settled = false;
		void results.finally(() => {
			settled = true;
		});
		while (!settled) {
			network.step();
			await turn();
		}
		expect((await results).filter(({ status }) => status === "rejected")).toHaveLength(calls / 2);
		expect(network.posted).toBeLessThanOrEqual(2 * calls + 16);
	});
});
